import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { memorySource, OPEN_STORE, type OpenedStore, rawRecords, runEngine } from '../../engine/engine.fixture.ts';
import { ClickHouseEvidence } from '../../journal/evidence/clickhouse-evidence.ts';
import { LogRecord } from '../../platform/kafka/log-record.ts';
import { testRecord, testRules } from '../../rating/traffic.fixture.ts';
import { auditJournal } from './audit.ts';
import type { AuditFault } from './invariants.ts';

const BOOKED_AT_MS = Date.UTC(2026, 10, 30, 12);
let opened: OpenedStore;

/** Batches of charged, duplicate, rejected and unsponsored records, under two versions of a plan. */
beforeEach(async () => {
  opened = await OPEN_STORE.embedded();
  const records = Array.from({ length: 90 }, (_, at) => {
    const startTime = Date.UTC(2026, 10, at % 3 === 0 ? 19 : 21, at % 24);
    return testRecord({
      localSequenceNumber: at - (at % 7 === 6 ? 1 : 0),
      servedMsisdn: `99900000000${at % 5}`,
      startTime,
      endTime: startTime + 1000,
      remoteIp: at % 4 === 0 ? '8.8.8.8' : at % 5 === 0 ? '203.0.113.4' : '198.51.100.7',
      uplinkOctets: at % 11 === 0 ? -1 : 1000 + at,
    });
  });
  const raw = rawRecords(records, BOOKED_AT_MS);
  const value = Buffer.from('no record, ü \ud800');
  raw[40] = LogRecord.of({ offset: 40, timestampMs: raw[40].timestampMs, key: raw[40].key, value });
  const { catalogue } = testRules();
  for (const [topic, end] of [
    ['a', 90],
    ['b', 30],
    ['b', 61],
  ] as const) {
    const log = { topic, partition: 0, lane: `${topic}-0` };
    await runEngine({ store: opened.store, source: memorySource(log, raw.slice(0, end)), catalogue, maxRecords: 25 });
  }
});
afterEach(() => opened?.close());

async function audit(): Promise<AuditFault[]> {
  const faults: AuditFault[] = [];
  for await (const fault of auditJournal(new ClickHouseEvidence(opened.store))) faults.push(fault);
  return faults;
}
const invariants = (faults: AuditFault[]) => [...new Set(faults.map(({ invariant }) => invariant))].sort();

test('a journal of the engine has no faults, rejections included', async () => {
  const [{ batches, rejections, versions }] = await opened.store.query<Record<string, number>>(
    "SELECT countIf(kind = 'batch') AS batches, countIf(kind = 'rejection') AS rejections, uniqExactIf(plan_version, plan_id = 'any-day') AS versions FROM journal",
  );
  expect({ batches, versions, hasRejections: rejections > 5 }).toEqual({
    batches: 8,
    versions: 2,
    hasRejections: true,
  });
  expect(await audit()).toEqual([]);
});

test('walking the batches again, alternating between lanes, needs one query for each lane, not for each batch', async () => {
  const streamed = vi.spyOn(opened.store, 'stream');
  const evidence = new ClickHouseEvidence(opened.store);
  const batches = await evidence.batches();
  for await (const fault of auditJournal(evidence)) expect(fault).toBeUndefined();
  streamed.mockClear();
  const byTurns = batches.toSorted((a, b) => a.numbers.lane_sequence - b.numbers.lane_sequence);
  for (const batch of byTurns) expect((await evidence.stored(batch)).rows.length).toBeGreaterThan(0);
  expect(batches).toHaveLength(8);
  // At the most rows and lists of two lanes; so few batches are all still in memory.
  expect(streamed.mock.calls.length).toBeLessThanOrEqual(4);
});

test.each<[string, string, string[]]>([
  [
    'one micro-unit more',
    "UPDATE charge_micros = charge_micros + 1 WHERE kind = 'charge' AND topic = 'a' AND offset = 26",
    ['digest'],
  ],
  [
    'one octet moved',
    "UPDATE sponsored_octets = sponsored_octets - 1 WHERE kind = 'charge' AND topic = 'a' AND offset = 26",
    ['digest'],
  ],
  ['another sponsor', "UPDATE sponsor_id = 'bolt' WHERE kind = 'charge' AND topic = 'a' AND offset = 26", ['digest']],
  [
    'another subscriber',
    "UPDATE subscriber = unhex('00') WHERE kind = 'charge' AND topic = 'a' AND offset = 26",
    ['digest'],
  ],
  ['a changed payload', "UPDATE payload = '' WHERE kind = 'rejection' AND topic = 'a' AND payload != ''", ['digest']],
  [
    'another catalogue',
    "UPDATE catalogue_hash = 'x' WHERE kind = 'batch' AND topic = 'a' AND lane_sequence = 2",
    ['digest'],
  ],
  [
    'another closing',
    "UPDATE closing_number = closing_number + 1 WHERE kind = 'batch' AND topic = 'a' AND lane_sequence = 2",
    ['digest'],
  ],
  [
    'leakage of another network',
    "UPDATE leakage = arrayMap(row -> (row.1, row.2, '9.9.9.0/24', row.4, row.5, row.6, row.7, row.8), leakage) WHERE kind = 'batch' AND topic = 'a' AND lane_sequence = 2",
    ['digest'],
  ],
  [
    'removed leakage',
    "UPDATE leakage = [], leakage_rows = 0 WHERE kind = 'batch' AND topic = 'a' AND lane_sequence = 2",
    ['digest'],
  ],
  [
    'quota updates that were published before their batch was booked',
    "UPDATE published_through = 2 WHERE kind = 'batch' AND topic = 'a' AND lane_sequence = 2",
    ['chain'],
  ],
  [
    'a removed identity',
    "UPDATE seen = arrayPopBack(seen) WHERE kind = 'batch' AND topic = 'a' AND lane_sequence = 2",
    ['digest'],
  ],
  [
    'an outcome counted under another reason',
    "UPDATE outcomes = arrayMap(o -> (o.1, 'no_plan', o.3, o.4), outcomes) WHERE kind = 'batch' AND topic = 'a' AND lane_sequence = 2",
    ['digest'],
  ],
  ['a charge removed', "DELETE WHERE kind = 'charge' AND topic = 'a' AND offset = 26", ['counts', 'digest']],
  ['a batch removed', "DELETE WHERE kind = 'batch' AND topic = 'a' AND lane_sequence = 2", ['chain', 'strays']],
  ['a batch with its rows removed', "DELETE WHERE topic = 'b' AND offset BETWEEN 25 AND 29", ['chain']],
  [
    'an altered count',
    "UPDATE records_duplicate = records_duplicate + 1 WHERE kind = 'batch' AND topic = 'b' AND lane_sequence = 1",
    ['counts', 'digest'],
  ],
])('%s is found', async (_, change, expected) => {
  await opened.store.command(`ALTER TABLE journal ${change} SETTINGS mutations_sync = 2`);
  expect(invariants(await audit())).toEqual(expected);
});

test('a batch that is booked twice is found', async () => {
  await opened.store.command(
    "INSERT INTO journal SELECT * FROM journal WHERE lane = 'b-0' AND offset BETWEEN 25 AND 29 SETTINGS insert_deduplicate = 0",
  );
  expect(invariants(await audit())).toEqual(['chain', 'counts', 'digest', 'strays']);
});
