import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { auditJournal } from '../../assurance/audit/audit.ts';
import { CorrectionAudit } from '../../assurance/audit/audit-corrections.ts';
import { auditDuplicates } from '../../assurance/audit/audit-duplicates.ts';
import { auditFacts } from '../../assurance/audit/audit-facts.ts';
import { auditSource } from '../../assurance/audit/audit-source.ts';
import type { AuditFault } from '../../assurance/audit/invariants.ts';
import { upgradedAt } from '../../assurance/audit/upgraded-store.fixture.ts';
import { replayBatches } from '../../assurance/replay/replay.ts';
import { OPEN_STORE, type OpenedStore, PSEUDONYM_KEY } from '../../engine/engine.fixture.ts';
import type { Row, Store } from '../../platform/clickhouse/store.ts';
import { LogRecord } from '../../platform/kafka/log-record.ts';
import type { FlowRecord } from '../../rating/flow-record.ts';
import { PLAIN_RULES } from '../../rating/record/record-limits.ts';
import type { Rules } from '../../rating/rules.ts';
import type { CorrectionResult } from './book-correction.ts';
import { bookedSource } from './booked-source.fixture.ts';
import type { BookedSource } from './booked-source.ts';
import type { CorrectionRequest } from './corrections.ts';
import { rollUp } from './difference.ts';
import {
  AUTUMN,
  balances,
  bookAll,
  currentRows,
  LOGS,
  lines,
  MISSED,
  NOVEMBER,
  PREFIX,
  RIGHT,
} from './missed-traffic.fixture.ts';
import { changedCatalogue, meanwhile, rulesOf } from './rating.fixture.ts';
import { rerate } from './rerate.ts';
import { rerateFromSource } from './rerate-from-source.ts';
import { testCorrection } from './test-correction.fixture.ts';

const PRICED = rulesOf(changedCatalogue(['"12.5"', '"11.000003"'], ['quotaOctets: 20000', 'quotaOctets: 30000']));
const LATER = `SELECT topic, partition, offset, node_id, local_sequence_number, toUnixTimestamp64Milli(end_time) AS ends, uplink_octets,
  downlink_octets, sponsored_octets, charge_micros, used_octets_after, lane`;

const ERASED = PSEUDONYM_KEY.erased('999000000001', Buffer.alloc(32, 9));
let opened: OpenedStore;
let store: Store;
const stateOf = async (of: Store) => ({
  balances: await balances(of),
  lines: await lines(of),
  rows: await currentRows(of),
});
type State = Awaited<ReturnType<typeof stateOf>>;
/** The state before the first correction, and that of an engine that had known. */
let atFirst: State;
let known: State;
let knownRecords: Row[];

beforeAll(async () => {
  opened = await OPEN_STORE.embedded();
  await bookAll(opened.store, RIGHT);
  known = await stateOf(opened.store);
  knownRecords = await opened.store.query(`${LATER} FROM journal WHERE kind = 'charge' ORDER BY ALL`);
  await opened.close();
  opened = await OPEN_STORE.embedded();
  store = opened.store;
  await bookAll(store, MISSED);
  atFirst = await stateOf(store);
});
afterAll(() => opened?.close());

type Overrides = Partial<CorrectionRequest> & { source?: BookedSource | null; through?: Store };
function correct(rules: Rules, overrides: Overrides = {}): Promise<CorrectionResult> {
  const { source = bookedSource(store, LOGS), through = store, ...request } = overrides;
  return testCorrection(through, rules, { source, ...request });
}

const corrections = async () => Number((await store.query<{ n: number }>('SELECT count() AS n FROM corrections'))[0].n);

async function faults(pseudonymKey = PSEUDONYM_KEY): Promise<AuditFault[]> {
  const { evidence, walk } = bookedSource(store, LOGS);
  const settings = {
    pseudonymKey,
    duplicateWindowRecords: 1000,
    rejectionPayloadBytes: 4096,
    recordRules: PLAIN_RULES,
    corrections: new CorrectionAudit(store, evidence, pseudonymKey),
  };
  const again = async () => walk(await evidence.batches(), () => {});
  const found: AuditFault[] = [];
  for (const audit of [
    auditJournal(evidence),
    auditFacts(store),
    auditDuplicates(store),
    auditSource(evidence, await again(), settings),
  ]) {
    for await (const fault of audit) found.push(fault);
  }
  for await (const { batch, digest } of replayBatches(evidence, await again(), settings)) {
    const { lane, numbers } = batch;
    const fault = { invariant: 'digest', lane, laneSequence: numbers.lane_sequence, message: 'replay' } as const;
    if (digest !== batch.digest) found.push(fault);
  }
  return found;
}

