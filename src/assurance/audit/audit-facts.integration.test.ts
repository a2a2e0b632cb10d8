import { afterAll, beforeAll, expect, test } from 'vitest';
import { OPEN_STORE, type OpenedStore } from '../../engine/engine.fixture.ts';
import { Booker, bookCorrection, bookEntry } from '../../finance/statements/finance.fixture.ts';
import { auditFacts } from './audit-facts.ts';
import { upgradedAt } from './upgraded-store.fixture.ts';

let opened: OpenedStore;
afterAll(() => opened?.close());

beforeAll(async () => {
  opened = await OPEN_STORE.embedded();
  // The rows of these tests have no digests.
  await upgradedAt(opened.store, '2099-01-01T00:00:00Z');
  const uses = Array.from({ length: 5 }, (_, at) => ({ at: `2026-10-0${at + 1}T12:00:00Z`, octets: 3_000_000 + at }));
  await new Booker(opened.store, 'flows').book(uses, '2026-10-10T00:00:00Z');
  for (const number of [1, 2, 3]) {
    await bookEntry(opened.store, { number, amountMicros: number, effectiveAt: '2026-10-11T00:00:00Z' });
  }
  await bookCorrection(opened.store, { number: 1, month: '2026-10', factor: 90, bookedOn: '2026-11-02' });
});

async function messages(): Promise<string[]> {
  const found: string[] = [];
  for await (const { invariant, message } of auditFacts(opened.store)) found.push(`${invariant}: ${message}`);
  return found;
}

/** Books a faulty row; each test's faults stay for the next ones. */
const book = (sql: string) => opened.store.command(sql);
const RECYCLING = (number: number, offset: number) =>
  `INSERT INTO recyclings (number, topic, partition, offset, who) SELECT ${number}, 'flows', 0, ${offset}, 'Ada'`;

test('finance facts without faults', async () => {
  await book(`${RECYCLING(1, 7)} UNION ALL SELECT 1, 'flows', 0, 8, 'Ada'`);
  expect(await messages()).toEqual([]);
});

test('a number that occurs twice, and one that is missing', async () => {
  await bookEntry(opened.store, { number: 3, amountMicros: 1, effectiveAt: '2026-10-11T00:00:00Z' });
  await bookEntry(opened.store, { number: 5, amountMicros: 1, effectiveAt: '2026-10-11T00:00:00Z' });
  expect(await messages()).toEqual([
    'facts: account_entries: number 3 occurs 2 times',
    'facts: account_entries: number 5 comes after 3',
  ]);
});

test('a rejection in two recyclings', async () => {
  await book(RECYCLING(2, 8));
  expect(await messages()).toContain('facts: recyclings: the rejection flows-0 offset 8 occurs 2 times');
});

test('a correction that reverses another amount than the current one, and one that charges without a reversal', async () => {
  // It repeats the first correction's reversal, but the current amount has changed since.
  await bookCorrection(opened.store, { number: 2, month: '2026-10', factor: 80, bookedOn: '2026-11-03' });
  const wrong = (await messages()).filter((message) => message.startsWith('corrections'));
  expect(wrong).toHaveLength(5);
  expect(wrong[0]).toBe('corrections: correction 2 reverses a charge that is not current: flows-0 offset 0');

  await book(
    "INSERT INTO corrections (kind, number, topic, partition, offset, sponsor_id, charge_micros) SELECT 'charge', 3, 'flows', 0, 4, 'chatter', 5",
  );
  expect(await messages()).toEqual(
    expect.arrayContaining([
      'facts: corrections: rows of number 3 have no head',
      'corrections: correction 3 charges without reversing the current charge: flows-0 offset 4',
    ]),
  );
});

test('a correction that read the source may charge a record first, in a log that it read, and as much as the record has', async () => {
  const head = (number: number, logs: string) =>
    `INSERT INTO corrections (kind, number, correction, read_logs) SELECT 'head', ${number}, 'read ${number}', ${logs}`;
  const first = (number: number, offset: number, octets: number) =>
    'INSERT INTO corrections (kind, number, lane, topic, partition, offset, sponsor_id, sponsored_octets, uplink_octets) ' +
    `SELECT 'charge', ${number}, 'flows-0', 'flows', 0, ${offset}, 'chatter', ${octets}, 100`;
  const log = (last: number, records: number) => `[('flows-0', 'flows', 0, 0, ${last}, ${records}, '', '')]`;
  const about = async (number: number) =>
    (await messages()).filter((message) => message.includes(`correction ${number} `));
  await book(head(4, log(4, 5)));
  await book(first(4, 90, 100));
  await book(first(4, 1, 100));
  expect(await about(4)).toEqual([
    'corrections: correction 4 charges without reversing the current charge: flows-0 offset 1',
    'corrections: correction 4 charges a record that it did not read, or that is another: flows-0 offset 1',
    'corrections: correction 4 charges a record that it did not read, or that is another: flows-0 offset 90',
  ]);
  await book(head(5, log(99, 5)));
  await book(head(6, `arrayConcat(${log(4, 6)}, [('gone-0', 'gone', 0, 0, 4, 5, '', '')])`));
  await book(first(6, 3, 99));
  const read = 'says that it read what the journal has otherwise';
  expect(await about(5)).toEqual([`corrections: correction 5 ${read}: flows-0, offsets 0 to 99`]);
  expect(await about(6)).toEqual([
    'corrections: correction 6 charges without reversing the current charge: flows-0 offset 3',
    'corrections: correction 6 charges a record that it did not read, or that is another: flows-0 offset 3',
    `corrections: correction 6 ${read}: flows-0, offsets 0 to 4`,
    `corrections: correction 6 ${read}: gone-0, offsets 0 to 4`,
  ]);
});
