import { afterAll, beforeAll, expect, test } from 'vitest';
import { decodeJson } from '../billing/decode-json.ts';
import { PLAIN_LIMITS } from '../billing/record-limits.ts';
import { DOORS, memorySource, type OpenedStore, rawRecords, runEngine } from '../engine/engine.fixture.ts';
import { chatCatalogue, chatRecord } from '../engine/traffic.fixture.ts';
import { ClickHouseJournal } from '../journal/clickhouse-journal.ts';
import { recordSource } from '../sources/record-source.ts';
import { type CorrectedRecord, parseCorrectedRecords } from './corrected-records.ts';
import { claimRecycling, type Recycling } from './recyclings.ts';

const LOG = { topic: 'flow~2', partition: 3, lane: 'flow-3' };
const RECORDS = 30;
let opened: OpenedStore;

/** Every third record has a negative counter. */
const record = (localSequenceNumber: number, uplinkOctets: number) => chatRecord({ localSequenceNumber, uplinkOctets });

beforeAll(async () => {
  opened = await DOORS.embedded();
  const flows = Array.from({ length: RECORDS }, (_, at) => record(at, at % 3 === 0 ? -1 : 1000));
  await runEngine({
    store: opened.store,
    catalogue: chatCatalogue(),
    source: memorySource(LOG, rawRecords(flows, Date.UTC(2026, 10, 23, 13))),
  });
});
afterAll(() => opened?.close());

function mended(offsets: readonly number[], uplinkOctets = 1000): CorrectedRecord[] {
  const lines = offsets.map((offset) =>
    JSON.stringify({ topic: LOG.topic, partition: LOG.partition, offset, record: record(offset, uplinkOctets) }),
  );
  return parseCorrectedRecords(lines.join('\n'), 10_000, PLAIN_LIMITS).records;
}

const claim = (records: readonly CorrectedRecord[], laneOf = (partition: number) => `flow-${partition}`) =>
  claimRecycling(opened.store, { records, who: 'tester', why: 'mended', nowMs: Date.UTC(2026, 10, 25), laneOf });

const book = ({ logs }: Recycling, maxRecords?: number) =>
  runEngine({
    store: opened.store,
    catalogue: chatCatalogue(),
    source: recordSource(logs, decodeJson),
    ...(maxRecords !== undefined && { maxRecords }),
  });

async function recyclingOf(records: readonly CorrectedRecord[]): Promise<Recycling> {
  const { recycling, faults } = await claim(records);
  if (recycling === undefined) throw new Error(JSON.stringify(faults));
  return recycling;
}

const offsetsOf = async (from: string) =>
  (await opened.store.query<{ offset: number }>(`SELECT offset FROM ${from} ORDER BY offset`)).map(({ offset }) =>
    Number(offset),
  );

test('mended records are booked in their lane, at the place of their rejection', async () => {
  const recycling = await recyclingOf(mended([9, 3]));
  expect(recycling).toMatchObject({ number: 1, isNew: true });
  expect(recycling.logs.map(({ log }) => log)).toEqual([{ topic: 'recycled/1/flow~2', partition: 3, lane: 'flow-3' }]);
  expect(await book(recycling)).toMatchObject({ read: 2, records: { charged: 2 } });
  expect(await offsetsOf("charges WHERE topic = 'recycled/1/flow~2' AND partition = 3")).toEqual([3, 9]);
  expect(await offsetsOf('recycled WHERE is_booked')).toEqual([3, 9]);
  expect(await offsetsOf('suspense')).toEqual([0, 6, 12, 15, 18, 21, 24, 27]);
});

test('their lane goes on under the name that its topic had', async () => {
  expect(await new ClickHouseJournal(opened.store).head('flow-3')).toMatchObject({ topic: 'flow~2' });
});

test('the same records once more are the same recycling, and nothing is booked', async () => {
  const recycling = await recyclingOf(mended([3, 9]));
  expect(recycling).toMatchObject({ number: 1, isNew: false });
  expect(await book(recycling)).toMatchObject({ read: 0 });
});

test('a recycling that was cut short goes on', async () => {
  const records = mended([0, 12, 15]);
  const { logs } = await recyclingOf(records);
  const cut = logs.map(({ log, records }) => ({ log, records: records.slice(0, 1) }));
  await book({ number: 2, isNew: true, logs: cut });
  expect(await offsetsOf('recycled WHERE NOT is_booked')).toEqual([12, 15]);
  expect(await offsetsOf('suspense')).toEqual([6, 12, 15, 18, 21, 24, 27]);
  const again = await recyclingOf(records);
  expect(again).toMatchObject({ number: 2, isNew: false });
  expect(await book(again)).toMatchObject({ read: 2, records: { charged: 2 } });
  expect(await offsetsOf('suspense')).toEqual([6, 18, 21, 24, 27]);
});

test.each<[string, () => ReturnType<typeof claim>, RegExp]>([
  ['another content', () => claim(mended([3, 9], 5)), /flow~2-3@3: was recycled already.*recycling 1/],
  ['some of them with others', () => claim(mended([3, 18])), /flow~2-3@3: was recycled already.*recycling 1/],
  ['a record that was charged', () => claim(mended([1])), /flow~2-3@1: no record was rejected there/],
  ['a lane of another engine', () => claim(mended([18]), () => 'files'), /flow~2-3@18: was rejected in lane flow-3/],
])('refused, and nothing is booked: %s', async (_, refused, message) => {
  expect((await refused()).faults?.[0].message).toMatch(message);
  expect(await opened.store.query('SELECT max(number) AS last FROM recyclings')).toEqual([{ last: 2 }]);
});

test('of several who recycle the same rejection at once one does', async () => {
  const claims = await Promise.all([1, 2, 3].map((uplinkOctets) => claim(mended([18], uplinkOctets))));
  expect(claims.filter(({ recycling }) => recycling !== undefined)).toHaveLength(1);
  expect(await opened.store.query('SELECT max(number) AS last, count() AS places FROM recyclings')).toEqual([
    { last: 3, places: 6 },
  ]);
});

test('an identity that was charged before is a duplicate, or a conflict that is rejected in its own right', async () => {
  const repeated = (offset: number, uplinkOctets: number) => {
    const [mendedRecord] = mended([offset]);
    return { ...mendedRecord, value: Buffer.from(JSON.stringify(record(1, uplinkOctets))) };
  };
  const recycling = await recyclingOf([repeated(21, 1000), repeated(24, 2000)]);
  expect(await book(recycling)).toMatchObject({ records: { duplicate: 1, rejected: 1 } });
  const rows = await opened.store.query('SELECT topic, offset, reason FROM suspense WHERE offset IN (21, 24)');
  expect(rows).toEqual([{ topic: 'recycled/4/flow~2', offset: 24, reason: 'conflicting_duplicate' }]);
});
