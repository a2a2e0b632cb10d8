import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import {
  memoryPublisher,
  memorySource,
  OPEN_STORE,
  type OpenedStore,
  PSEUDONYM_KEY,
  rawRecords,
  recordAt,
  runEngine,
} from '../../engine/engine.fixture.ts';
import { walkBatches } from '../../engine/read-again/walk-batches.ts';
import { ClickHouseEvidence } from '../../journal/evidence/clickhouse-evidence.ts';
import type { LogRecord } from '../../platform/kafka/log-record.ts';
import type { FlowRecord } from '../../rating/flow-record.ts';
import { PLAIN_RULES } from '../../rating/record/record-limits.ts';
import { testRecord, testRules } from '../../rating/traffic.fixture.ts';
import { replayBatches } from '../replay/replay.ts';
import { auditQuotas } from './audit-quotas.ts';
import { auditSource } from './audit-source.ts';
import type { AuditFault } from './invariants.ts';

const SETTINGS = {
  pseudonymKey: PSEUDONYM_KEY,
  duplicateWindowRecords: 1000,
  rejectionPayloadBytes: 4096,
  recordRules: PLAIN_RULES,
};
const { catalogue } = testRules();
/** Two files of one lane, as the source has them. */
const files: Record<string, LogRecord[]> = {
  'a.ndjson~1': rawRecords(traffic(0, 90), Date.UTC(2026, 10, 30)),
  'b.ndjson~1': rawRecords(traffic(60, 130), Date.UTC(2026, 10, 30)),
};
let opened: OpenedStore;
let evidence: ClickHouseEvidence;
let publisher: ReturnType<typeof memoryPublisher>;

