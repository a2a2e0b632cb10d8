import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm, stat, symlink, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openEmbeddedStore } from './embedded-store.ts';
import { nativeBlock, stringColumn, structureOf } from './native-block.ts';
import type { Store } from './store.ts';

let directory: string;
let store: Store;
const columns = [stringColumn('line', ['first', 'second', 'third'])];
const structure = structureOf(columns);
const block = nativeBlock(3, columns);
const octets = Buffer.concat(block);
const insert = (source: string) => `INSERT INTO lines SELECT line FROM ${source}`;
const lines = async () => (await store.query<{ line: string }>('SELECT line FROM lines')).map(({ line }) => line);

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'zerorate-staging-'));
  store = await openEmbeddedStore(directory, { create: true });
  await store.command('CREATE TABLE lines (line String) ENGINE = MergeTree ORDER BY line');
});
afterAll(async () => {
  await store?.close();
  await rm(directory, { recursive: true, force: true });
});

test('a block goes by a staging file, which is gone afterwards', async () => {
  await store.insertBlock(insert, structure, block);
  expect(await lines()).toEqual(['first', 'second', 'third']);
  expect(await readdir(join(directory, 'staging'))).toEqual([]);
});

test.each([0.9, 0.5, 0.1])('of a staging file that was cut to %d of its length nothing lands', async (part) => {
  await store.command('TRUNCATE TABLE lines');
  const cut = store.insertBlock((source) => `${insert(source)} WHERE sleep(0.2) = 0`, structure, [
    octets.subarray(0, Math.floor(octets.length * part)),
  ]);
  await expect(cut).rejects.toMatchObject({ code: 'store_refused' });
  expect(await lines()).toEqual([]);
});

test('of one that is cut while the statement runs nothing lands either', async () => {
  await store.command('TRUNCATE TABLE lines');
  let path = '';
  const written = store.insertBlock(
    (source) => {
      path = /'([^']+)'/.exec(source)?.[1] ?? '';
      return `${insert(source)} WHERE sleep(1) = 0`;
    },
    structure,
    block,
  );
  while (path === '') await new Promise((resolve) => setImmediate(resolve));
  const { size } = await stat(path);
  await truncate(path, Math.floor(size / 2));
  const ended = await written.then(
    () => 'landed',
    () => 'refused',
  );
  // The statement may have had all of it in memory already: whole or nothing, never a part.
  expect(await lines()).toHaveLength(ended === 'landed' ? 3 : 0);
});

test.runIf(existsSync('/dev/full'))('a disk that is full says so, and the next block finds its way', async () => {
  await store.command('TRUNCATE TABLE lines');
  const next = join(directory, 'staging', '5.native');
  await symlink('/dev/full', next);
  await expect(store.insertBlock(insert, structure, block)).rejects.toMatchObject({
    code: 'store_full',
    canRetry: true,
  });
  expect(await lines()).toEqual([]);
  await store.insertBlock(insert, structure, block);
  expect(await lines()).toHaveLength(3);
});
