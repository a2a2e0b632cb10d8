import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { createConnection, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { SpoolError } from './spool-error.ts';

/**
 * Makes the directory, and holds it for this process: two proxies that count in one spool would spoil it. A socket in it
 * answers while its holder lives. Rejects with a SpoolError. Gives a function that lets it go.
 */
export async function holdDataDirectory(directory: string): Promise<() => void> {
  const path = join(directory, 'proxy.sock');
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    if (await isAnswered(path)) {
      throw new SpoolError(
        'spool_in_use',
        `${directory}: another proxy is running with this dataDir; give each its own`,
      );
    }
    await rm(path, { force: true });
    const server = await listening(path);
    return () => server.close();
  } catch (cause) {
    if (cause instanceof SpoolError) throw cause;
    throw new SpoolError('spool_unwritable', `${directory}: cannot be used (${(cause as Error).message})`, cause);
  }
}

async function listening(path: string): Promise<Server> {
  const server = createServer((socket) => socket.destroy());
  server.listen(path);
  await once(server, 'listening');
  server.unref();
  return server;
}

function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(path);
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}
