import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { memorySource, OPEN_STORE, type OpenedStore, rawRecords, runEngine } from '../../engine/engine.fixture.ts';
import { Random } from '../../generator/random.ts';
import { type Store, StoreError } from '../../platform/clickhouse/store.ts';
import { systemClock } from '../../platform/clock.ts';
import { CONTENT_TYPES, type FlowRecord } from '../../rating/flow-record.ts';
import type { Rules } from '../../rating/rules.ts';
import { TEST_CATALOGUE, testRecord } from '../../rating/traffic.fixture.ts';
import { parseDay } from '../calendar-day.ts';
import { bookCorrection, type CorrectionResult } from './book-correction.ts';
import type { CorrectionRequest } from './corrections.ts';
import { type Difference, differenceOf, rollUp, type UsageSums } from './difference.ts';
import { changedCatalogue, meanwhile, rulesOf } from './rating.fixture.ts';
import { rerate } from './rerate.ts';

const BOOKED_AT_MS = Date.UTC(2026, 11, 2);
const OLD = rulesOf(TEST_CATALOGUE);
/** Every share, quota and price changes; the same content is covered. */
const CHANGES: [string, string][] = [
  ['image: 3333', 'image: 8888'],
  ['quotaOctets: 20000', 'quotaOctets: 30000'],
  ['"12.5"', '"11.000003"'],
  ['"7.000001"', '"8.5"'],
  ['voice: 1234', 'voice: 9999'],
  ['"3.3"', '"2.2"'],
];
const NEW = rulesOf(changedCatalogue(...CHANGES));
/** Another plan, another length of its periods, and records that it does not charge. */
const OTHER = rulesOf(
  changedCatalogue(
    ['id: any-day', 'id: any-month'],
    ['period: day', 'period: month'],
    ['"3.3"', '"3.4"'],
    ['text: 10000, image: 3333, ', 'voice: 1, '],
  ),
);
const range = (from: string, to: string) => ({ fromDay: Number(parseDay(from)), toDay: Number(parseDay(to)) });
/** The whole range: the first week begins on a Monday in September. */
const AUTUMN = range('2026-09-28', '2026-12-01');
const OCTOBER = range('2026-10-01', '2026-11-01');
const NOVEMBER = range('2026-11-01', '2026-12-01');

let opened: OpenedStore;
let store: Store;
/** The state before the first correction. */
let atFirst: { balances: unknown; lines: unknown; currentRows: unknown };

beforeAll(async () => {
  opened = await OPEN_STORE.embedded();
  store = opened.store;
  // Two partitions, and files: the first of them continues after the second.
  await book('flows', 0, traffic(1, 400));
  await book('flows', 1, traffic(2, 300));
  const first = traffic(3, 250);
  await book('a.ndjson', 0, first.slice(0, 100), 'files');
  await book('b.ndjson', 0, traffic(4, 120), 'files');
  await book('a.ndjson', 0, first, 'files');
  atFirst = { balances: await balances(), lines: await lines(), currentRows: await currentRows('acme') };
});
afterAll(() => opened?.close());

/**
 * Returns the traffic of subscribers that all lanes share, over two months, recognised in every way; each seed has its own
 * node.
 */
function traffic(seed: number, records: number): FlowRecord[] {
  const random = new Random(seed);
  const ways = [
    { remoteIp: '198.51.100.7' },
    { remoteIp: '8.8.8.8', zeroRatingTag: 'TAG' },
    { remoteIp: '203.0.113.9' },
  ];
  return Array.from({ length: records }, (_, localSequenceNumber) => {
    const startTime = Date.UTC(2026, 9, 1) + random.integer(0, 60 * 24 * 60) * 60_000;
    return testRecord({
      ...ways[random.integer(0, 2)],
      nodeId: `gw-${seed}`,
      localSequenceNumber,
      servedMsisdn: `99900000000${random.integer(0, 2)}`,
      startTime,
      endTime: startTime,
      contentType: [...CONTENT_TYPES.slice(0, 5), null][random.integer(0, 5)] as FlowRecord['contentType'],
      uplinkOctets: random.integer(0, 500),
      downlinkOctets: random.integer(0, 9000),
    });
  });
}

function book(topic: string, partition: number, records: FlowRecord[], lane = `${topic}-${partition}`, rules = OLD) {
  const source = memorySource({ topic, partition, lane }, rawRecords(records, BOOKED_AT_MS));
  return runEngine({ store, source, catalogue: rules.catalogue, maxRecords: 33 });
}

