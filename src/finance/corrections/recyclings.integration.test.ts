import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { auditJournal } from '../../assurance/audit/audit.ts';
import { auditDuplicates } from '../../assurance/audit/audit-duplicates.ts';
import { auditFacts } from '../../assurance/audit/audit-facts.ts';
import { memorySource, OPEN_STORE, type OpenedStore, rawRecords, runEngine } from '../../engine/engine.fixture.ts';
import { chatCatalogue, chatRecord } from '../../engine/traffic.fixture.ts';
import { ClickHouseJournal } from '../../journal/clickhouse-journal.ts';
import { ClickHouseEvidence } from '../../journal/evidence/clickhouse-evidence.ts';
import { systemClock } from '../../platform/clock.ts';
import { decodeJson } from '../../rating/decode/decode-json.ts';
import { PLAIN_LIMITS } from '../../rating/record/record-limits.ts';
import { Rules } from '../../rating/rules.ts';
import { recordSource } from '../../sources/record-source.ts';
import { readCoverage } from '../closing/coverage.ts';
import { coveredCsv } from '../closing/covered-rows.ts';
import { statementOf } from '../statements/statement.ts';
import { readRows, verified } from '../statements/verify.fixture.ts';
import { bookCorrection } from './book-correction.ts';
import { type CorrectedRecord, type LineFault, parseCorrectedRecords } from './corrected-records.ts';
import { claimRecycling, planRecycling, type Recycling } from './recyclings.ts';
import { reverseRecycling } from './reverse-recycling.ts';

const LOG = { topic: 'flow~2', partition: 3, lane: 'flow-3' };
const RECORDS = 30;
let opened: OpenedStore;

/** Every third record has a negative counter. */
const record = (localSequenceNumber: number, uplinkOctets: number) => chatRecord({ localSequenceNumber, uplinkOctets });

beforeAll(async () => {
  opened = await OPEN_STORE.embedded();
  const flows = Array.from({ length: RECORDS }, (_, at) => record(at, at % 3 === 0 ? -1 : 1000));
  await runEngine({
    store: opened.store,
    catalogue: chatCatalogue(),
    source: memorySource(LOG, rawRecords(flows, Date.UTC(2026, 10, 23, 13))),
  });
});
afterAll(() => opened?.close());

function corrected(offsets: readonly number[], uplinkOctets = 1000): CorrectedRecord[] {
  const lines = offsets.map((offset) =>
    JSON.stringify({ topic: LOG.topic, partition: LOG.partition, offset, record: record(offset, uplinkOctets) }),
  );
  return parseCorrectedRecords(lines.join('\n'), 10_000, PLAIN_LIMITS).records;
}

async function claim(
  records: readonly CorrectedRecord[],
  laneOf = (partition: number) => `flow-${partition}`,
): Promise<{ recycling?: Recycling & { isNew: boolean }; faults?: LineFault[] }> {
  for (;;) {
    const { plan, faults } = await planRecycling(opened.store, { records, laneOf });
    if (plan === undefined) return { faults };
    const { known, next } = plan;
    if (next === null) return { recycling: { ...known[0], isNew: false } };
    const claimed = { who: 'tester', why: 'corrected', nowMs: Date.UTC(2026, 10, 25) };
    if ((await claimRecycling(opened.store, next, claimed)) === 'booked')
      return { recycling: { ...next, isNew: true } };
  }
}

const book = ({ logs }: Recycling, maxRecords?: number) =>
  runEngine({
    store: opened.store,
    catalogue: chatCatalogue(),
    source: recordSource(logs, decodeJson),
    ...(maxRecords !== undefined && { maxRecords }),
  });

async function recyclingOf(records: readonly CorrectedRecord[]): Promise<Recycling & { isNew: boolean }> {
  const { recycling, faults } = await claim(records);
  if (recycling === undefined) throw new Error(JSON.stringify(faults));
  return recycling;
}

const offsetsOf = async (from: string) =>
  (await opened.store.query<{ offset: number }>(`SELECT offset FROM ${from} ORDER BY offset`)).map(({ offset }) =>
    Number(offset),
  );

test('corrected records are booked in their lane, at the place of their rejection', async () => {
  const recycling = await recyclingOf(corrected([9, 3]));
  expect(recycling).toMatchObject({ number: 1, isNew: true });
  expect(recycling.logs.map(({ log }) => log)).toEqual([{ topic: 'recycled/1/flow~2', partition: 3, lane: 'flow-3' }]);
  expect(await book(recycling)).toMatchObject({ read: 2, records: { charged: 2 } });
  expect(await offsetsOf("charges WHERE topic = 'recycled/1/flow~2' AND partition = 3")).toEqual([3, 9]);
  expect(await offsetsOf('recycled WHERE is_booked')).toEqual([3, 9]);
  expect(await offsetsOf('suspense')).toEqual([0, 6, 12, 15, 18, 21, 24, 27]);
});

