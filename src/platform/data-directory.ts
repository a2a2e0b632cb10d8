import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, constants, openSync, readdirSync, rmSync } from 'node:fs';
import { access, chmod, mkdir, stat } from 'node:fs/promises';
import { createConnection, createServer, type Server, type Socket } from 'node:net';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { pseudoFileSystemOf } from './clickhouse/store-directory.ts';

const LOCK_NAME = /^lock-[\da-f]{12}\.sock$/;
/** A process that holds a directory answers at once; one that is stopped or busy for longer holds it, too. */
const ANSWER_TIMEOUT_MS = 5000;
const RETRY_DELAY_MS = 20;
/** Longest path of a socket that every platform takes. */
const LONGEST_SOCKET_PATH = 100;

/** A directory that a process cannot have for its data. */
export class DataDirectoryError extends Error {
  readonly code: 'data_directory_in_use' | 'data_directory_unusable';
  readonly canRetry: boolean;

  constructor(code: DataDirectoryError['code'], message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'DataDirectoryError';
    this.code = code;
    this.canRetry = code === 'data_directory_in_use';
  }
}

/** A data directory, by the command and the field of its configuration that names it. */
export interface DataDirectory {
  path: string;
  /** Of the process that has it, such as `dispatch server`. */
  owner: string;
  /** Such as `dataDir`. */
  field: string;
  /** Whether it has files for other users, and keeps its permissions. */
  isShared?: boolean;
}

/**
 * Creates the directory, with mode 0700 unless it is shared, and locks it for this process; returns a function that unlocks it. Each process that wants it
 * listens on a socket of its own in it, and connects to those of the others: the kernel closes a socket with its process,
 * so that a lock never outlives a killed process, and never depends on a process id. Rejects with a DataDirectoryError.
 */
export async function lockDataDirectory(directory: DataDirectory): Promise<() => void> {
  const { path } = directory;
  try {
    await prepare(directory);
    return await withShortPath(path, (short) => lock(directory, short));
  } catch (cause) {
    if (cause instanceof DataDirectoryError) throw cause;
    throw unusable(directory, `cannot be used: ${reasonOf(cause)}`, cause);
  }
}

async function prepare({ isShared = false, ...directory }: DataDirectory): Promise<void> {
  const path = resolve(directory.path);
  for (let above = path; ; above = dirname(above)) {
    const status = await stat(above).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return null;
      throw error;
    });
    if (status === null) continue;
    if (!status.isDirectory()) throw unusable(directory, `${above} is no directory; name another one`);
    // mkdir never returns from proc.
    const pseudo = await pseudoFileSystemOf(above);
    if (pseudo !== null) throw unusable(directory, `${above} is on ${pseudo}; name a directory on a disk`);
    break;
  }
  await mkdir(path, { recursive: true, ...(!isShared && { mode: 0o700 }) });
  await access(path, constants.R_OK | constants.W_OK | constants.X_OK);
  if (!isShared) await chmod(path, 0o700);
}

async function lock(directory: DataDirectory, short: string): Promise<() => void> {
  const own = `lock-${randomBytes(6).toString('hex')}.sock`;
  const state = { text: 'starting' };
  const server = await listen(join(short, own), state);
  try {
    for (;;) {
      const others = readdirSync(directory.path).filter((name) => LOCK_NAME.test(name) && name !== own);
      const answers = await Promise.all(others.map((name) => ask(join(short, name))));
      const isLower = others.every((name) => own < name);
      const held = answers.find((answer) => answer !== null && !(isLower && answer.startsWith('starting')));
      if (held != null) throw inUse(directory, held);
      // Of two that start at once the lower waits until the other has given up, or has the directory.
      if (answers.every((answer) => answer === null)) break;
      await pause(RETRY_DELAY_MS);
    }
  } catch (error) {
    await close(server);
    throw error;
  }
  state.text = 'held';
  return () => void close(server);
}

async function listen(path: string, state: { text: string }): Promise<Server> {
  const server = createServer((socket: Socket) => {
    socket.on('error', () => {});
    socket.end(`${state.text} ${process.pid}\n`);
  });
  server.listen(path);
  await once(server, 'listening');
  server.unref();
  return server;
}

/** The server removes its socket's file as it closes. */
async function close(server: Server): Promise<void> {
  await new Promise<void>((done) => server.close(() => done()));
}

/** Resolves with what a holder answers; null where its process is gone, whose socket is removed then. */
function ask(path: string): Promise<string | null> {
  return new Promise((done) => {
    let text = '';
    const socket = createConnection(path);
    const finish = (answer: string | null) => {
      socket.destroy();
      done(answer);
    };
    socket.setTimeout(ANSWER_TIMEOUT_MS, () => finish('held'));
    socket.on('data', (chunk) => {
      text += chunk;
    });
    socket.on('end', () => finish(text || 'held'));
    socket.on('error', ({ code }: NodeJS.ErrnoException) => {
      const isGone = code === 'ECONNREFUSED' || code === 'ENOENT';
      if (isGone) rmSync(path, { force: true });
      finish(isGone ? null : 'held');
    });
  });
}

/** Calls `work` with a path of the directory that is short enough for a socket's name. */
async function withShortPath<T>(path: string, work: (short: string) => Promise<T>): Promise<T> {
  const isShort = Buffer.byteLength(join(path, 'lock-012345678901.sock')) <= LONGEST_SOCKET_PATH;
  if (isShort || process.platform !== 'linux') return work(path);
  // Not closed as long as the process lives: the server removes its socket by this path.
  const descriptor = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    return await work(`/proc/self/fd/${descriptor}`);
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
}

function inUse({ path, owner, field }: DataDirectory, answer: string): DataDirectoryError {
  const pid = /\d+/.exec(answer)?.[0];
  return new DataDirectoryError(
    'data_directory_in_use',
    `${path}: another process${pid === undefined ? '' : ` (${pid})`} is using it; stop that one, or give this ${owner} a ${field} of its own`,
  );
}

function unusable({ path, field }: DataDirectory, what: string, cause?: unknown): DataDirectoryError {
  return new DataDirectoryError('data_directory_unusable', `${path}: ${field}: ${what}`, cause);
}

const REASONS: Readonly<Record<string, string>> = {
  EACCES: 'this user may not read and write it; change its owner or permissions',
  EPERM: 'this user may not read and write it, or is not its owner; change its owner',
  EROFS: 'the file system is mounted read-only; name a directory on another one',
  ENOSPC: 'the disk is full; make room on it',
  EDQUOT: 'the disk quota is used up; make room, or raise it',
  ELOOP: 'is a link that leads back to itself; name another directory',
  ENAMETOOLONG: 'the path is too long; name a shorter one',
};

function reasonOf(cause: unknown): string {
  const { code = '', message } = cause as NodeJS.ErrnoException;
  return REASONS[code] ?? message;
}