let names = 0;
function request(overrides: Partial<CorrectionRequest> = {}): CorrectionRequest {
  return { name: `correction ${++names}`, who: 'ada', why: 'a test', sponsorId: 'acme', range: AUTUMN, ...overrides };
}

function correct(rules: Rules, overrides: Partial<CorrectionRequest> = {}, through = store): Promise<CorrectionResult> {
  return bookCorrection(through, rules, request(overrides), systemClock);
}

const balances = () => store.query("SELECT * FROM account_balances WHERE sponsor_id NOT LIKE 'fresh%' ORDER BY ALL");
const lines = () =>
  store.query(
    'SELECT sponsor_id, application_id, plan_id, plan_version, month, sum(sponsored_octets) AS sponsored, ' +
      'sum(subscriber_octets) AS own, sum(charge_micros) AS micros FROM bookings GROUP BY ALL ' +
      "HAVING sponsor_id NOT LIKE 'fresh%' AND (sponsored != 0 OR own != 0 OR micros != 0) ORDER BY ALL",
  );
const corrections = async () => Number((await store.query<{ n: number }>('SELECT count() AS n FROM corrections'))[0].n);

/** Returns a sponsor's current rows, by the last correction, in another way than the code under test. */
function currentRows(sponsorId: string, topics: (topic: string) => string = (topic) => topic) {
  return store
    .query<Record<string, unknown> & { topic: string }>(
      'SELECT topic, partition, offset, argMax((plan_id, plan_version, toString(period_start), reason, sponsored_octets, ' +
        'subscriber_octets, charge_micros, used_octets_after), correction_number) AS current_row FROM bookings ' +
        `WHERE origin != 'reversal' AND sponsor_id = '${sponsorId}' GROUP BY ALL ORDER BY ALL`,
    )
    .then((rows) => rows.map((row) => ({ ...row, topic: topics(row.topic) })));
}

async function bookedSums(): Promise<UsageSums> {
  const [sums] = await store.query<Record<string, string>>(
    'SELECT toString(sum(sponsored_octets)) AS sponsored, toString(sum(subscriber_octets)) AS own, ' +
      "toString(sum(charge_micros)) AS micros, toString(countIf(origin = 'charge')) AS records " +
      "FROM bookings WHERE sponsor_id = 'acme'",
  );
  return {
    records: BigInt(sums.records),
    sponsoredOctets: BigInt(sums.sponsored),
    subscriberOctets: BigInt(sums.own),
    chargeMicros: BigInt(sums.micros),
  };
}

function totalOf(difference: Difference) {
  const [total] = rollUp(difference.lines(), () => '');
  return total;
}

test('with the catalogue that they were booked with no record changes', async () => {
  for (const sponsorId of ['acme', 'bolt']) {
    const result = await correct(OLD, { sponsorId });
    expect(result).toMatchObject({ outcome: 'unchanged', difference: { changed: 0 } });
    expect('difference' in result && result.difference.records).toBeGreaterThan(100);
  }
  expect(await corrections()).toBe(0);
});

test('forward: current charges equal those that an engine with the new catalogue books, and so does the difference', async () => {
  const before = await bookedSums();
  const shown = await rerate(store, NEW, { sponsorId: 'acme', range: AUTUMN });
  expect(await bookedSums()).toEqual(before);
  const result = await correct(NEW);
  expect(result).toMatchObject({ outcome: 'booked', number: 1, changes: shown.changed });
  expect('difference' in result && result.difference.lines()).toEqual(shown.lines());

  const after = await bookedSums();
  const total = totalOf(shown);
  expect(total.before).toEqual(before);
  expect(total.after).toEqual({ ...after, records: before.records });
  expect(differenceOf(total).chargeMicros).not.toBe(0n);
  expect(after.sponsoredOctets + after.subscriberOctets).toBe(before.sponsoredOctets + before.subscriberOctets);

  // The same traffic again, for another sponsor that has the new plans from the beginning.
  const fresh = rulesOf(
    changedCatalogue(
      ...CHANGES,
      ['acme', 'fresh'],
      ['bolt', 'fresh-bolt'],
      ['id: any,', 'id: any2,'],
      ['application: any\n', 'application: any2\n'],
      ['id: tagged,', 'id: tagged2,'],
      ['application: tagged\n', 'application: tagged2\n'],
    ),
  );
  await book('fresh-flows', 0, traffic(1, 400), 'fresh-flows-0', fresh);
  await book('fresh-flows', 1, traffic(2, 300), 'fresh-flows-1', fresh);
  const first = traffic(3, 250);
  await book('fresh-a.ndjson', 0, first.slice(0, 100), 'fresh-files', fresh);
  await book('fresh-b.ndjson', 0, traffic(4, 120), 'fresh-files', fresh);
  await book('fresh-a.ndjson', 0, first, 'fresh-files', fresh);
  expect(await currentRows('acme')).toEqual(await currentRows('fresh', (topic) => topic.replace('fresh-', '')));
});