test('their lane continues under the name of its topic', async () => {
  expect(await new ClickHouseJournal(opened.store).head('flow-3')).toMatchObject({ topic: 'flow~2' });
});

test('the same records again are the same recycling, and nothing is booked', async () => {
  const recycling = await recyclingOf(corrected([3, 9]));
  expect(recycling).toMatchObject({ number: 1, isNew: false });
  expect(await book(recycling)).toMatchObject({ read: 0 });
});

test('an interrupted recycling continues', async () => {
  const records = corrected([0, 12, 15]);
  const { logs } = await recyclingOf(records);
  const cut = logs.map(({ log, records }) => ({ log, records: records.slice(0, 1) }));
  await book({ number: 2, logs: cut });
  expect(await offsetsOf('recycled WHERE NOT is_booked')).toEqual([12, 15]);
  expect(await offsetsOf('suspense')).toEqual([6, 12, 15, 18, 21, 24, 27]);
  const again = await recyclingOf(records);
  expect(again).toMatchObject({ number: 2, isNew: false });
  expect(await book(again)).toMatchObject({ read: 2, records: { charged: 2 } });
  expect(await offsetsOf('suspense')).toEqual([6, 18, 21, 24, 27]);
});

test.each<[string, () => ReturnType<typeof claim>, RegExp]>([
  ['another content', () => claim(corrected([3, 9], 5)), /flow~2-3@3: was recycled already.*recycling 1/],
  ['some of them without the others', () => claim(corrected([3, 18])), /flow~2-3@3: was recycled already.*recycling 1/],
  ['a record that was charged', () => claim(corrected([1])), /flow~2-3@1: no record was rejected there/],
  ['a lane of another engine', () => claim(corrected([18]), () => 'files'), /flow~2-3@18: was rejected in lane flow-3/],
])('refused, and nothing is booked: %s', async (_, refused, message) => {
  expect((await refused()).faults?.[0].message).toMatch(message);
  expect(await opened.store.query('SELECT max(number) AS last FROM recyclings')).toEqual([{ last: 2 }]);
});

test('several processes recycle the same rejection at once: one does', async () => {
  const claims = await Promise.all([1, 2, 3].map((uplinkOctets) => claim(corrected([18], uplinkOctets))));
  expect(claims.filter(({ recycling }) => recycling !== undefined)).toHaveLength(1);
  expect(await opened.store.query('SELECT max(number) AS last, count() AS places FROM recyclings')).toEqual([
    { last: 3, places: 6 },
  ]);
});

test('an identity that was charged before is a duplicate, or a conflict, which is rejected as such', async () => {
  const repeated = (offset: number, uplinkOctets: number) => {
    const [correctedRecord] = corrected([offset]);
    return { ...correctedRecord, value: Buffer.from(JSON.stringify(record(1, uplinkOctets))) };
  };
  const recycling = await recyclingOf([repeated(21, 1000), repeated(24, 2000)]);
  expect(await book(recycling)).toMatchObject({ records: { duplicate: 1, rejected: 1 } });
  const rows = await opened.store.query('SELECT topic, offset, reason FROM suspense WHERE offset IN (21, 24)');
  expect(rows).toEqual([{ topic: 'recycled/4/flow~2', offset: 24, reason: 'conflicting_duplicate' }]);
});

test('a record that was rejected again is tried again by the same file, or with other content', async () => {
  // Offset 24 has the identity of a charged record, so its recycling rejected it.
  const [conflicting] = corrected([24]);
  const again = { ...conflicting, value: Buffer.from(JSON.stringify(record(1, 2000))) };
  const [repeated] = corrected([21]);
  const first = { ...repeated, value: Buffer.from(JSON.stringify(record(1, 1000))) };
  const { plan } = await planRecycling(opened.store, { records: [first, again], laneOf: () => LOG.lane });
  expect(plan?.known.map(({ number }) => number)).toEqual([4]);
  expect(plan?.next?.records.map(({ topic, offset }) => ({ topic, offset }))).toEqual([
    { topic: 'recycled/4/flow~2', offset: 24 },
  ]);
  const recycling = await recyclingOf([conflicting]);
  expect(recycling).toMatchObject({ number: 5, isNew: true });
  expect(await book(recycling)).toMatchObject({ records: { charged: 1 } });
  expect(await offsetsOf('suspense')).toEqual([6, 18, 27]);
});

