import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { open } from 'lmdb';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { rewriteLmdb } from './rewrite-lmdb.ts';

const calls = vi.hoisted(() => [] as string[]);
vi.mock('node:fs', async (original) => {
  const fs = await original<typeof import('node:fs')>();
  const { readlinkSync } = fs;
  return {
    ...fs,
    renameSync(from: string, to: string) {
      calls.push(`rename to ${to}`);
      fs.renameSync(from, to);
    },
    fsyncSync(descriptor: number) {
      calls.push(`sync ${readlinkSync(`/proc/self/fd/${descriptor}`)}`);
      fs.fsyncSync(descriptor);
    },
  };
});

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
  const after = await rewriteLmdb(before, { directory, names }, (_, key) => key === 'kept');
  await before.close();
  expect(calls).toEqual([`rename to ${join(directory, 'data.mdb')}`, `sync ${directory}`]);
  expect([...after.openDB<string, string>({ name: 'entries' }).getKeys()]).toEqual(['kept']);
  await after.close();
});