describe('after a correction', () => {
  test('a second time nothing changes', async () => {
    expect(await correct(NEW)).toMatchObject({ outcome: 'unchanged' });
    expect(await correct(NEW, { range: NOVEMBER })).toMatchObject({ outcome: 'unchanged' });
  });

  test('its name is taken: the same content books nothing, other content is refused', async () => {
    const [booked, before] = [{ ...request(), name: 'taken' }, await corrections()];
    await bookCorrection(store, OTHER, booked, systemClock);
    const after = await corrections();
    expect(after).toBeGreaterThan(before);
    expect(await bookCorrection(store, OTHER, booked, systemClock)).toEqual({ outcome: 'repeated', number: 2 });
    for (const other of [{ who: 'eve' }, { range: OCTOBER }, { sponsorId: 'bolt' }]) {
      await expect(bookCorrection(store, OTHER, { ...booked, ...other }, systemClock)).rejects.toMatchObject({
        code: 'bad_configuration',
        message: expect.stringMatching(/^correction 2 is also named "taken", but differs in (who|range|sponsor):/),
      });
    }
    await expect(bookCorrection(store, NEW, booked, systemClock)).rejects.toThrow('differs in catalogue');
    expect(await corrections()).toBe(after);
  });

  test('back: every balance, line and counter is the first one again', async () => {
    expect(await correct(OLD)).toMatchObject({ outcome: 'booked' });
    expect(await balances()).toEqual(atFirst.balances);
    expect(await lines()).toEqual(atFirst.lines);
    expect(await currentRows('acme')).toEqual(atFirst.currentRows);
  });
});

describe('two corrections at the same time', () => {
  test('the second of the same records is fenced, and books nothing', async () => {
    const rival = request({ range: NOVEMBER });
    const result = await correct(
      OTHER,
      {},
      meanwhile(store, () => bookCorrection(store, NEW, rival, systemClock)),
    );
    expect(result).toMatchObject({ outcome: 'fenced', by: { name: rival.name } });
    // The current charges are the first one's.
    expect(await correct(NEW, { range: rival.range })).toMatchObject({ outcome: 'unchanged' });
    expect(await correct(OLD, { range: OCTOBER })).toMatchObject({ outcome: 'unchanged' });
    expect(await correct(OLD)).toMatchObject({ outcome: 'booked' });
    expect(await lines()).toEqual(atFirst.lines);
  });

  test('the second of the same name and content returns the booked one', async () => {
    const same = request();
    const result = await bookCorrection(
      meanwhile(store, () => bookCorrection(store, NEW, same, systemClock)),
      NEW,
      same,
      systemClock,
    );
    expect(result).toMatchObject({ outcome: 'repeated' });
    expect(await correct(OLD)).toMatchObject({ outcome: 'booked' });
    expect(await lines()).toEqual(atFirst.lines);
  });

  test('corrections of different records are both booked, one after another', async () => {
    const others: Partial<CorrectionRequest>[] = [{ sponsorId: 'bolt' }, { range: NOVEMBER }];
    for (const other of others) {
      const october = { range: OCTOBER };
      const result = await correct(
        NEW,
        october,
        meanwhile(store, () => correct(NEW, other)),
      );
      expect(result).toMatchObject({ outcome: 'booked' });
      expect(await correct(NEW, other)).toMatchObject({ outcome: 'unchanged' });
      expect(await correct(NEW, october)).toMatchObject({ outcome: 'unchanged' });
      await correct(OLD);
      await correct(OLD, { sponsorId: 'bolt' });
    }
    expect(await lines()).toEqual(atFirst.lines);
  });
});