describe('a recycling is reversed', () => {
  const clock = { ...systemClock, nowMs: () => Date.UTC(2026, 10, 28) };
  const request = { recycling: 2, name: 'recycling 2', who: 'Ada', why: 'the gateway was right' };
  const balance = async () => (await opened.store.query('SELECT balance_micros FROM account_balances'))[0];
  const billed = () =>
    opened.store.query('SELECT sum(charge_micros) AS micros, sum(sponsored_octets) AS octets FROM bookings');
  const sound = async () => {
    for await (const fault of auditJournal(new ClickHouseEvidence(opened.store))) expect(fault).toBeUndefined();
    for await (const fault of auditFacts(opened.store)) expect(fault).toBeUndefined();
    for await (const fault of auditDuplicates(opened.store)) expect(fault).toBeUndefined();
  };

  test('a preview shows the reversals, and nothing is booked', async () => {
    expect(await reverseRecycling(opened.store, request, null)).toMatchObject({
      outcome: 'preview',
      sums: [{ sponsorId: 'chatter', records: 3 }],
    });
    expect(await opened.store.query('SELECT count() AS rows FROM corrections')).toEqual([{ rows: 0 }]);
  });

  test('each of its charges is reversed by a row, and its rejections are open again', async () => {
    const [before, charged] = [await billed(), await balance()];
    const taken = await opened.store.query(
      "SELECT sum(charge_micros) AS micros, sum(sponsored_octets) AS octets FROM charges WHERE startsWith(topic, 'recycled/2/')",
    );
    const result = await reverseRecycling(opened.store, request, clock);
    expect(result).toMatchObject({ outcome: 'booked', number: 1, sums: [{ sponsorId: 'chatter', records: 3 }] });
    const after = await billed();
    for (const sum of ['micros', 'octets']) {
      expect(Number(after[0][sum])).toBe(Number(before[0][sum]) - Number(taken[0][sum]));
      expect(Number(taken[0][sum])).toBeGreaterThan(0);
    }
    expect(Number((await balance()).balance_micros)).toBe(Number(charged.balance_micros) + Number(taken[0].micros));
    expect(await offsetsOf('suspense')).toEqual([0, 6, 12, 15, 18, 27]);
    expect(await offsetsOf('recycled WHERE is_reversed')).toEqual([0, 12, 15]);
    await sound();
  });

  test('the reversals are rows of the statement and of its proof', async () => {
    const coverage = await readCoverage(opened.store, 'chatter', '2026-11');
    const statement = await statementOf(opened.store, coverage);
    expect(statement.corrections).toMatchObject([{ number: 1, name: 'recycling 2', who: 'Ada', rows: 3 }]);
    const chunks: Uint8Array[] = [];
    for await (const chunk of coveredCsv(opened.store, coverage, statement.proof.leaves)) chunks.push(chunk);
    const { rows } = await readRows(Buffer.concat(chunks));
    expect((await verified(statement, rows)).faults).toEqual([]);
  });

  test('a repeated reversal books nothing; under another name, or of an unknown recycling, it is refused', async () => {
    expect(await reverseRecycling(opened.store, request, clock)).toMatchObject({ outcome: 'repeated', number: 1 });
    await expect(reverseRecycling(opened.store, { ...request, name: 'other' }, clock)).rejects.toThrow(
      'recycling 2 was reversed already, by Ada, as correction 1, recycling 2',
    );
    const other = { ...request, name: 'other', recycling: 99 };
    await expect(reverseRecycling(opened.store, other, clock)).rejects.toThrow('there is no recycling 99');
    const depended = { ...request, name: 'other', recycling: 4 };
    await expect(reverseRecycling(opened.store, depended, clock)).rejects.toThrow('reverse 5 first');
  });

  test('re-rating the period skips its records, forward and back', async () => {
    const selection = { sponsorId: 'chatter', range: { fromDay: 0, toDay: 65_000 } };
    const correction = { ...selection, name: 'free', who: 'Ada', why: 'a price' };
    const [{ records }] = await opened.store.query<{ records: number }>(
      "SELECT toInt64(sum(if(origin = 'reversal', -1, 1))) AS records FROM bookings",
    );
    const before = await billed();
    const result = await bookCorrection(opened.store, new Rules(chatCatalogue()), correction, clock);
    expect(result).toMatchObject({ difference: { records: Number(records) } });
    const again = await bookCorrection(
      opened.store,
      new Rules(chatCatalogue()),
      { ...correction, name: 'again' },
      clock,
    );
    expect(again.outcome).toBe('unchanged');
    // Each record has one size and one price: without three of them the amounts are those without the recycling.
    expect(Number((await billed())[0].octets)).toBeLessThanOrEqual(Number(before[0].octets) + 1);
    await sound();
  });
});
