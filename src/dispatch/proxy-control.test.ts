import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import type { Announcement } from '../session-protocol/dispatch-messages.ts';
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
  return { proxyId: 'edge-1', controlUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

const announcement = { sessionId: 'session-1' } as Announcement;
const control = httpProxyControl(() => 'secret', 5000);

test('a connection that has gone stale is no fault of the proxy: another one is made', async () => {
  const proxy = await proxyThatBreaks(1);
  expect(await control.announce(proxy, announcement)).toBeNull();
  // Until then the connection is not kept for the next one.
  await pause(50);
  expect(await control.announce(proxy, announcement)).toBeNull();
});

test('a proxy that breaks every connection is one that cannot be reached', async () => {
  expect(await control.announce(await proxyThatBreaks(0), announcement)).toMatch(/fetch failed/);
});

test('nobody there', async () => {
  const nobody = { proxyId: 'edge-1', controlUrl: 'http://127.0.0.1:1' };
  expect(await control.announce(nobody, announcement)).toMatch(/fetch failed/);
});
