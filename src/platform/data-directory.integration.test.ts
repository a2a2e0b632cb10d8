import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { builtModule } from '../../test/servers/built.ts';
import { lockDataDirectory } from './data-directory.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'zerorate-lock-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const of = (path: string) => ({ path, owner: 'dispatch server', field: 'dataDir' });
const program = async (path: string, then: string) => [
  '--input-type=module',
  '-e',
  `import { lockDataDirectory } from ${JSON.stringify(await builtModule('platform/data-directory.js'))};
   try { await lockDataDirectory(${JSON.stringify(of(path))}); process.stdout.write('locked\\n'); ${then} }
   catch (error) { process.stdout.write(error.code + '\\n'); }`,
];

test('one process at a time has a directory; the second is refused with what to do', async () => {
  const path = join(folder, 'data');
  const unlock = await lockDataDirectory(of(path));
  expect(statSync(path).mode & 0o777).toBe(0o700);
  const second = lockDataDirectory(of(path));
  await expect(second).rejects.toMatchObject({ code: 'data_directory_in_use', canRetry: true });
  await expect(lockDataDirectory(of(path))).rejects.toThrow(
    `${path}: another process (${process.pid}) is using it; stop that one, or give this dispatch server a dataDir of its own`,
  );
  unlock();
  await expect.poll(() => readdirSync(path)).toEqual([]);
  (await lockDataDirectory(of(path)))();
});

test('a process that was killed leaves no lock, and one that is stopped keeps its own', async () => {
  const path = join(folder, 'data');
  const child = spawn(process.execPath, await program(path, 'setInterval(() => {}, 1000)'));
  expect(String((await once(child.stdout, 'data'))[0])).toBe('locked\n');
  child.kill('SIGSTOP');
  await expect(lockDataDirectory(of(path))).rejects.toMatchObject({ code: 'data_directory_in_use' });
  child.kill('SIGKILL');
  await once(child, 'exit');
  expect(readdirSync(path)).toHaveLength(1);
  const unlock = await lockDataDirectory(of(path));
  expect(readdirSync(path)).toHaveLength(1);
  unlock();
}, 30_000);

test('of processes that start at once over a killed one exactly one gets the directory', async () => {
  const path = join(folder, 'data');
  mkdirSync(path);
  const killed = spawn(process.execPath, await program(path, 'process.kill(process.pid, "SIGKILL")'));
  await once(killed, 'exit');
  const args = await program(path, 'await new Promise((resolve) => setTimeout(resolve, 4000)); process.exit()');
  const said = await Promise.all(Array.from({ length: 6 }, () => promisify(execFile)(process.execPath, args)));
  const lines = said.map(({ stdout }) => stdout.trim()).sort();
  expect(lines).toEqual([...Array(5).fill('data_directory_in_use'), 'locked']);
}, 60_000);

test('a path that is too long for the name of a socket is locked all the same', async () => {
  const path = join(folder, 'a'.repeat(100), 'b'.repeat(100));
  const unlock = await lockDataDirectory(of(path));
  await expect(lockDataDirectory(of(path))).rejects.toMatchObject({ code: 'data_directory_in_use' });
  unlock();
  await expect.poll(() => readdirSync(path)).toEqual([]);
});

test.each<[string, (path: string) => void, RegExp]>([
  ['a file', (path) => writeFileSync(path, ''), /dataDir: .* is no directory; name another one/],
  [
    'a directory that may not be written',
    (path) => mkdirSync(path, { mode: 0o500 }),
    /dataDir: .*may not read and write/,
  ],
])('%s is refused with place and remedy', async (_, make, message) => {
  const path = join(folder, 'data');
  make(path);
  const isRoot = process.getuid?.() === 0 && statSync(path).isDirectory();
  const attempt = lockDataDirectory(of(path));
  // Root may write everywhere.
  if (isRoot) return (await attempt)();
  await expect(attempt).rejects.toMatchObject({
    code: 'data_directory_unusable',
    message: expect.stringMatching(message),
  });
  if (existsSync(path)) chmodSync(path, 0o700);
});

test('a directory of the kernel’s own is refused at once', async () => {
  await expect(lockDataDirectory(of('/proc/zerorate'))).rejects.toThrow('/proc is on proc; name a directory on a disk');
});
