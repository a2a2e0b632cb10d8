import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseCatalogue } from './catalogue/catalogue-compile.ts';
import type { FlowRecord } from './flow-record.ts';
import type { Lane } from './lane.ts';
import { earliestPeriodStart } from './pipeline.ts';
import { deriveQuotaUpdates, type QuotaUpdate } from './quota-updates.ts';
import { Rules } from './rules.ts';
import { asValue, classifyValues, rateValues, testLane, testRecord } from './traffic.fixture.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const LOG = { topic: 'flows', partition: 0 };

/** 300 a day and 2000 a month of chat, and 2500 a week of chat and maps together, in another zone; a second version takes less. */
const CATALOGUE = `
sponsors:
  - { id: acme, name: Acme, currency: ZAR, creditLimit: "1000" }
applications:
  - { id: chat, sponsor: acme, tags: [CHAT] }
  - { id: maps, sponsor: acme, tags: [MAPS] }
plans:
  - id: chat-month
    application: chat
    version: 1
    effectiveFrom: 2026-01-01T00:00:00Z
    effectiveTo: null
    period: month
    timeZone: Africa/Johannesburg
    content: { text: 10000, image: 3333, unknown: 5000 }
    quotaOctets: 2000
    windows: [{ period: day, quotaOctets: 300, notifyAt: [5000] }]
    tiers: [{ upToOctets: 700, pricePerMiB: "99.999999" }, { upToOctets: null, pricePerMiB: "12.5" }]
  - id: maps-day
    application: maps
    version: 1
    effectiveFrom: 2026-01-01T00:00:00Z
    effectiveTo: null
    period: day
    timeZone: UTC
    content: { text: 7777, unknown: 1 }
    quotaOctets: null
    tiers: [{ upToOctets: null, pricePerMiB: "7" }]
quotas:
  - id: acme-week
    sponsor: acme
    version: 1
    effectiveFrom: 2026-01-01T00:00:00Z
    effectiveTo: 2026-11-12T12:00:00Z
    period: week
    timeZone: Asia/Kathmandu
    quotaOctets: 2500
    plans: [chat-month, maps-day]
  - id: acme-week
    sponsor: acme
    version: 2
    effectiveFrom: 2026-11-12T12:00:00Z
    effectiveTo: null
    period: week
    timeZone: Asia/Kathmandu
    quotaOctets: 1500
    notifyAt: [10000]
    plans: [maps-day, chat-month]
`;

const rules = new Rules(parseCatalogue(CATALOGUE, 'c.yaml').catalogue!);
/** Monday the 9th of November 2026, noon in Johannesburg. */
const MONDAY_MS = Date.UTC(2026, 10, 9, 10);
const day = (date: string) => Date.parse(date) / DAY_MS;

type Usage = Pick<FlowRecord, 'zeroRatingTag' | 'contentType' | 'servedMsisdn' | 'startTime' | 'downlinkOctets'>;

const chat = (downlinkOctets: number, startTime = MONDAY_MS): Usage => ({
  zeroRatingTag: 'CHAT',
  contentType: 'text',
  servedMsisdn: '999000000001',
  startTime,
  downlinkOctets,
});
const maps = (downlinkOctets: number, startTime = MONDAY_MS): Usage => ({
  ...chat(downlinkOctets, startTime),
  zeroRatingTag: 'MAPS',
});

/** A lane that takes batch after batch, and every quota update that a consumer keeps. */
class Ratings {
  readonly lane: Lane = testLane();
  readonly consumed = new Map<string, QuotaUpdate>();
  /** Of every record in order: what was sponsored, and the charge. */
  readonly sponsored: number[] = [];
  readonly charges: number[] = [];
  readonly reasons: string[] = [];
  #records = 0;

  take(usages: readonly Usage[]): this {
    const values = usages.map((usage) => {
      const { startTime } = usage;
      return asValue(
        testRecord({
          ...usage,
          uplinkOctets: 0,
          localSequenceNumber: this.#records++,
          endTime: startTime,
          remoteIp: '8.8.8.8',
        }),
      );
    });
    const { batch, rated } = rateValues(values, this.lane, rules);
    for (const { sponsored, charge, reason } of rated) {
      this.sponsored.push(sponsored);
      this.charges.push(charge);
      this.reasons.push(reason);
    }
    for (const update of deriveQuotaUpdates(batch, this.lane, rules.catalogue, LOG)) {
      const key = `${update.subscriber}|${update.planId}`;
      const known = this.consumed.get(key);
      const isNewer =
        known === undefined ||
        update.periodStart > known.periodStart ||
        (update.periodStart === known.periodStart && update.version > known.version);
      if (isNewer) this.consumed.set(key, update);
    }
    return this;
  }

