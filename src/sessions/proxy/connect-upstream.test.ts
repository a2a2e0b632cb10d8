import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { afterEach, expect, test, vi } from 'vitest';
import { dial } from './connect-upstream.ts';

/** A connection to it neither opens nor fails, as where packets are lost. */
const SILENT = '192.0.2.1';
vi.mock('node:net', async (importOriginal) => {
  const net = await importOriginal<typeof import('node:net')>();
  const isSilent = (host: string) => host === SILENT || host.startsWith('2001:db8::');
  const createConnection = (options: { host: string; port: number }) =>
    isSilent(options.host) ? new net.Socket() : net.createConnection(options);
  return { ...net, createConnection };
});

let server: Server | null = null;

async function listen(host: string): Promise<number> {
  server = createServer((socket) => socket.end()).listen(0, host);
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

afterEach(() => {
  server?.close();
  server = null;
});

test('a silent address does not keep the next one waiting', async () => {
  const port = await listen('127.0.0.1');
  const socket = await dial({ addresses: [SILENT, '127.0.0.1'], port }, 20_000);
  expect(socket.remoteAddress).toBe('127.0.0.1');
  socket.destroy();
});

test('addresses of the other family take turns with those of the first', async () => {
  const port = await listen('127.0.0.1');
  const silent = Array.from({ length: 100 }, (_, at) => `2001:db8::${at + 1}`);
  const socket = await dial({ addresses: [...silent, '127.0.0.1'], port }, 20_000);
  expect(socket.remoteAddress).toBe('127.0.0.1');
  socket.destroy();
});

test('an address that refuses gives way to the next, and the last failure is what all of them failed with', async () => {
  const port = await listen('127.0.0.1');
  const socket = await dial({ addresses: ['127.0.0.2', '127.0.0.1'], port }, 20_000);
  expect(socket.remoteAddress).toBe('127.0.0.1');
  socket.destroy();
  await expect(dial({ addresses: ['127.0.0.2', '127.0.0.3'], port }, 20_000)).rejects.toMatchObject({
    code: 'ECONNREFUSED',
  });
});

test('silence ends with the time-out', async () => {
  await expect(dial({ addresses: [SILENT], port: 9 }, 200)).rejects.toThrow();
});

test('no address is a failure', async () => {
  await expect(dial({ addresses: [], port: 9 }, 200)).rejects.toThrow('no address');
});
