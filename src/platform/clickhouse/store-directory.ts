import { randomUUID } from 'node:crypto';
import { access, constants, mkdir, open, readFile, rm, stat, statfs } from 'node:fs/promises';
import { constants as osConstants } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { StoreError, type StoreErrorCode } from './store.ts';

/** Where ClickHouse has its data within a store's directory. */
export const DATA_DIRECTORY = 'clickhouse';
/** Where blocks wait for their insert. */
export const STAGING_DIRECTORY = 'staging';
/** ClickHouse's, within DATA_DIRECTORY. */
const LOCK_FILE = 'status';

const MIB = 2 ** 20;

/** File systems that show the kernel's state and hold no files of users, by their number in `statfs`. */
const PSEUDO_FILE_SYSTEMS: ReadonlyMap<number, string> = new Map([
  [0x9fa0, 'proc'],
  [0x62656572, 'sysfs'],
  [0x1cd1, 'devpts'],
  [0x27e0eb, 'cgroup'],
  [0x63677270, 'cgroup2'],
  [0x64626720, 'debugfs'],
  [0x74726163, 'tracefs'],
  [0x73636673, 'securityfs'],
]);

/** The kernel's file system that a path is on, by name; null for one that holds users' files, or where the platform cannot report it. */
export async function pseudoFileSystemOf(path: string): Promise<string | null> {
  const { type } = await statfs(path).catch(() => ({ type: 0 }));
  return PSEUDO_FILE_SYSTEMS.get(type) ?? null;
}

/**
 * Makes sure that a store can be opened in the directory, before ClickHouse tries: it names no reason where it cannot. Rejects with
 * a StoreError that does. `create: false`: only where there is a store already.
 */
export async function prepareStoreDirectory(directory: string, { create }: { create: boolean }): Promise<void> {
  const dataPath = join(directory, DATA_DIRECTORY);
  try {
    await requireDirectories(resolve(dataPath), directory, create);
    if (!(await isThere(dataPath))) {
      if (!create) throw missing(directory);
      await mkdir(dataPath, { recursive: true });
    }
    await requireWritable(dataPath);
  } catch (error) {
    throw await directoryError(directory, error);
  }
}

/** What is there of the path must be directories, on a file system that takes files: mkdir itself never returns from proc. */
async function requireDirectories(path: string, directory: string, create: boolean): Promise<void> {
  for (let above = path; ; above = dirname(above)) {
    const status = await stat(above).catch((error: NodeJS.ErrnoException) => {
      // Below a file nothing can be: the file itself is found further up.
      if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return null;
      throw error;
    });
    if (status === null) continue;
    if (!status.isDirectory()) {
      const message = `${directory}: cannot hold a store: ${above} is no directory; name a directory with --store`;
      throw new StoreError('store_not_a_directory', message);
    }
    const pseudo = await pseudoFileSystemOf(above);
    // mkdir itself says ENOENT where the file system is read-only.
    if (pseudo === null) return access(above, above === path || !create ? constants.X_OK : constants.W_OK);
    const message = `${directory}: cannot hold a store: ${above} is on ${pseudo}, where the kernel shows its state; name a directory on a disk with --store`;
    throw new StoreError('store_not_a_directory', message);
  }
}

/** Reading needs it, too: ClickHouse locks the directory, and writes its state there. */
async function requireWritable(dataPath: string): Promise<void> {
  await access(dataPath, constants.R_OK | constants.X_OK);
  const probe = join(dataPath, `probe-${randomUUID()}`);
  const file = await open(probe, 'wx');
  try {
    await file.write('0');
  } finally {
    await file.close();
    await rm(probe, { force: true });
  }
}

function missing(directory: string): StoreError {
  return new StoreError(
    'store_missing',
    `${directory}: no store is there; \`zerorate run --store ${directory}\` makes one`,
  );
}

/** The StoreError of what the operating system says about a store's directory. */
export async function directoryError(directory: string, cause: unknown): Promise<unknown> {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  if (code === 'ENOSPC' || code === 'EDQUOT') return noRoom(directory, cause);
  const reasons: Readonly<Record<string, string>> = {
    EROFS:
      'is on a file system that is mounted read-only, and ClickHouse writes even to read; mount it for writing, or work on a copy',
    EACCES: 'may not be read and written by this user; change its owner or permissions',
    EPERM: 'may not be read and written by this user; change its owner or permissions',
    ELOOP: 'is a link that leads back to itself; name a directory with --store',
    ENOTDIR: 'is no directory; name a directory with --store',
    EEXIST: 'is no directory; name a directory with --store',
    ENAMETOOLONG: 'is too long a name; name another directory with --store',
  };
  const reason = reasons[code];
  if (reason === undefined) return cause;
  const isNone = ['ELOOP', 'ENOTDIR', 'EEXIST', 'ENAMETOOLONG'].includes(code);
  return new StoreError(isNone ? 'store_not_a_directory' : 'store_not_writable', `${directory}: ${reason}`, { cause });
}