const total = ({ difference }: Pick<Extract<CorrectionResult, { difference: unknown }>, 'difference'>) =>
  rollUp(difference.lines(), () => '')[0];

test('with the catalogue that they were booked with no record changes', async () => {
  for (const sponsorId of ['acme', 'bolt']) {
    const result = await correct(MISSED, { sponsorId });
    expect(result).toMatchObject({ outcome: 'unchanged', difference: { changed: 0 } });
  }
  expect(await corrections()).toBe(0);
});

test('without a charge row a record is out of reach of a correction that reads no source', async () => {
  const rating = await rerate(store, RIGHT, { sponsorId: 'acme', range: AUTUMN });
  expect(rating.changed).toBe(0);
});

describe('a prefix that was missing', () => {
  test('the dry run books nothing, and shows what was missed by its evidence', async () => {
    const shown = await rerateFromSource(store, RIGHT, { sponsorId: 'acme', range: AUTUMN }, bookedSource(store, LOGS));
    expect(await corrections()).toBe(0);
    const newly = rollUp(
      shown.difference.lines().filter(({ newlyBy }) => newlyBy >= 0),
      ({ newlyBy }) => String(newlyBy),
    );
    expect(newly.map(({ newlyBy }) => newlyBy)).toEqual([2]);
    expect(newly[0].before.records).toBe(0n);
    expect(newly[0].after.records).toBeGreaterThan(50n);
    expect(
      shown.logs.map(({ lane, topic, partition, firstOffset, lastOffset, records }) => [
        lane,
        topic,
        partition,
        firstOffset,
        lastOffset,
        records,
      ]),
    ).toEqual([
      ['files', 'a.ndjson', 0, 0, 99, 100],
      ['files', 'b.ndjson', 0, 0, 119, 120],
      ['files', 'a.ndjson', 0, 100, 249, 150],
      ['flows-0', 'flows', 0, 0, 399, 400],
      ['flows-1', 'flows', 1, 0, 299, 300],
    ]);
  });

  test('forward: every current charge, balance, line and counter is that of an engine that had known', async () => {
    const result = await correct(RIGHT);
    expect(result).toMatchObject({ outcome: 'booked', number: 1 });
    expect(await currentRows(store)).toEqual(known.rows);
    expect(await balances(store)).toEqual(known.balances);
    expect(await lines(store)).toEqual(known.lines);
    const [{ charged }] = await store.query<{ charged: string }>(
      "SELECT toString(sum(charge_micros)) AS charged FROM bookings WHERE sponsor_id = 'acme'",
    );
    expect(String(total(result as never).after.chargeMicros)).toBe(charged);
  });

  test('the head row proves what was read', async () => {
    const [{ logs }] = await store.query<{ logs: unknown[] }>(
      "SELECT read_logs AS logs FROM corrections WHERE kind = 'head' AND number = 1",
    );
    expect(logs).toHaveLength(5);
    const [last] = await store.query<{ proof: string }>(
      "SELECT source_proof AS proof FROM journal WHERE kind = 'batch' AND topic = 'flows' AND partition = 1 ORDER BY lane_sequence DESC LIMIT 1",
    );
    expect(last.proof).toMatch(/^\d+:[0-9a-f]{64}$/);
    expect(JSON.stringify(logs)).toContain(last.proof);
  });

  test('audits and replay find nothing', async () => {
    expect(await faults()).toEqual([]);
  });

  test('a second time nothing changes, whether the source is read or not', async () => {
    expect(await correct(RIGHT)).toMatchObject({ outcome: 'unchanged' });
    expect(await correct(RIGHT, { source: null })).toMatchObject({ outcome: 'unchanged' });
    expect(await correct(RIGHT, { sponsorId: 'bolt' })).toMatchObject({ outcome: 'unchanged' });
  });

  test('`sponsored_later` has the records that the journal has no charge of, as they are charged now', async () => {
    type Place = { topic: string; partition: number; offset: number };
    const placeOf = ({ topic, partition, offset }: Place) => `${topic} ${partition} ${offset}`;
    const charged = "SELECT topic, partition, offset FROM journal WHERE kind = 'charge'";
    const had = new Set((await store.query<Place>(charged)).map(placeOf));
    const missed = (knownRecords as unknown as Place[]).filter((row) => !had.has(placeOf(row)));
    expect(missed.length).toBeGreaterThan(50);
    expect(await store.query(`${LATER} FROM sponsored_later ORDER BY ALL`)).toEqual(missed);
  });

  test('a later re-rating without the source takes them as current charges', async () => {
    expect(await correct(PRICED, { source: null })).toMatchObject({ outcome: 'booked' });
    expect(await correct(PRICED)).toMatchObject({ outcome: 'unchanged' });
    expect(await faults()).toEqual([]);
  });

  test('back: every balance, line and charge is the first one again, and no record is left that had none', async () => {
    expect(await correct(MISSED)).toMatchObject({ outcome: 'booked' });
    expect(await balances(store)).toEqual(atFirst.balances);
    expect(await lines(store)).toEqual(atFirst.lines);
    expect(await currentRows(store)).toEqual(atFirst.rows);
    expect(await store.query('SELECT * FROM sponsored_later')).toEqual([]);
    expect(await faults()).toEqual([]);
  });

  test('in part: November by itself, then all', async () => {
    expect(await correct(RIGHT, { range: NOVEMBER })).toMatchObject({ outcome: 'booked' });
    const october = { ...AUTUMN, toDay: NOVEMBER.fromDay };
    expect(await correct(RIGHT, { range: october })).toMatchObject({ outcome: 'booked' });
    expect(await currentRows(store)).toEqual(known.rows);
    await correct(MISSED);
    expect(await currentRows(store)).toEqual(atFirst.rows);
  });
});

