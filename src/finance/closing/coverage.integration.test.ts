import { afterAll, beforeAll, expect, test } from 'vitest';
import { OPEN_STORE, type OpenedStore } from '../../engine/engine.fixture.ts';
import { Booker, bookCorrection, bookEntry } from '../statements/finance.fixture.ts';
import {
  coveredBookings,
  coveredEarlier,
  coveredEntries,
  coveredJournal,
  readCoverage,
  readCursors,
} from './coverage.ts';

let opened: OpenedStore;
let first: Booker;
let second: Booker;

beforeAll(async () => {
  opened = await OPEN_STORE.embedded();
  first = new Booker(opened.store, 'flows/a');
  second = new Booker(opened.store, 'flows/b', 3);
});
afterAll(() => opened?.close());

/** Returns rows as `log offset`, corrections with their number and kind; entries as their numbers. */
async function covered(month: string, coverage = readCoverage(opened.store, 'chatter', month)) {
  const of = await coverage;
  const rows = await opened.store.query<{ row: string }>(
    `SELECT concat(right(topic, 1), toString(offset), if(origin = 'charge', '', concat(' ', origin, ' ', toString(correction_number)))) AS row ` +
      `FROM bookings WHERE ${coveredBookings(of)} ORDER BY row`,
  );
  const entries = await opened.store.query<{ number: number }>(
    `SELECT number FROM account_entries WHERE ${coveredEntries(of)} ORDER BY number`,
  );
  return [...rows.map(({ row }) => row), ...entries.map(({ number }) => `entry ${number}`)];
}

function close(closing: { number: number; month: string; cursors: string; lastCorrection: number; lastEntry: number }) {
  const { number, month, cursors, lastCorrection, lastEntry } = closing;
  return opened.store.command(
    'INSERT INTO closings (number, sponsor_id, month, currency, cursors, last_correction, last_entry) ' +
      `SELECT ${number}, 'chatter', '${month}-01', 'USD', ${cursors}, ${lastCorrection}, ${lastEntry}`,
  );
}

const octets = 1000;
const use = (at: string) => ({ at, octets });

test('while nothing is closed, a month has its own rows and entries', async () => {
  await first.book(['2026-10-01', '2026-10-31', '2026-11-05'].map(use), '2026-11-06');
  await bookEntry(opened.store, { number: 1, amountMicros: 1, effectiveAt: '2026-10-31T23:59:59.999Z' });
  await bookEntry(opened.store, { number: 2, amountMicros: 1, effectiveAt: '2026-11-01T00:00:00Z' });
  await bookEntry(opened.store, {
    number: 3,
    amountMicros: 1,
    effectiveAt: '2026-11-01T00:00:00Z',
    sponsorId: 'other',
  });
  expect(await covered('2026-10')).toEqual(['a0', 'a1', 'entry 1']);
  expect(await covered('2026-11')).toEqual(['a2', 'entry 2']);
  expect(await covered('2026-12')).toEqual([]);
});

test('rows booked after a closing are covered by the month after it, in logs old and new', async () => {
  await close({ number: 1, month: '2026-10', cursors: `[('flows/a', 0, 2)]`, lastCorrection: 0, lastEntry: 1 });
  await first.book(['2026-10-15', '2026-11-20'].map(use), '2026-11-21');
  await second.book([use('2026-10-02')], '2026-11-21');
  await bookEntry(opened.store, { number: 4, amountMicros: 1, effectiveAt: '2026-10-05T00:00:00Z' });
  await bookCorrection(opened.store, { number: 1, month: '2026-11', factor: 50, bookedOn: '2026-11-22' });
  expect(await covered('2026-10')).toEqual(['a0', 'a1', 'entry 1']);
  const corrected = ['a2', 'a2 recharge 1', 'a2 reversal 1', 'a3', 'a4', 'a4 recharge 1', 'a4 reversal 1', 'b0'];
  expect(await covered('2026-11')).toEqual([...corrected, 'entry 2', 'entry 4']);
});

test('a month whose month before is open has its own rows alone, and begins with what was not covered yet', async () => {
  expect(await covered('2026-12')).toEqual([]);
  const { bookings, entries } = coveredEarlier(await readCoverage(opened.store, 'chatter', '2026-12'));
  const [counts] = await opened.store.query(
    `SELECT (SELECT count() FROM bookings WHERE ${bookings}) AS bookings, (SELECT count() FROM account_entries WHERE ${entries}) AS entries`,
  );
  expect(counts).toEqual({ bookings: 8, entries: 2 });
});

test('each row is covered once, in every order of closings', async () => {
  // Log b was not read when November was closed, and the correction after it.
  await close({ number: 2, month: '2026-11', cursors: `[('flows/a', 0, 3)]`, lastCorrection: 0, lastEntry: 2 });
  await first.book([use('2026-12-01')], '2026-12-02');
  expect(await covered('2026-10')).toEqual(['a0', 'a1', 'entry 1']);
  expect(await covered('2026-11')).toEqual(['a2', 'a3', 'entry 2']);
  const corrected = ['a2 recharge 1', 'a2 reversal 1', 'a4', 'a4 recharge 1', 'a4 reversal 1', 'a5', 'b0'];
  expect(await covered('2026-12')).toEqual([...corrected, 'entry 4']);
});

test('a coverage does not change after it was read, and its cursors give its end', async () => {
  const coverage = await readCoverage(opened.store, 'chatter', '2026-12');
  const before = await covered('2026-12', Promise.resolve(coverage));
  await first.book([use('2026-12-03')], '2026-12-04');
  await second.book(['2026-11-30', '2026-12-03'].map(use), '2026-12-04');
  await bookEntry(opened.store, { number: 5, amountMicros: 1, effectiveAt: '2026-12-05T00:00:00Z' });
  await bookCorrection(opened.store, { number: 2, month: '2026-12', factor: 50, bookedOn: '2026-12-05' });
  expect(await covered('2026-12', Promise.resolve(coverage))).toEqual(before);
  expect(await readCursors(opened.store, coverage)).toEqual([
    { topic: 'flows/a', partition: 0, offset: 5 },
    { topic: 'flows/b', partition: 3, offset: 0 },
  ]);
  expect((await covered('2026-12')).length).toBeGreaterThan(before.length);
});

test('journal rows of no sponsor are covered by the requested month', async () => {
  const count = async (month: string) => {
    const condition = coveredJournal(
      await readCoverage(opened.store, 'chatter', month),
      'toStartOfMonth(booking_date)',
    );
    const rows = await opened.store.query(
      `SELECT offset FROM journal WHERE kind = 'batch' AND ${condition} ORDER BY ALL`,
    );
    return rows.map(({ offset }) => offset);
  };
  // Batches end at a2, a4, a5, a6, and at b0, b2: the first two of log a and b0 were booked in November.
  expect(await count('2026-10')).toEqual([]);
  expect(await count('2026-11')).toEqual([2]);
  expect(await count('2026-12')).toEqual([0, 2, 4, 5, 6]);
});

test('a month before the first one closed is refused', async () => {
  await expect(readCoverage(opened.store, 'chatter', '2026-09')).rejects.toThrow(/2026-09: .* closed is 2026-10/);
});
