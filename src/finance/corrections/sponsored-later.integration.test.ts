import { afterAll, beforeAll, expect, test } from 'vitest';
import { auditDuplicates } from '../../assurance/audit/audit-duplicates.ts';
import { findFraud } from '../../assurance/fraud/find-fraud.ts';
import { THRESHOLDS, type Thresholds } from '../../assurance/fraud/finding.ts';
import { chargesIn } from '../../assurance/fraud/read-findings.ts';
import { readChargedUsage } from '../../assurance/reconciliation/read-charged-usage.ts';
import { bookedAlready } from '../../cli/assurance/booked-already.ts';
import { OPEN_STORE, type OpenedStore, PSEUDONYM_KEY, rawRecords } from '../../engine/engine.fixture.ts';
import type { Store } from '../../platform/clickhouse/store.ts';
import { systemClock } from '../../platform/clock.ts';
import { decodeJson } from '../../rating/decode/decode-json.ts';
import { testRecord } from '../../rating/traffic.fixture.ts';
import { closeMonth } from '../closing/close-month.ts';
import { readCoverage } from '../closing/coverage.ts';
import { coveredCsv } from '../closing/covered-rows.ts';
import { hasBookings } from '../key-history.ts';
import { rowsOf } from '../statements/finance.fixture.ts';
import { proveRecord, verifyRecordProof } from '../statements/record-proof.ts';
import { statementOf } from '../statements/statement.ts';
import { readRows, verified } from '../statements/verify.fixture.ts';
import { bookCorrection } from './book-correction.ts';
import { bookedSource, type SourceLog } from './booked-source.fixture.ts';
import { AUTUMN, BOOKED_AT_MS, book, bookAll, LOGS, MISSED, RIGHT } from './missed-traffic.fixture.ts';

/** A subscriber of whom nothing is charged when the prefix is missing. */
const LATER_NUMBER = '999000000009';
const startTime = Date.UTC(2026, 9, 20);
const [later] = rawRecords(
  [
    testRecord({
      nodeId: 'gw-9',
      localSequenceNumber: 1,
      servedMsisdn: LATER_NUMBER,
      startTime,
      endTime: startTime + 1000,
    }),
  ],
  BOOKED_AT_MS,
);
/** Records that another partition has, too: none of their charges is repeated while the prefix is missing. */
const AGAIN: SourceLog = { log: { topic: 'flows', partition: 7, lane: 'flows-7' }, records: [later] };
const TWICE: SourceLog = { log: { topic: 'flows', partition: 8, lane: 'flows-8' }, records: [later] };
const ALL = [...LOGS, AGAIN, TWICE];

let opened: OpenedStore;
let store: Store;
let known: Awaited<ReturnType<typeof readersOf>>;

async function bookEverything(into: Store, rules: typeof RIGHT): Promise<void> {
  await bookAll(into, rules);
  for (const log of [AGAIN, TWICE]) await book(into, rules, log);
}

/** What the readers of charges make of a store. */
async function readersOf(of: Store) {
  const inRange = `FROM ${chargesIn(AUTUMN)}`;
  const usage = await readChargedUsage(of, { fromMs: Date.UTC(2026, 8, 1), toMs: Date.UTC(2026, 11, 1) });
  const { byDay, byApplication, byContentType, totals, completeness } = await statementOf(
    of,
    await readCoverage(of, 'acme', '2026-10'),
  );
  return {
    examined: await of.query(
      `SELECT node_id, count() AS n, sum(uplink_octets + downlink_octets) AS octets ${inRange} GROUP BY node_id ORDER BY node_id`,
    ),
    usage: usage.map(({ sponsoredOctets: _, ...record }) => JSON.stringify(record)).sort(),
    statement: { byDay, byApplication, byContentType, closingMicros: totals.closingMicros },
    missing: completeness.missingRecords.records,
    torn: await of.query('SELECT * FROM torn_subscribers ORDER BY ALL'),
    days: await of.query(
      'SELECT day_of_use, application_id, sum(records) AS n, sum(charge_micros) AS micros FROM usage_by_day GROUP BY ALL ORDER BY ALL',
    ),
  };
}