test('a correction whose acknowledgement is lost is booked once, and reported as booked', async () => {
  const before = await corrections();
  const unheard: Store = {
    ...store,
    async insertBlock(insert, ...block) {
      await store.insertBlock(insert, ...block);
      if (insert('').startsWith('INSERT INTO corrections')) {
        throw new StoreError('store_unreachable', 'the answer was lost', { canRetry: true });
      }
    },
  };
  const result = await correct(NEW, {}, unheard);
  expect(result).toMatchObject({ outcome: 'booked' });
  expect(await corrections()).toBe(before + 1 + 2 * ('changes' in result ? result.changes : 0));
  expect(await correct(OLD)).toMatchObject({ outcome: 'booked' });
  expect(await lines()).toEqual(atFirst.lines);
});

describe('when a month is closed', () => {
  const close = async (sponsorId: string, month: string) => {
    await store.command(
      `INSERT INTO closings (number, sponsor_id, month) SELECT max(number) + 1, '${sponsorId}', '${month}' FROM closings`,
    );
  };

  test('changes of it and of earlier months are adjustments; those of open months are not', async () => {
    await close('bolt', '2026-11-01');
    await close('acme', '2026-09-01');
    await close('acme', '2026-10-01');
    const result = await correct(OTHER);
    expect(result).toMatchObject({ outcome: 'booked' });
    const rows = await store.query(
      'SELECT toString(month) AS month, is_adjustment, count() > 0 AS some FROM (SELECT toStartOfMonth(period_start) AS month, ' +
        `is_adjustment FROM corrections WHERE number = ${'number' in result ? result.number : 0} AND kind != 'head') ` +
        'GROUP BY ALL ORDER BY ALL',
    );
    expect(rows).toEqual([
      { month: '2026-09-01', is_adjustment: true, some: 1 },
      { month: '2026-10-01', is_adjustment: true, some: 1 },
      { month: '2026-11-01', is_adjustment: false, some: 1 },
    ]);
    await correct(OLD);
    expect(await lines()).toEqual(atFirst.lines);
  });

  test('a correction in progress is fenced; another sponsor’s closing does not matter', async () => {
    const before = await corrections();
    const result = await correct(
      NEW,
      {},
      meanwhile(store, () => close('acme', '2026-11-01')),
    );
    expect(result).toEqual({ outcome: 'fenced', by: 'closing' });
    expect(await corrections()).toBe(before);
    const other = await correct(
      NEW,
      {},
      meanwhile(store, () => close('bolt', '2026-12-01')),
    );
    expect(other).toMatchObject({ outcome: 'booked' });
  });
});

test('records booked after a correction are included in the next one', async () => {
  await correct(NEW);
  await book('flows', 0, [...traffic(1, 400), ...traffic(5, 100)]);
  const shown = await rerate(store, NEW, { sponsorId: 'acme', range: AUTUMN });
  expect(shown.changed).toBeGreaterThan(0);
  // Earlier records keep the charges of the correction.
  expect(shown.changed).toBeLessThan(100);
  const total = totalOf(shown);
  await correct(NEW);
  expect((await bookedSums()).chargeMicros).toBe(total.after.chargeMicros);
});

test.each<[string, [string, string][], Partial<CorrectionRequest>, RegExp]>([
  [
    'a sponsor that the catalogue does not have',
    [],
    { sponsorId: 'acne' },
    /^the catalogue has no sponsor acne; it has acme, bolt$/,
  ],
  [
    'another currency',
    [['currency: USD', 'currency: EUR']],
    {},
    /^sponsor acme has EUR in the catalogue, and its account is in USD/,
  ],
  [
    'an application that is another’s',
    [['id: tagged, sponsor: acme', 'id: tagged, sponsor: bolt']],
    {},
    /^application tagged is bolt’s/,
  ],
  [
    'a plan with conditions that rows do not keep',
    [['quotaOctets: 9000', 'quotaOctets: 9000\n    conditions: { ratTypes: [nr] }']],
    {},
    /^plan any-day of application any has the conditions ratTypes.*rerate --from-source/,
  ],
  [
    'a part of a period',
    [['period: day', 'period: month']],
    { range: range('2026-10-02', '2026-11-01') },
    /plan any-day that begins on 2026-10-01/,
  ],
])('%s is refused, and nothing is booked', async (_, changes, overrides, message) => {
  const before = await corrections();
  const refused = correct(rulesOf(changedCatalogue(...changes)), overrides);
  await expect(refused).rejects.toMatchObject({ code: 'bad_configuration', message: expect.stringMatching(message) });
  expect(await corrections()).toBe(before);
});