describe('a source that is not what was booked', () => {
  const record = (at: number, fields: Partial<FlowRecord>) => {
    const { value, ...place } = LOGS[0].records[at];
    return LogRecord.of({
      ...place,
      value: Buffer.from(JSON.stringify({ ...JSON.parse(Buffer.from(value).toString()), ...fields })),
    });
  };
  const changed = (at: number, fields: Partial<FlowRecord>) => LOGS[0].records.with(at, record(at, fields));
  test.each<[string, LogRecord[], RegExp, string]>([
    [
      'without its beginning',
      LOGS[0].records.slice(10),
      /flows-0, offsets 0 to 32 \(lane flows-0, batch 1\): the source has 23 records there, and 33 are booked/,
      'source_changed',
    ],
    [
      'without its end',
      LOGS[0].records.slice(0, 390),
      /no longer has all .*\n {2}flows-0, offsets 363 to 399 \(lane flows-0, batches 12 to 13\)/s,
      'records_lost',
    ],
    [
      'without a record',
      LOGS[0].records.toSpliced(50, 1),
      /offsets 33 to 65 .*: the source has 32 records there, and 33 are booked/,
      'source_changed',
    ],
    [
      'with another record at the end of a batch',
      changed(65, { terminalPort: 1 }),
      /the source proves \d+:[0-9a-f]{64} at offset 65, and \d+:[0-9a-f]{64} is booked/,
      'source_changed',
    ],
    [
      'with other content of a record',
      changed(40, { terminalPort: 1 }),
      /record 40 is not the one that is booked/,
      'source_changed',
    ],
    [
      'with another number of a record',
      changed(40, { localSequenceNumber: 4000 }),
      /record 40 is not the one/,
      'source_changed',
    ],
    [
      'with a record that can no longer be read',
      changed(40, { uplinkOctets: -1 }),
      /record 40 is rejected today \(negative_octets\), and was not when it was booked/,
      'source_changed',
    ],
  ])('%s is refused, and nothing is booked', async (_, records, message, code) => {
    const before = await corrections();
    const source = bookedSource(store, [{ ...LOGS[0], records }, ...LOGS.slice(1)]);
    await expect(correct(RIGHT, { source })).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
    expect(await corrections()).toBe(before);
  });

  test('with a whole log gone is refused, with what is missing', async () => {
    const source = bookedSource(store, LOGS.slice(0, 3));
    await expect(correct(RIGHT, { source })).rejects.toThrow(
      /b\.ndjson-0, offsets 0 to 119 \(lane files, batches 5 to 8\); nothing was booked/,
    );
  });

  test('lanes of another source are named, and left as they are', async () => {
    const source = bookedSource(store, LOGS, { hasLane: (lane) => lane === 'files' });
    const { leftOut, logs } = await rerateFromSource(store, RIGHT, { sponsorId: 'acme', range: AUTUMN }, source);
    expect(leftOut.otherLanes).toEqual(['flows-0', 'flows-1']);
    expect(new Set(logs.map(({ lane }) => lane))).toEqual(new Set(['files']));
  });
});

