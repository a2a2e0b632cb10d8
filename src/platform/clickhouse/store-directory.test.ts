import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { mayBeHeld, unopenedError } from './store-directory.ts';

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'zerorate-unopened-'));
  await mkdir(join(directory, 'clickhouse'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const LOCKED =
  'Code: 76. DB::Exception: Cannot lock file /s/status. Another server instance in same directory is already running. (CANNOT_OPEN_FILE)';

/** What ClickHouse prints, and what it means. Only the first is a store in use. */
test.each([
  [LOCKED, 'store_in_use', true, /in use by another process/],
  [
    'Code: 243. DB::ErrnoException: Cannot write: , errno: 28, strerror: No space left on device.',
    'store_full',
    true,
    /disk of the store is full/,
  ],
  [
    'Code: 76. DB::ErrnoException: Cannot open file /s/m.sql: , errno: 13, strerror: Permission denied.',
    'store_not_writable',
    false,
    /owner or permissions/,
  ],
  [
    'Code: 76. DB::ErrnoException: Cannot open file /s/status: , errno: 30, strerror: Read-only file system.',
    'store_not_writable',
    false,
    /owner or permissions/,
  ],
  [
    'Code: 298. DB::ErrnoException: Cannot create pipe: , errno: 24, strerror: Too many open files.',
    'store_refused',
    true,
    /ulimit -n/,
  ],
  ['Code: 241. DB::Exception: (total) memory limit exceeded. (MEMORY_LIMIT_EXCEEDED)', 'store_refused', true, /memory/],
  [
    'Code: 439. DB::Exception: Cannot schedule a task: no free thread (errno: 11, Resource temporarily unavailable)',
    'store_refused',
    true,
    /threads/,
  ],
  ['terminate called after throwing an instance of std::bad_alloc', 'store_refused', true, /memory/],
  [
    'only one active data directory is possible in a process',
    'store_refused',
    false,
    /this process has another store open/,
  ],
  [
    'Code: 62. DB::Exception: Syntax error (in file /s/journal.sql): failed at position 16',
    'store_damaged',
    false,
    /put a backup/,
  ],
  [
    'Code: 76. DB::ErrnoException: Cannot open file /s/status: , errno: 21, strerror: Is a directory.',
    'store_damaged',
    false,
    /put a backup/,
  ],
  ['Segmentation fault', 'store_damaged', false, /put a backup/],
])('%s', async (printed, code, canRetry, text) => {
  const error = await unopenedError(directory, new Error(printed));
  expect(error).toMatchObject({ code, canRetry, message: expect.stringMatching(text) });
  expect(error.message).toContain(directory);
  if (code !== 'store_in_use') expect(error.message).not.toContain('in use');
});

test('a lock that another process left or holds is looked at, that of this process and none are not', async () => {
  const lock = join(directory, 'clickhouse', 'status');
  expect(await mayBeHeld(directory)).toBe(false);
  await writeFile(lock, 'PID: 4194305\nStarted at: 2026-10-01 00:00:00\n');
  expect(await mayBeHeld(directory)).toBe(true);
  expect((await unopenedError(directory, new Error(LOCKED))).message).toContain('(process 4194305)');
  await writeFile(lock, `PID: ${process.pid}\n`);
  expect(await mayBeHeld(directory)).toBe(false);
});