beforeAll(async () => {
  opened = await OPEN_STORE.embedded();
  await bookEverything(opened.store, RIGHT);
  known = await readersOf(opened.store);
  await opened.close();
  opened = await OPEN_STORE.embedded();
  store = opened.store;
  await bookEverything(store, MISSED);
});
afterAll(() => opened?.close());

async function duplicates(): Promise<string[]> {
  const found: string[] = [];
  for await (const { message } of auditDuplicates(store)) found.push(message);
  return found;
}

async function findings(): Promise<string[]> {
  const thresholds = Object.fromEntries(
    Object.entries(THRESHOLDS).map(([name, { value }]) => [name, value]),
  ) as Thresholds;
  const found: string[] = [];
  const request = { range: AUTUMN, thresholds, countries: new Map([['gw-1', 'DE']]), home: 'DE' };
  for await (const { rule, subject } of findFraud(store, request)) found.push(`${rule} ${subject}`);
  return found;
}

test('before the correction no reader has what was missed', async () => {
  expect(await hasBookings(store, PSEUDONYM_KEY.pseudonymOf(LATER_NUMBER))).toBe(false);
  expect(await duplicates()).toEqual([]);
  expect(await findings()).not.toContain('charged_twice gw-9');
  const already = await bookedAlready(store, later.value, decodeJson, 1000);
  expect(already?.text).toContain('flows-8, not charged, within offsets 0 to 0');
  expect((await readersOf(store)).usage.length).toBeLessThan(known.usage.length);
});

test('after it every reader has it, as of an engine that had known', async () => {
  const request = { name: 'missed', who: 'ada', why: 'a prefix was missing', sponsorId: 'acme', range: AUTUMN };
  const result = await bookCorrection(store, RIGHT, request, systemClock, {
    openSource: async () => bookedSource(store, ALL),
  });
  expect(result).toMatchObject({ outcome: 'booked', number: 1 });
  expect(await readersOf(store)).toEqual(known);
  expect(await hasBookings(store, PSEUDONYM_KEY.pseudonymOf(LATER_NUMBER))).toBe(true);
  const already = await bookedAlready(store, later.value, decodeJson, 1000);
  expect(already?.text).toContain(
    'flows-8 offset 0, not charged then, and sponsored by correction 1 (batch flows-8@1)',
  );
});

test('a record that came in two partitions is charged twice by then, and is reported', async () => {
  expect(await duplicates()).toEqual([
    expect.stringMatching(/^gw-9 1 is charged 2 times .*flows-7 offset 0.*flows-8 offset 0/),
  ]);
  expect(await findings()).toEqual(expect.arrayContaining(['charged_twice gw-9', 'unmapped_node gw-9']));
});

test('a statement has it as a correction, verifies, and proves the single record', async () => {
  for (const month of ['2026-09', '2026-10'] as const) {
    const closed = await closeMonth(store, { sponsorId: 'acme', month, who: 'Ada', nowMs: Date.UTC(2026, 11, 20) });
    expect(closed).toMatchObject({ outcome: 'closed' });
  }
  const coverage = await readCoverage(store, 'acme', '2026-10');
  const statement = await statementOf(store, coverage);
  expect(statement.corrections).toMatchObject([{ name: 'missed', isAdjustment: false }]);
  const chunks: Uint8Array[] = [];
  for await (const chunk of coveredCsv(store, coverage, statement.proof.leaves)) chunks.push(chunk);
  const { rows } = await readRows(Buffer.concat(chunks));
  expect((await verified(statement, rows)).faults).toEqual([]);
  const proof = await proveRecord(statement, rowsOf(rows), { topic: 'flows', partition: 7, offset: 0 });
  if (typeof proof === 'string') throw new Error(proof);
  expect(proof.rows.map(({ row }) => row.origin)).toEqual(['recharge']);
  expect(verifyRecordProof(proof, statement)).toEqual([]);
});
