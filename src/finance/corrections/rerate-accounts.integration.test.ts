import { afterAll, beforeAll, expect, test } from 'vitest';
import { OPEN_STORE, type OpenedStore, rawRecords } from '../../engine/engine.fixture.ts';
import { Random } from '../../generator/random.ts';
import { systemClock } from '../../platform/clock.ts';
import type { Rules } from '../../rating/rules.ts';
import { TEST_CATALOGUE, testRecord } from '../../rating/traffic.fixture.ts';
import { bookCorrection } from './book-correction.ts';
import { bookedSource, type SourceLog } from './booked-source.fixture.ts';
import { AUTUMN, BOOKED_AT_MS, book, currentRows } from './missed-traffic.fixture.ts';
import { rulesOf } from './rating.fixture.ts';

const quota = (effectiveTo: string) => `quotas:
  - { id: acme-home, sponsor: acme, version: 1, effectiveFrom: 2026-01-01T00:00:00Z, effectiveTo: ${effectiveTo}, period: month,
      timeZone: UTC, per: account, quotaOctets: 30000, plans: [any-day] }
`;
const WITHOUT = rulesOf(TEST_CATALOGUE);
const BY_ACCOUNT = rulesOf(`${TEST_CATALOGUE}${quota('null')}`);
const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31));
process.stdout.write(`rerate accounts: seed ${seed}\n`);

/** Records of one partition: two accounts of two SIMs each, and two SIMs without one. */
function traffic(random: Random, count: number, topic: string): SourceLog {
  const records = Array.from({ length: count }, (_, localSequenceNumber) => {
    const sim = random.integer(1, 6);
    const startTime = Date.UTC(2026, 9, 1) + random.integer(0, 59 * 24) * 3_600_000;
    return testRecord({
      nodeId: topic,
      localSequenceNumber,
      servedMsisdn: `99900000000${sim}`,
      accountId: sim <= 4 ? `B-${Math.ceil(sim / 2)}` : null,
      startTime,
      endTime: startTime + 1000,
      contentType: random.pick([null, 'text', 'image']),
      downlinkOctets: random.integer(0, 9000),
    });
  });
  return { log: { topic, partition: 0, lane: 'flows-0' }, records: rawRecords(records, BOOKED_AT_MS) };
}
const FLOWS = traffic(new Random(seed), 150, 'flows');
/** In the same lane, and in no topic. */
const RECYCLED = traffic(new Random(seed + 1), 2, 'recycled/1/flows');

let opened: OpenedStore;
let known: unknown;
beforeAll(async () => {
  opened = await OPEN_STORE.embedded();
  await book(opened.store, BY_ACCOUNT, FLOWS);
  known = await currentRows(opened.store);
  await opened.close();
  opened = await OPEN_STORE.embedded();
  await book(opened.store, WITHOUT, FLOWS);
});
afterAll(() => opened?.close());

const correct = (name: string, rules: Rules) =>
  bookCorrection(
    opened.store,
    rules,
    { name, who: 'ada', why: 'a test', sponsorId: 'acme', range: AUTUMN },
    systemClock,
    { openSource: async () => bookedSource(opened.store, [FLOWS]) },
  );

test('a correction from the source charges what an engine would have charged that had the quota by account from the beginning', async () => {
  const atFirst = await currentRows(opened.store);
  expect(atFirst).not.toEqual(known);
  expect(await correct('forward', BY_ACCOUNT)).toMatchObject({ outcome: 'booked' });
  expect(await currentRows(opened.store)).toEqual(known);
  await correct('back', WITHOUT);
  expect(await currentRows(opened.store)).toEqual(atFirst);
});

test('corrected records are in no source: where a quota by account counts them nothing is booked', async () => {
  await book(opened.store, WITHOUT, RECYCLED);
  const before = await currentRows(opened.store);
  await expect(correct('with recycled', BY_ACCOUNT)).rejects.toThrow(
    /^recycled\/1\/flows has recycled records, which are in no source: quota \S+ counts plan \S+ of application any by account/,
  );
  expect(await currentRows(opened.store)).toEqual(before);
});
