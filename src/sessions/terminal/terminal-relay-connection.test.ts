import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { WebSocketServer } from 'ws';
import { TerminalRelayConnection } from './terminal-relay-connection.ts';

test('a connection that the other side resets while it is being closed is closed', async () => {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  server.on('connection', (_, { socket }) => socket.once('data', () => socket.resetAndDestroy()));
  const { port } = server.address() as AddressInfo;
  const socket = connect(port, '127.0.0.1');
  const opened = await TerminalRelayConnection.open({
    url: new URL(`ws://127.0.0.1:${port}`),
    dialled: { socket, octets: () => ({ uplinkOctets: 0, downlinkOctets: 0 }) },
    isAcknowledged: false,
    onMessage: () => {},
    onNotice: () => {},
    onLost: () => {},
  });
  if ('refusal' in opened) throw new Error(opened.refusal);
  await expect(opened.connection.close()).resolves.toBeUndefined();
  expect(opened.connection.isOpen).toBe(false);
});
