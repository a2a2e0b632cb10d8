import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import { PeerSecret } from '../../../platform/http/peer-secret.ts';
import type { Announcement } from '../../protocol/dispatch-messages.ts';
import { httpProxyControl } from './proxy-control.ts';

const endings: (() => void)[] = [];
afterEach(() => {
  for (const end of endings.splice(0)) end();
});

/** A control interface that answers so many requests of each connection, and then breaks it without an answer. */
async function proxyThatBreaks(answersOfAConnection: number) {
  const answered = new Map<Socket, number>();
  const server = createServer(({ socket }, response) => {
    const before = answered.get(socket) ?? 0;
    answered.set(socket, before + 1);
    if (before < answersOfAConnection) response.writeHead(204).end();
    else socket.destroy();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  endings.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const announcement = { sessionId: 'session-1' } as Announcement;
const controlOf = (controlUrl: string) =>
  httpProxyControl(new Map([['edge-1', { controlUrl, secret: PeerSecret.of('secret-of-edge-1-alone') }]]), 5000);

test('a connection that has gone stale is no fault of the proxy: another one is made', async () => {
  const control = controlOf(await proxyThatBreaks(1));
  expect(await control.announce('edge-1', announcement)).toBeNull();
  // Until then the connection is not kept for the next one.
  await pause(50);
  expect(await control.announce('edge-1', announcement)).toBeNull();
});

test('a proxy that breaks every connection is one that cannot be reached', async () => {
  const problem = await controlOf(await proxyThatBreaks(0)).announce('edge-1', announcement);
  expect(problem).toMatchObject({ message: expect.stringContaining('cannot be reached'), kind: 'unreachable' });
});

test('nothing listens there', async () => {
  const problem = await controlOf('http://127.0.0.1:1').announce('edge-1', announcement);
  expect(problem?.message).toMatch(/127\.0\.0\.1:1 cannot be reached/);
});

test('a proxy that is not configured is not called, and a redirect is not followed', async () => {
  const called: string[] = [];
  const server = createServer((request, response) => {
    called.push(`${request.url} ${request.headers.authorization}`);
    response.writeHead(307, { location: '/elsewhere' }).end();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  endings.push(() => void server.close());
  const control = controlOf(`http://127.0.0.1:${(server.address() as AddressInfo).port}/base`);
  expect(await control.announce('edge-9', announcement)).toMatchObject({
    message: expect.stringContaining('no such proxy'),
  });
  expect(await control.announce('edge-1', announcement)).toMatchObject({ message: 'HTTP 307', kind: 'refused' });
  expect(called).toEqual(['/base/v1/sessions/session-1 Bearer secret-of-edge-1-alone']);
});
