import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { RecordSpool } from './record-spool.ts';

const folder = mkdtempSync(join(tmpdir(), 'zerorate-spool-'));
afterAll(() => rmSync(folder, { recursive: true }));

test.each([
  ['a new directory', false],
  ['a directory that others could read', true],
])('%s is for the owner alone', async (name, exists) => {
  const directory = join(folder, name);
  if (exists) {
    mkdirSync(directory);
    chmodSync(directory, 0o755);
  }
  const spool = RecordSpool.open(directory, 'node-1');
  expect(statSync(directory).mode & 0o777).toBe(0o700);
  await spool.close();
});
