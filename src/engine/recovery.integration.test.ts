import { afterAll, beforeAll, expect, test } from 'vitest';
import { LogRecord } from '../platform/kafka/log-record.ts';
import type { FlowRecord } from '../rating/flow-record.ts';
import {
  memoryPublisher,
  memorySource,
  OPEN_STORE,
  type OpenedStore,
  rawRecords,
  runEngine,
} from './engine.fixture.ts';
import { chatCatalogue, chatRecord } from './traffic.fixture.ts';

const BOOKED_AT_MS = Date.UTC(2026, 10, 30, 12);
const QUOTA_OCTETS = 30_000;
let opened: OpenedStore;
let topics = 0;

beforeAll(async () => {
  opened = await OPEN_STORE.embedded();
});
afterAll(() => opened?.close());

function newLog(lane?: string) {
  const topic = `recovery-${++topics}`;
  return { topic, partition: 0, lane: lane ?? `${topic}-0` };
}

function run(log: ReturnType<typeof newLog>, records: FlowRecord[], publisher = memoryPublisher()) {
  const source = memorySource(log, rawRecords(records, BOOKED_AT_MS));
  return runEngine({ store: opened.store, source, catalogue: chatCatalogue(), publisher });
}

const sponsored = async (topics: string[]) => {
  const [row] = await opened.store.query<Record<string, number>>(
    'SELECT sum(sponsored_octets) AS octets, max(used_octets_after) AS used, count() AS records FROM charges ' +
      `WHERE topic IN ('${topics.join("', '")}')`,
  );
  return row;
};

test('files of a store share the counters: a quota holds over all of them, and so does the window of duplicates', async () => {
  const [first, second] = [newLog('files'), newLog('files')];
  const heavy = (localSequenceNumber: number) => chatRecord({ localSequenceNumber, downlinkOctets: 59_900 });
  await run(first, [heavy(1)]);
  await run(second, [heavy(1), heavy(2), heavy(3)]);
  expect(await sponsored([first.topic, second.topic])).toEqual({
    octets: QUOTA_OCTETS,
    used: QUOTA_OCTETS,
    records: 3,
  });
});

test('late records continue with the counter of their own period, which a start does not read', async () => {
  const log = newLog();
  const late = (localSequenceNumber: number) => {
    const startTime = Date.UTC(2021, 0, 1, 12);
    return chatRecord({ localSequenceNumber, startTime, endTime: startTime, downlinkOctets: 59_900 });
  };
  await run(log, [late(1)]);
  const publisher = memoryPublisher();
  await run(log, [late(1), late(2), chatRecord({ localSequenceNumber: 3 }), late(4)], publisher);
  const periods = await opened.store.query(
    `SELECT toString(period_start) AS day, sum(sponsored_octets) AS octets, toString(any(booking_date)) AS booked FROM charges ` +
      `WHERE topic = '${log.topic}' GROUP BY day ORDER BY day`,
  );
  expect(periods).toEqual([
    { day: '2021-01-01', octets: QUOTA_OCTETS, booked: '2026-11-30' },
    { day: '2026-11-23', octets: 366, booked: '2026-11-30' },
  ]);
  // What a subscriber has left now is the current period's: the late ones announce nothing.
  const current = publisher.published.filter(({ periodStart }) => periodStart > 20_000);
  expect(current.at(-1)).toMatchObject({ usedOctets: 366, remainingOctets: QUOTA_OCTETS - 366, version: 4 });
  expect(publisher.published.at(-1)).toBe(current.at(-1));
});

test('a suspended sponsor pays for nothing, and the batch names the fact that it was rated with', async () => {
  await opened.store.command(
    "INSERT INTO account_entries (number, sponsor_id, kind) VALUES (1, 'chatter', 'suspension')",
  );
  const log = newLog();
  const totals = await run(log, [chatRecord()]);
  expect(totals.records).toMatchObject({ charged: 0, not_sponsored: 1 });
  await opened.store.command(
    "INSERT INTO account_entries (number, sponsor_id, kind) VALUES (2, 'chatter', 'resumption')",
  );
  await run(log, [chatRecord(), chatRecord({ localSequenceNumber: 2 })]);
  const batches = await opened.store.query(
    'SELECT suspension_number AS fact, records_charged AS charged FROM batches ' +
      `WHERE topic = '${log.topic}' ORDER BY lane_sequence`,
  );
  expect(batches).toEqual([
    { fact: 1, charged: 0 },
    { fact: 2, charged: 1 },
  ]);
});

test('records that are not keyed by their MSISDN are counted', async () => {
  const log = newLog();
  const records = rawRecords([chatRecord(), chatRecord({ localSequenceNumber: 2 })], BOOKED_AT_MS);
  const { offset, timestampMs, value } = records[1];
  records[1] = LogRecord.of({ offset, timestampMs, key: Buffer.from('not an MSISDN'), value });
  const source = memorySource(log, records);
  const totals = await runEngine({ store: opened.store, source, catalogue: chatCatalogue() });
  expect(totals.keyMismatches).toBe(1);
});