describe('records of another sponsor', () => {
  /** What is bolt's by its address would be acme's. */
  const taken = rulesOf(
    changedCatalogue(['prefixes: [203.0.113.0/24], ', ''], [PREFIX, `${PREFIX.slice(0, -3)}, 203.0.113.0/24], `]),
  );

  test('stay theirs, are counted, and are charged once after both were corrected', async () => {
    const before = await store.query("SELECT sum(charge_micros) FROM bookings WHERE sponsor_id = 'bolt'");
    const result = await correct(taken);
    if (!('leftOut' in result) || result.leftOut === null) throw new Error('nothing was rated');
    const conflicts = result.leftOut.otherSponsors;
    expect([...conflicts.keys()]).toEqual(['bolt']);
    expect(conflicts.get('bolt')?.records).toBeGreaterThan(20);
    expect(await store.query("SELECT sum(charge_micros) FROM bookings WHERE sponsor_id = 'bolt'")).toEqual(before);
    // Bolt gives them up, and only then acme takes them.
    await correct(taken, { sponsorId: 'bolt' });
    await correct(taken);
    const twice =
      "SELECT topic, partition, offset FROM bookings GROUP BY ALL HAVING sum(if(origin = 'reversal', -1, 1)) > 1";
    expect(await store.query(twice)).toEqual([]);
    expect(await faults()).toEqual([]);
    for (const sponsorId of ['acme', 'bolt', 'acme']) await correct(MISSED, { sponsorId });
    expect(await currentRows(store)).toEqual(atFirst.rows);
    expect(await lines(store)).toEqual(atFirst.lines);
  });
});

describe('two corrections at once', () => {
  test('both from the source: the second is fenced, whatever its sponsor and range', async () => {
    const bolt = rulesOf(changedCatalogue([PREFIX, ''], ['"0"', '"1"']));
    const through = meanwhile(store, () => correct(bolt, { sponsorId: 'bolt', name: 'rival' }));
    expect(await correct(RIGHT, { through, range: NOVEMBER })).toMatchObject({
      outcome: 'fenced',
      by: { name: 'rival' },
    });
    await correct(MISSED, { sponsorId: 'bolt' });
    expect(await currentRows(store)).toEqual(atFirst.rows);
  });

  test('the same name and content is repeated; without the source it is another correction', async () => {
    const named = { name: 'once' };
    const result = await correct(RIGHT, { ...named, through: meanwhile(store, () => correct(RIGHT, named)) });
    expect(result).toMatchObject({ outcome: 'repeated' });
    expect(await correct(RIGHT, named)).toEqual(result);
    await expect(correct(RIGHT, { ...named, source: null })).rejects.toThrow('differs in whether it read the source');
    await correct(MISSED);
  });
});

test('subscribers who were erased: what the journal names is charged under its pseudonym, the rest is counted', async () => {
  const source = bookedSource(store, LOGS, { pseudonymKey: ERASED });
  const named = await rerateFromSource(store, RIGHT, { sponsorId: 'acme', range: AUTUMN }, bookedSource(store, LOGS));
  const result = await correct(RIGHT, { source });
  if (!('leftOut' in result) || result.leftOut === null) throw new Error('nothing was rated');
  const { nameless } = result.leftOut;
  const newly = (rating: typeof named | typeof result) =>
    'difference' in rating
      ? rating.difference.lines().reduce((sum, { newlyBy, after }) => sum + (newlyBy >= 0 ? after.records : 0n), 0n)
      : 0n;
  expect(nameless.records).toBeGreaterThan(0);
  expect(newly(result) + BigInt(nameless.records)).toBe(newly(named));
  const hex = (key: typeof ERASED) => key.pseudonymOf('999000000001').toString('hex');
  const [{ old, present }] = await store.query<{ old: number; present: number }>(
    `SELECT countIf(subscriber = unhex('${hex(PSEUDONYM_KEY)}')) AS old, countIf(subscriber = unhex('${hex(ERASED)}')) AS present FROM sponsored_later`,
  );
  expect(Number(old)).toBeGreaterThan(0);
  expect(Number(present)).toBe(0);
  await correct(MISSED, { source });
  expect(await currentRows(store)).toEqual(atFirst.rows);
});

test('what is of a closed month is an adjustment', async () => {
  await upgradedAt(opened.store, '2099-01-01T00:00:00Z'); // Its closing has no digest.
  await store.command(
    "INSERT INTO closings (number, sponsor_id, month) SELECT max(number) + 1, 'acme', '2026-10-01' FROM closings",
  );
  const result = await correct(RIGHT);
  const number = 'number' in result ? result.number : 0;
  const rows = await store.query(
    "SELECT toString(toStartOfMonth(period_start)) AS month, is_adjustment, countIf(lane != '') > 0 AS firsts FROM corrections " +
      `WHERE number = ${number} AND kind != 'head' GROUP BY month, is_adjustment ORDER BY ALL`,
  );
  expect(rows).toEqual([
    { month: '2026-10-01', is_adjustment: true, firsts: 1 },
    { month: '2026-11-01', is_adjustment: false, firsts: 1 },
  ]);
  expect(await faults(ERASED)).toEqual([]);
});
