import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { associate } from './associate.ts';
import { DialError } from './terminal-dial.ts';

test('a proxy that resets the connection while an association is asked for is one that cannot be reached', async () => {
  const server = createServer((socket) => socket.once('data', () => socket.resetAndDestroy()));
  onTestFinished(() => void server.close());
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  await expect(associate(socket, { user: 'token', password: 'proof' })).rejects.toBeInstanceOf(DialError);
});
