import fs from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { open } from 'lmdb';
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest';
import { rewriteLmdb } from './rewrite-lmdb.ts';

/** What reaches the disk from now on, until the test ends. */
function recordedCalls(): string[] {
  const calls: string[] = [];
  const { renameSync, fsyncSync } = fs;
  fs.renameSync = (from, to) => {
    calls.push(`rename to ${to}`);
    renameSync(from, to);
  };
  fs.fsyncSync = (descriptor) => {
    calls.push(`sync ${fs.readlinkSync(`/proc/self/fd/${descriptor}`)}`);
    fsyncSync(descriptor);
  };
  syncBuiltinESMExports();
  onTestFinished(() => {
    Object.assign(fs, { renameSync, fsyncSync });
    syncBuiltinESMExports();
  });
  return calls;
}

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'zerorate-rewrite-'));
});
afterEach(() => rm(directory, { recursive: true }));

test('a file without what was removed is on disk under its name: a power cut does not bring the old one back', async () => {
  const before = open({ path: directory, maxDbs: 1, noSubdir: false });
  const names = ['entries'];
  await before.openDB<string, string>({ name: 'entries' }).put('kept', 'one');
  await before.openDB<string, string>({ name: 'entries' }).put('erased', 'two');
  const calls = recordedCalls();
  const after = await rewriteLmdb(before, { directory, names }, (_, key) => key === 'kept');
  await before.close();
  expect(calls).toEqual([`rename to ${join(directory, 'data.mdb')}`, `sync ${directory}`]);
  expect([...after.openDB<string, string>({ name: 'entries' }).getKeys()]).toEqual(['kept']);
  await after.close();
});