/** Says how much room the store's disk has left; the insert may go through once there is more. */
export async function noRoom(directory: string, cause: unknown): Promise<StoreError> {
  const room = await statfs(directory).then(
    ({ bavail, bsize }) => `${Math.floor((bavail * bsize) / MIB)} MiB are left`,
    () => 'no room is left',
  );
  const why = cause instanceof Error ? ` (${cause.message.trim()})` : '';
  const message = `${directory}: the disk of the store is full: ${room}; make room on it${why}`;
  return new StoreError('store_full', message, { cause, canRetry: true });
}

/** Whether another process may have the store, or had it when it was killed: ClickHouse removes this file when it closes a store. */
export async function mayBeHeld(directory: string): Promise<boolean> {
  const text = await readFile(join(directory, DATA_DIRECTORY, LOCK_FILE), 'utf8').catch(() => '');
  return text !== '' && holderOf(text) !== process.pid;
}

/** The StoreError of what ClickHouse prints when it cannot open a store. */
export async function unopenedError(directory: string, cause: unknown): Promise<StoreError> {
  const text = cause instanceof Error ? cause.message : String(cause);
  if (/Cannot lock file .* already running/.test(text)) {
    const lock = await readFile(join(directory, DATA_DIRECTORY, LOCK_FILE), 'utf8').catch(() => '');
    const holder = holderOf(lock) === null ? '' : ` (process ${holderOf(lock)})`;
    const message = `${directory}: the store is in use by another process${holder}; stop it, or name another directory with --store`;
    return new StoreError('store_in_use', message, { cause, canRetry: true });
  }
  const errno = Number(/errno: (\d+)/.exec(text)?.[1]);
  if (errno === osConstants.errno.ENOSPC || errno === osConstants.errno.EDQUOT) return noRoom(directory, cause);
  const known = OPENING_FAULTS.find(({ pattern }) => pattern.test(text));
  if (known !== undefined) {
    const { code, reason, canRetry } = known;
    return new StoreError(code, `${directory}: ${reason} (${shortened(text)})`, { cause, canRetry });
  }
  const message =
    `${directory}: ClickHouse cannot open what is in ${join(directory, DATA_DIRECTORY)}, and no other process has it ` +
    `(${shortened(text)}); put a backup of the store in its place, or name another directory with --store`;
  return new StoreError('store_damaged', message, { cause });
}

/** Causes that are neither another process nor damage, by what ClickHouse or the kernel says. */
const OPENING_FAULTS: readonly { pattern: RegExp; code: StoreErrorCode; reason: string; canRetry: boolean }[] = [
  {
    pattern: /errno: (13|1|30)\b|Permission denied|Read-only file system|Operation not permitted/,
    code: 'store_not_writable',
    reason: 'a file of the store may not be read and written by this user; change its owner or permissions',
    canRetry: false,
  },
  {
    pattern: /errno: (23|24)\b|Too many open files/,
    code: 'store_refused',
    reason: 'ClickHouse may not open as many files as the store has; raise the limit (ulimit -n)',
    canRetry: true,
  },
  {
    pattern:
      /errno: (11|12)\b|MEMORY_LIMIT_EXCEEDED|CANNOT_ALLOCATE_MEMORY|bad_alloc|Cannot allocate memory|Resource temporarily/,
    code: 'store_refused',
    reason:
      'ClickHouse gets neither memory nor threads enough to open the store; raise the limits of the machine or container',
    canRetry: true,
  },
  {
    pattern: /one active data directory|another data directory/i,
    code: 'store_refused',
    reason: 'this process has another store open; close it first',
    canRetry: false,
  },
  {
    pattern: /timed? ?out|SIGTERM|SIGKILL/i,
    code: 'store_refused',
    reason: 'ClickHouse was ended while it opened the store; look at the memory of the machine, and try again',
    canRetry: true,
  },
];

const LONGEST_REASON = 300;

function shortened(text: string): string {
  const line = text.trim().split('\n')[0];
  return line.length > LONGEST_REASON ? `${line.slice(0, LONGEST_REASON)}...` : line;
}

/** The process that ClickHouse's lock names; null where it names none. */
function holderOf(lock: string): number | null {
  const holder = Number(/PID: (\d+)/.exec(lock)?.[1]);
  return Number.isInteger(holder) ? holder : null;
}

function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return false;
      throw error;
    },
  );
}
