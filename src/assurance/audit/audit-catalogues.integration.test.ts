import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { OPEN_STORE, type OpenedStore } from '../../engine/engine.fixture.ts';
import { Booker, chatCatalogue } from '../../finance/statements/finance.fixture.ts';
import { ClickHouseEvidence } from '../../journal/evidence/clickhouse-evidence.ts';
import { auditCatalogues } from './audit-catalogues.ts';

const { hash, canonicalJson } = chatCatalogue();

let opened: OpenedStore;
const run = (sql: string) => opened.store.command(sql);

beforeAll(async () => {
  opened = await OPEN_STORE.embedded();
  await new Booker(opened.store, 'flows').book([{ at: '2026-10-01T12:00:00Z', octets: 1 }], '2026-10-10T00:00:00Z');
  await run('CREATE TABLE kept AS catalogues ENGINE = MergeTree ORDER BY tuple()');
  await run('INSERT INTO kept SELECT * FROM catalogues');
});
afterAll(() => opened?.close());
afterEach(async () => {
  await run('TRUNCATE TABLE catalogues');
  await run('INSERT INTO catalogues SELECT * FROM kept');
});

async function messages(): Promise<string[]> {
  const found: string[] = [];
  for await (const { invariant, message } of auditCatalogues(opened.store)) found.push(`${invariant}: ${message}`);
  return found;
}

const catalogue = () => new ClickHouseEvidence(opened.store).catalogue(hash);
const CHANGED = expect.stringMatching(
  `^catalogues: catalogue ${hash}: a kept document has the hash [0-9a-f]{12}: it was changed$`,
);
const REFUSED = {
  code: 'store_damaged',
  message: expect.stringContaining(`the document of catalogue ${hash} was changed`),
};

test('a catalogue as it was kept has no fault', async () => {
  expect(await messages()).toEqual([]);
  expect(await catalogue()).toBe(canonicalJson);
});

test('a document that was changed is named by its hash, and not read', async () => {
  await run(
    `ALTER TABLE catalogues UPDATE document = replaceAll(document, '"1.5"', '"1.4"') WHERE 1 SETTINGS mutations_sync = 2`,
  );
  expect(await messages()).toEqual([CHANGED]);
  await expect(catalogue()).rejects.toMatchObject(REFUSED);
});

test('so are two rows of one hash with different documents, in either order', async () => {
  for (const first of ['1970-01-01 00:00:01', '2100-01-01 00:00:00']) {
    await run(`INSERT INTO catalogues SELECT hash, replaceAll(document, '"1.5"', '"1.4"'), '${first}' FROM kept`);
    expect(await messages()).toEqual([CHANGED]);
    await expect(catalogue()).rejects.toMatchObject(REFUSED);
    await run('TRUNCATE TABLE catalogues');
    await run('INSERT INTO catalogues SELECT * FROM kept');
  }
});

test('a missing one is named with what names it', async () => {
  await run('TRUNCATE TABLE catalogues');
  await run(
    `INSERT INTO corrections (kind, number, catalogue_hash) SELECT 'head', number, ['', 'beef'][number] FROM numbers(1, 2)`,
  );
  expect((await messages()).sort()).toEqual(
    [
      `catalogues: catalogue ${hash} is missing, and batch flows-0@1 names it`,
      'catalogues: catalogue beef is missing, and correction 2 names it',
    ].sort(),
  );
  await expect(catalogue()).rejects.toMatchObject({
    code: 'store_damaged',
    message: expect.stringContaining(`the store has lost catalogue ${hash}`),
  });
});