/** Charged, duplicate, conflicting, rejected and unsponsored records of few subscribers, with an offset missing here and there. */
function traffic(from: number, to: number) {
  return Array.from({ length: to - from }, (_, index) => {
    const at = from + index;
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
}
const withHoles = (records: readonly LogRecord[]) =>
  records.map((record, at) => recordAt(record, at + Math.floor(at / 13) * 2));

async function book(topic: string, records: readonly LogRecord[]): Promise<void> {
  const log = { topic, partition: 0, lane: 'files' };
  const source = memorySource(log, records);
  await runEngine({ store: opened.store, source, catalogue, publisher, maxRecords: 20 });
}

/** A lane that reads one file, then the other, then the first again, while a month is closed. */
beforeEach(async () => {
  opened = await OPEN_STORE.embedded();
  evidence = new ClickHouseEvidence(opened.store);
  publisher = memoryPublisher();
  for (const [topic, records] of Object.entries(files)) files[topic] = withHoles(records);
  const [a, b] = Object.keys(files);
  await book(a, files[a].slice(0, 45));
  await book(b, files[b].slice(0, 30));
  await book(a, files[a]);
  await opened.store.command("INSERT INTO closings (number, sponsor_id, month) VALUES (1, 'acme', '2026-11-01')");
  await book(b, files[b]);
});
afterEach(() => opened?.close());

async function walk(from = 1, source = files) {
  const batches = (await evidence.batches()).filter(({ numbers }) => numbers.lane_sequence >= from);
  return walkBatches(batches, async ([{ topic }]) =>
    source[topic] === undefined ? null : memorySource({ topic, partition: 0, lane: 'files' }, source[topic]),
  );
}
async function faultsOf(faults: AsyncIterable<AuditFault>): Promise<AuditFault[]> {
  const found: AuditFault[] = [];
  for await (const fault of faults) found.push(fault);
  return found;
}
async function replayed(from = 1, settings = SETTINGS): Promise<boolean[]> {
  const same: boolean[] = [];
  for await (const { batch, digest } of replayBatches(evidence, await walk(from), settings)) {
    same.push(digest === batch.digest);
  }
  return same;
}

test('the journal equals a second computation from its source, from the start or from any batch', async () => {
  const batches = (await evidence.batches()).length;
  for (const from of [1, 4, batches]) {
    expect(await faultsOf(auditSource(evidence, await walk(from), SETTINGS))).toEqual([]);
    expect(await replayed(from)).toEqual(Array(batches - from + 1).fill(true));
  }
});

test('a batch is checked with the months that were closed when it was rated', async () => {
  const named = await opened.store.query(
    'SELECT closing_number AS closing, count() AS batches FROM batches GROUP BY closing ORDER BY closing',
  );
  expect(named).toEqual([
    { closing: 0, batches: 8 },
    { closing: 1, batches: 2 },
  ]);
  await opened.store.command('TRUNCATE TABLE closings');
  const faults = await faultsOf(auditSource(evidence, await walk(), SETTINGS));
  expect(new Set(faults.map(({ invariant }) => invariant))).toEqual(new Set(['charges']));
  expect(faults.map(({ message }) => message).join()).toMatch(/[1-9]\d* records period_closed any, computed again 0/);
  expect(await replayed()).toContain(false);
});

test.each<[string, (record: FlowRecord) => Partial<FlowRecord>, string]>([
  ['other nodes', ({ nodeId }) => ({ nodeId: `${nodeId}-b` }), 'node_id'],
  [
    'other numbers',
    ({ localSequenceNumber }) => ({ localSequenceNumber: localSequenceNumber + 1000 }),
    'local_sequence_number',
  ],
  [
    'directions exchanged',
    (r) => ({ uplinkOctets: r.downlinkOctets, downlinkOctets: r.uplinkOctets }),
    'uplink_octets',
  ],
  ['later starts', ({ startTime }) => ({ startTime: startTime + 1 }), 'start_time'],
  ['later ends', ({ endTime }) => ({ endTime: endTime + 1 }), 'end_time'],
  ['another content', ({ contentType }) => ({ contentType: contentType === 'text' ? null : 'text' }), 'content_type'],
])('a source with %s is reported', async (_, change, column) => {
  const [a, b] = Object.keys(files);
  const changed = traffic(60, 130).map((record) => ({ ...record, ...change(record) }));
  const source = { [a]: files[a], [b]: withHoles(rawRecords(changed, Date.UTC(2026, 10, 30))) };
  const faults = await faultsOf(auditSource(evidence, await walk(1, source), SETTINGS));
  expect(faults.map(({ message }) => message).join()).toMatch(new RegExp(`record \\d+: .*${column} `));
});

test('records without a charge are compared, too', async () => {
  const [a, b] = Object.keys(files);
  // Not sponsored: the address is no proxy's.
  const changed = traffic(60, 130).map((record) =>
    record.remoteIp === '8.8.8.8' ? { ...record, terminalPort: record.terminalPort + 1 } : record,
  );
  const source = { [a]: files[a], [b]: withHoles(rawRecords(changed, Date.UTC(2026, 10, 30))) };
  const faults = await faultsOf(auditSource(evidence, await walk(1, source), SETTINGS));
  expect(faults.map(({ message }) => message).join()).toMatch(/record \d+: the journal has seen .* with the content/);
});

test('another currency in the catalogue is found', async () => {
  const kept = evidence.catalogue.bind(evidence);
  const reading = vi.spyOn(evidence, 'catalogue');
  reading.mockImplementation(async (hash) =>
    (await kept(hash)).replaceAll(/"currency":"[A-Z]{3}"/g, '"currency":"JPY"'),
  );
  const faults = await faultsOf(auditSource(evidence, await walk(), SETTINGS));
  expect(faults.map(({ message }) => message).join()).toMatch(/currency [A-Z]{3}, computed again JPY/);
  reading.mockRestore();
});

test('a replay with other settings differs', async () => {
  expect(await replayed(1, { ...SETTINGS, duplicateWindowRecords: 5 })).toContain(false);
});

test('a missing file is skipped, and the batches after it are still checked', async () => {
  const [a] = Object.keys(files);
  const walked = await walk(1, { [a]: files[a] });
  const seen: string[] = [];
  for await (const { batch } of walked) seen.push(batch.topic);
  expect(new Set(seen)).toEqual(new Set([a]));
  expect(await faultsOf(auditSource(evidence, await walk(1, { [a]: files[a] }), SETTINGS))).toEqual([]);
});

test.each<[string, string, string]>([
  ['a charge', 'charge_micros = charge_micros + 1', 'charge_micros'],
  ['an octet', 'sponsored_octets = sponsored_octets - 1', 'sponsored_octets'],
  ['a counter', 'used_octets_after = used_octets_after + 1', 'used_octets_after'],
  ['a plan', "plan_id = 'other'", 'plan_id'],
  ['a reason', "reason = 'quota_reached'", 'reason'],
])('%s that differs from the source is found, even with a matching digest', async (_, change, column) => {
  const [{ offset }] = await opened.store.query(
    "SELECT max(offset) AS offset FROM journal WHERE kind = 'charge' AND topic = 'b.ndjson~1' AND reason = 'sponsored'",
  );
  await opened.store.command(
    `ALTER TABLE journal UPDATE ${change} WHERE kind = 'charge' AND topic = 'b.ndjson~1' AND offset = ${offset} SETTINGS mutations_sync = 2`,
  );
  const faults = await faultsOf(auditSource(evidence, await walk(), SETTINGS));
  expect(faults).toEqual([
    expect.objectContaining({ invariant: 'charges', message: expect.stringContaining(`record ${offset}: ${column}`) }),
  ]);
});

test('an outcome without rows is checked by its count', async () => {
  await opened.store.command(
    "ALTER TABLE journal UPDATE outcomes = arrayMap(o -> (o.1, if(o.2 = 'no_evidence', 'no_plan', o.2), o.3, o.4), outcomes) " +
      "WHERE kind = 'batch' AND topic = 'b.ndjson~1' SETTINGS mutations_sync = 2",
  );
  const faults = await faultsOf(auditSource(evidence, await walk(), SETTINGS));
  expect(faults.map(({ message }) => message).join()).toMatch(/0 records no_evidence -, computed again [1-9]/);
});

test.each<[string, Record<number, string>, RegExp]>([
  [
    'another network',
    { 3: "'8.8.4.0/24'" },
    /0 records no_evidence - 8\.8\.8\.0\/24 "" gw-1 on day \d+, computed again [1-9]/,
  ],
  [
    'another tag',
    { 4: "'STALE'" },
    /[1-9]\d* records no_evidence - 8\.8\.8\.0\/24 "STALE" gw-1 on day \d+, computed again 0/,
  ],
  ['another node', { 5: "'gw-2'" }, /gw-2 on day \d+, computed again 0/],
  ['another day', { 6: 'row.6 + 1' }, /octets no_evidence .* on day \d+, computed again 0/],
  ['an octet', { 8: 'row.8 + 1' }, /octets no_evidence - 8\.8\.8\.0\/24/],
])('leakage with %s that differs from the source is found', async (_, changes, message) => {
  const elements = Array.from({ length: 8 }, (_, at) => changes[at + 1] ?? `row.${at + 1}`);
  await opened.store.command(
    `ALTER TABLE journal UPDATE leakage = arrayMap(row -> (${elements.join(', ')}), leakage) ` +
      "WHERE kind = 'batch' AND topic = 'b.ndjson~1' SETTINGS mutations_sync = 2",
  );
  const faults = await faultsOf(auditSource(evidence, await walk(), SETTINGS));
  expect(faults.map((fault) => fault.message).join('\n')).toMatch(message);
});

test('leakage adds up to the outcomes, and contains only networks', async () => {
  const sums = (from: string) =>
    opened.store.query(
      `SELECT booking_date, topic, last_offset, application_id, reason, sum(records) AS all_records, sum(octets) AS all_octets
        FROM ${from} WHERE reason = 'no_evidence' GROUP BY ALL ORDER BY ALL`,
    );
  expect(await sums('leakage')).toEqual(await sums('outcomes'));
  expect(await sums('leakage')).not.toEqual([]);
  expect(await opened.store.query('SELECT DISTINCT remote_prefix, tag, node_id, is_remainder FROM leakage')).toEqual([
    { remote_prefix: '8.8.8.0/24', tag: '', node_id: 'gw-1', is_remainder: 0 },
  ]);
});

test('a record that was never booked is found, although the chain of offsets may have holes', async () => {
  const [a, b] = Object.keys(files);
  const more = [...files[a], recordAt(files[a][20], files[a][25].offset + 1)].sort((x, y) => x.offset - y.offset);
  const faults = await faultsOf(auditSource(evidence, await walk(1, { [a]: more, [b]: files[b] }), SETTINGS));
  expect(faults.map(({ invariant }) => invariant)).toContain('source');
});

test('a consumer of the quota updates has what the journal says is left', async () => {
  const catalogues = [catalogue.canonicalJson];
  const state = new Map(publisher.published.map((update) => [`${update.subscriber}|${update.planId}`, update]));
  expect(state.size).toBeGreaterThan(0);
  expect(await faultsOf(auditQuotas(evidence, state, catalogues))).toEqual([]);
  const [[key, update]] = state;
  const forged = { ...update, usedOctets: update.usedOctets - 1 };
  expect(await faultsOf(auditQuotas(evidence, new Map([...state, [key, forged]]), catalogues))).toHaveLength(1);
  state.delete(key);
  expect(await faultsOf(auditQuotas(evidence, state, catalogues))).toHaveLength(1);
});
