import { afterEach, beforeEach, expect, test } from 'vitest';
import { auditJournal } from '../assurance/audit/audit.ts';
import { ClickHouseEvidence } from '../journal/evidence/clickhouse-evidence.ts';
import { systemClock } from '../platform/clock.ts';
import type { Plan } from '../rating/catalogue.ts';
import { decodeJson } from '../rating/decode/decode-json.ts';
import type { FlowRecord } from '../rating/flow-record.ts';
import type { Source } from '../sources/source.ts';
import { memorySource, OPEN_STORE, type OpenedStore, rawRecords, runEngine } from './engine.fixture.ts';
import { chatCatalogue, chatRecord } from './traffic.fixture.ts';

const BOOKED_AT_MS = Date.UTC(2026, 11, 2);
const LOG = { topic: 'flows', partition: 0, lane: 'flows-0' };
let opened: OpenedStore;

beforeEach(async () => {
  opened = await OPEN_STORE.embedded();
});
afterEach(() => opened?.close());

const closeMonth = (number: number, month: string) =>
  opened.store.command(`INSERT INTO closings (number, sponsor_id, month) VALUES (${number}, 'chatter', '${month}')`);

/** A record of a day of November, or of the day after it. */
function recordOf(localSequenceNumber: number, day: number): FlowRecord {
  const startTime = Date.UTC(2026, 10, day, 12);
  return chatRecord({ localSequenceNumber, startTime, endTime: startTime + 60_000 });
}

function run(records: readonly FlowRecord[], latePolicy: Plan['latePolicy']) {
  const source = memorySource(LOG, rawRecords(records, BOOKED_AT_MS));
  return runEngine({ store: opened.store, source, catalogue: chatCatalogue(latePolicy) });
}

const batches = () =>
  opened.store.query(
    'SELECT closing_number AS closing, records_charged AS charged, records_duplicate AS duplicate, ' +
      'records_rejected AS rejected FROM batches ORDER BY lane_sequence',
  );
const booked = () =>
  opened.store.query(
    'SELECT toString(month) AS month, offset, toUInt32(used_octets_after) AS used FROM bookings ORDER BY offset',
  );

test('refuse: what comes after the closing is rejected with its payload, claims nothing, and is booked once it is corrected', async () => {
  const records = [recordOf(1, 30), recordOf(2, 30)];
  await run(records, 'refuse');
  await closeMonth(1, '2026-11-01');
  // One that was booked, one that is late, the same again, and one of the month that is open.
  records.push(recordOf(2, 30), recordOf(3, 30), recordOf(3, 30), recordOf(4, 31));
  await run(records, 'refuse');
  // After a start: the late one once more, corrected, and corrected once more.
  records.push(recordOf(3, 30), recordOf(3, 31), recordOf(3, 31), recordOf(3, 30));
  await run(records, 'refuse');

  expect(await batches()).toEqual([
    { closing: 0, charged: 2, duplicate: 0, rejected: 0 },
    { closing: 1, charged: 1, duplicate: 1, rejected: 2 },
    { closing: 1, charged: 1, duplicate: 1, rejected: 2 },
  ]);
  expect(await booked()).toEqual([
    { month: '2026-11-01', offset: 0, used: 366 },
    { month: '2026-11-01', offset: 1, used: 733 },
    { month: '2026-12-01', offset: 5, used: 366 },
    { month: '2026-12-01', offset: 7, used: 733 },
  ]);
  const rejections = await opened.store.query(
    "SELECT offset, reason, detail, JSONExtractInt(payload, 'localSequenceNumber') AS sequence FROM rejections ORDER BY offset",
  );
  const detail = 'the period began on 2026-11-30, and what began before 2026-12-01 is closed';
  expect(rejections).toEqual([
    ...[3, 4, 6].map((offset) => ({ offset, reason: 'period_closed', detail, sequence: 3 })),
    { offset: 9, reason: 'conflicting_duplicate', detail: 'gw-1 3 was seen before with other content', sequence: 3 },
  ]);
  const refused = await opened.store.query(
    'SELECT DISTINCT sponsor_id, plan_id, plan_version, toString(period_start) AS day, uplink_octets + downlink_octets AS octets ' +
      "FROM journal WHERE kind = 'rejection' AND reason = 'period_closed'",
  );
  expect(refused).toEqual([
    { sponsor_id: 'chatter', plan_id: 'chat-daily', plan_version: 1, day: '2026-11-30', octets: 1100 },
  ]);
  for await (const fault of auditJournal(new ClickHouseEvidence(opened.store))) expect(fault).toBeUndefined();
});

test('adjust: what comes after the closing is booked in its own month, and the batch names the closing', async () => {
  const records = [recordOf(1, 30)];
  await run(records, 'adjust');
  await closeMonth(1, '2026-11-01');
  records.push(recordOf(2, 30), recordOf(3, 31));
  await run(records, 'adjust');
  expect((await batches()).map(({ closing, charged }) => [closing, charged])).toEqual([
    [0, 1],
    [1, 2],
  ]);
  expect(await booked()).toEqual([
    { month: '2026-11-01', offset: 0, used: 366 },
    { month: '2026-11-01', offset: 1, used: 733 },
    { month: '2026-12-01', offset: 2, used: 366 },
  ]);
});

test('an engine that runs looks for closings again after a second, and a month that follows closes too', async () => {
  let passedMs = 0;
  const clock = { ...systemClock, monotonicMs: () => performance.now() + passedMs };
  const records = rawRecords([recordOf(1, 30), recordOf(2, 30), recordOf(3, 31), recordOf(4, 31)], BOOKED_AT_MS);
  const source: Source = {
    ...memorySource(LOG, []),
    async run(listener) {
      await listener.assign(LOG, async () => null);
      for (const [at, record] of records.entries()) {
        if (at % 2 === 1) await closeMonth((at + 1) / 2, at === 1 ? '2026-11-01' : '2026-12-01');
        passedMs += 1001;
        await listener.deliver(LOG, [record], decodeJson);
        await listener.flush(LOG);
      }
      await listener.revoke(LOG);
    },
  };
  await runEngine({ store: opened.store, source, catalogue: chatCatalogue('refuse'), clock });
  expect((await batches()).map(({ closing, charged }) => [closing, charged])).toEqual([
    [0, 1],
    [1, 0],
    [1, 1],
    [2, 0],
  ]);
});