  /** All counters: use and carry, by subscriber, plan or further quota, and period. */
  counters(): Map<string, readonly [used: number, carry: number]> {
    const { counters, planPeriods, subscribers } = this.lane;
    const all = new Map<string, readonly [number, number]>();
    for (let subscriber = 0; subscriber < subscribers.count; subscriber++) {
      const who = Buffer.from(subscribers.pseudonym(subscriber)).toString('hex');
      for (const id of ['chat-month', 'chat-month:day', 'maps-day', 'acme-week']) {
        for (const period of planPeriods.laterThan(id, -1)) {
          if (!counters.has(subscriber, period)) continue;
          const counter = counters.open(subscriber, period);
          const { periodStart } = planPeriods.at(period);
          all.set(`${who}|${id}|${periodStart}`, [counters.usedOctets(counter), counters.carry(counter)]);
        }
      }
    }
    return all;
  }
}

describe('by hand', () => {
  const used = (ratings: Ratings, id: string, date: string) =>
    [...ratings.counters()].find(([key]) => key.endsWith(`|${id}|${day(date)}`))?.[1][0];

  test('300 a day and 2000 a month: a record is sponsored as far as both allow', () => {
    const ratings = new Ratings().take([chat(200), chat(200), chat(200)]);
    expect(ratings.sponsored).toEqual([200, 100, 0]);
    expect(ratings.reasons).toEqual(['sponsored', 'quota_reached', 'quota_exhausted']);
    expect(used(ratings, 'chat-month:day', '2026-11-09')).toBe(300);
    // The next day, in Johannesburg: it begins at 22:00 UTC.
    ratings.take([chat(250, Date.UTC(2026, 10, 9, 21, 59)), chat(250, Date.UTC(2026, 10, 9, 22))]);
    expect(ratings.sponsored.slice(3)).toEqual([0, 250]);
    expect(used(ratings, 'chat-month', '2026-11-01')).toBe(550);
    for (let later = 2; later < 9; later++) ratings.take([chat(300, MONDAY_MS + later * DAY_MS)]);
    // The week of both applications leaves 50 on its Saturday, as it has 1500 by then, and the month 200 on the last day.
    expect(ratings.sponsored.slice(5)).toEqual([300, 300, 300, 50, 0, 300, 200]);
    expect(used(ratings, 'chat-month', '2026-11-01')).toBe(2000);
  });

  test('a quota over two applications counts both, by each version’s own amount', () => {
    const ratings = new Ratings().take([maps(3000), chat(400), maps(1000)]);
    // 3000 x 0.7777 = 2333.1; 2500 - 2333 are left, and chat takes them before its day is used up.
    expect(ratings.sponsored).toEqual([2333, 167, 0]);
    expect(ratings.reasons).toEqual(['sponsored', 'quota_reached', 'quota_exhausted']);
    // Version 2 has a smaller quota than was used: nothing is taken back.
    ratings.take([chat(10, Date.UTC(2026, 10, 12, 12))]);
    expect(ratings.sponsored.at(-1)).toBe(0);
    expect(used(ratings, 'acme-week', '2026-11-09')).toBe(2500);
    const announced = [...ratings.consumed.values()].find(({ planId }) => planId === 'acme-week');
    const expected = { applicationId: '', sponsorId: 'acme', planVersion: 2, quotaOctets: 1500, remainingOctets: 0 };
    expect(announced).toMatchObject({ ...expected, usedOctets: 2500, thresholdReached: 10_000 });
  });

  test('each has updates of its own, with its own thresholds', () => {
    const ratings = new Ratings().take([chat(160)]);
    expect([...ratings.consumed.values()]).toMatchObject([
      { planId: 'chat-month', applicationId: 'chat', usedOctets: 160, remainingOctets: 1840, thresholdReached: 0 },
      { planId: 'chat-month:day', applicationId: 'chat', remainingOctets: 140, thresholdReached: 5000, version: 1 },
      { planId: 'acme-week', applicationId: '', remainingOctets: 2340, thresholdReached: 0 },
    ]);
  });

  test('the lane reaches back to the periods of all that counts a record', () => {
    const value = asValue(testRecord({ ...maps(1, Date.UTC(2026, 10, 12, 13)), endTime: Date.UTC(2026, 10, 12, 14) }));
    const batch = classifyValues([value], testLane(), rules);
    // maps counts by the day, and the week of the group began on Monday.
    expect(batch.periodStart[0]).toBe(day('2026-11-12'));
    expect(earliestPeriodStart(batch, rules)).toBe(day('2026-11-09'));
  });
});

