import { afterAll, beforeAll, expect, test } from 'vitest';
import { OPEN_STORE, type OpenedStore } from '../engine/engine.fixture.ts';
import { hasBookings } from './key-history.ts';

/** By table with pseudonyms, a row of it. */
const ROWS: ReadonlyMap<string, string> = new Map([
  ['campaign_facts', "number = 1, kind = 'opt_in'"],
  ['corrections', "number = 1, kind = 'charge'"],
  ['journal', "kind = 'charge'"],
]);
let opened: OpenedStore;

beforeAll(async () => {
  opened = await OPEN_STORE.embedded();
});
afterAll(() => opened?.close());

test('every table with pseudonyms is known here', async () => {
  const tables = await opened.store.query<{ table: string }>(
    "SELECT DISTINCT table FROM system.columns INNER JOIN system.tables ON tables.name = table AND tables.database = columns.database WHERE columns.database = currentDatabase() AND engine LIKE '%MergeTree' AND columns.name = 'subscriber' AND type = 'FixedString(16)' ORDER BY table",
  );
  expect(tables.map(({ table }) => table)).toEqual([...ROWS.keys()]);
});

test.each([...ROWS])('a pseudonym in %s is a booking', async (table, values) => {
  const pseudonym = Buffer.alloc(16, table);
  expect(await hasBookings(opened.store, pseudonym)).toBe(false);
  const fields = [
    ...values.split(', ').map((field) => field.split(' = ')),
    ['subscriber', `unhex('${pseudonym.toString('hex')}')`],
  ];
  const [names, given] = [0, 1].map((part) => fields.map((field) => field[part]).join(', '));
  await opened.store.command(`INSERT INTO ${table} (${names}) SELECT ${given}`);
  expect(await hasBookings(opened.store, pseudonym)).toBe(true);
});
