import { mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { rewriteFile } from './rewrite-file.ts';

let directory: string;
let path: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'zerorate-rewrite-'));
  path = join(directory, 'secret');
  await writeFile(path, 'old', { mode: 0o644 });
});
afterEach(() => rm(directory, { recursive: true }));

test('the new text replaces the old one, for its owner alone', async () => {
  await rewriteFile(path, async (text) => `${text} and new`);
  expect(await readFile(path, 'utf8')).toBe('old and new');
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect(await readdir(directory)).toEqual(['secret']);
});

test('a link to the file stays a link', async () => {
  await symlink('secret', join(directory, 'link'));
  await rewriteFile(join(directory, 'link'), async () => 'new');
  expect(await readFile(path, 'utf8')).toBe('new');
});

test('what is not to be changed, and what fails on the way, leaves the file as it was', async () => {
  await rewriteFile(path, async () => null);
  const failed = rewriteFile(path, async () => {
    throw new Error('no');
  });
  await expect(failed).rejects.toThrow('no');
  expect(await readFile(path, 'utf8')).toBe('old');
  expect(await readdir(directory)).toEqual(['secret']);
});

test('a second writer is kept out, and leaves the first one alone', async () => {
  await rewriteFile(path, async () => {
    await expect(rewriteFile(path, async () => 'second')).rejects.toThrow(
      `${path}: ${path}.unfinished is there: another process is writing it, or was interrupted`,
    );
    return 'first';
  });
  expect(await readFile(path, 'utf8')).toBe('first');
});

test('a file that cannot be written says what to do', async () => {
  const missing = join(directory, 'missing');
  await expect(rewriteFile(missing, async () => 'new')).rejects.toMatchObject({
    code: 'bad_configuration',
    message: expect.stringContaining('work on a copy'),
  });
});