const usages = fc.array(
  fc.record({
    zeroRatingTag: fc.constantFrom('CHAT', 'MAPS'),
    contentType: fc.constantFrom('text' as const, 'image' as const, null),
    servedMsisdn: fc.constantFrom('1999', '2999'),
    startTime: fc.nat({ max: 9 * 24 }).map((hours) => MONDAY_MS - DAY_MS + hours * HOUR_MS),
    downlinkOctets: fc.oneof(fc.nat({ max: 40 }), fc.nat({ max: 900 })),
  }),
  { minLength: 1, maxLength: 40 },
);

/** Cuts records into parts, one after the other: the same traffic, in the same periods. */
function cutRecords(all: readonly Usage[], cuts: readonly number[]): { parts: Usage[]; of: number[] } {
  const parts: Usage[] = [];
  const of: number[] = [];
  for (const [at, usage] of all.entries()) {
    const first = Math.floor((usage.downlinkOctets * cuts[at % cuts.length]) / 100);
    for (const downlinkOctets of [first, usage.downlinkOctets - first]) {
      parts.push({ ...usage, downlinkOctets });
      of.push(at);
    }
  }
  return { parts, of };
}

function inBatches(parts: readonly Usage[], sizes: readonly number[]): Ratings {
  const ratings = new Ratings();
  for (let from = 0, batch = 0; from < parts.length; batch++) {
    const size = sizes[batch % sizes.length];
    ratings.take(parts.slice(from, from + size));
    from += size;
  }
  return ratings;
}

const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31));
process.stdout.write(`quota-counting: seed ${seed}\n`);
const cuts = fc.array(fc.nat({ max: 100 }), { minLength: 1, maxLength: 7 });
const sizes = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 5 });

test('however traffic is cut into records and batches, every counter, and what each part of it costs, is the same', () => {
  fc.assert(
    fc.property(usages, cuts, sizes, (all, cutAt, sizesOf) => {
      const whole = new Ratings().take(all);
      const { parts, of } = cutRecords(all, cutAt);
      const cut = inBatches(parts, sizesOf);
      expect(cut.counters()).toEqual(whole.counters());
      const [sponsored, charges] = [all.map(() => 0), all.map(() => 0)];
      for (const [part, at] of of.entries()) {
        sponsored[at] += cut.sponsored[part];
        charges[at] += cut.charges[part];
      }
      expect(sponsored).toEqual(whole.sponsored);
      expect(charges).toEqual(whole.charges);
    }),
    { seed, numRuns: 300 },
  );
});

test('no quota is exceeded, each counter is the sum of what it counts, and a consumer of the updates has them all', () => {
  fc.assert(
    fc.property(usages, sizes, (all, sizesOf) => {
      const ratings = inBatches(all, sizesOf);
      const counters = ratings.counters();
      const sums = new Map<string, number>();
      for (const [at, usage] of all.entries()) {
        expect(ratings.sponsored[at]).toBeGreaterThanOrEqual(0);
        expect(ratings.sponsored[at]).toBeLessThanOrEqual(usage.downlinkOctets);
        const kind = usage.zeroRatingTag === 'CHAT' ? ['chat-month', 'chat-month:day'] : ['maps-day'];
        for (const id of [...kind, 'acme-week']) {
          sums.set(
            `${usage.servedMsisdn} ${id}`,
            (sums.get(`${usage.servedMsisdn} ${id}`) ?? 0) + ratings.sponsored[at],
          );
        }
      }
      const used = new Map<string, number>();
      const newest = new Map<string, readonly [periodStart: number, used: number]>();
      for (const [key, [octets]] of counters) {
        const [who, id, periodStart] = key.split('|');
        used.set(id, (used.get(id) ?? 0) + octets);
        const most = { 'chat-month': 2000, 'chat-month:day': 300, 'acme-week': 2500 }[id] ?? Number.POSITIVE_INFINITY;
        expect(octets).toBeLessThanOrEqual(most);
        const counter = `${who}|${id}`;
        const start = Number(periodStart);
        if (start >= (newest.get(counter)?.[0] ?? 0)) newest.set(counter, [start, octets]);
      }
      for (const [id, octets] of used) {
        const bySubscriber = ['1999', '2999'].map((msisdn) => sums.get(`${msisdn} ${id}`) ?? 0);
        expect(octets).toBe(bySubscriber[0] + bySubscriber[1]);
      }
      for (const [counter, [periodStart, octets]] of newest) {
        if (counter.endsWith('|maps-day')) continue; // a plan without a quota has nothing to announce
        expect(ratings.consumed.get(counter)).toMatchObject({ periodStart, usedOctets: octets });
      }
    }),
    { seed, numRuns: 300 },
  );
});
