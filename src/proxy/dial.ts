import { once } from 'node:events';
import { createConnection, type Socket } from 'node:net';
import type { Destination } from './applications.ts';
import { BUFFER_OCTETS, KEEP_ALIVE_MS } from './listener.ts';

/** Sockets take the size of their buffers as every stream does, which their types do not say. */
const BUFFERS = { highWaterMark: BUFFER_OCTETS };
const SETTINGS = {
  ...BUFFERS,
  allowHalfOpen: true,
  noDelay: true,
  keepAlive: true,
  keepAliveInitialDelay: KEEP_ALIVE_MS,
};

/** Connects to the first address that answers, all of them within `timeoutMs`. Rejects as the last one failed. */
export async function dial({ addresses, port }: Destination, timeoutMs: number): Promise<Socket> {
  const signal = AbortSignal.timeout(timeoutMs);
  let failure: unknown = new Error('no address');
  for (const host of addresses) {
    const socket = createConnection({ host, port, ...SETTINGS });
    try {
      await once(socket, 'connect', { signal });
      return socket;
    } catch (error) {
      socket.on('error', () => {}).destroy();
      failure = error;
      if (signal.aborted) break;
    }
  }
  throw failure;
}
