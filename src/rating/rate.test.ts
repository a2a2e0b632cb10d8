import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Plan } from './catalogue.ts';
import { FlowBatch } from './flow-record.ts';
import { CounterTable, cumulativeChargeMicros, rate } from './rate.ts';
import { MAX_RECORD_OCTETS } from './record/validate.ts';

const NO_QUOTA = Number.POSITIVE_INFINITY;
const OPEN = Number.POSITIVE_INFINITY;

interface Usage {
  uplinkOctets: number;
  downlinkOctets: number;
  /** Index into CONTENT_TYPES. */
  contentType: number;
}

function testPlan(overrides: Partial<Plan> = {}): Plan {
  return {
    id: 'plan',
    version: 1,
    application: 0,
    effectiveFromMs: 0,
    effectiveToMs: Number.POSITIVE_INFINITY,
    order: Number.POSITIVE_INFINITY,
    hours: null,
    network: null,
    period: 'month',
    timeZone: 'UTC',
    shareBasisPoints: [10_000, 3333, 1, 0, 9999, 5000],
    quotaOctets: NO_QUOTA,
    allocateAboveOctets: 0,
    notifyAtBasisPoints: [],
    tiers: [
      { upToOctets: 3000, pricePerMiBMicros: 99_999_999 },
      // So low that a dozen of the largest records stay within the exact integers.
      { upToOctets: OPEN, pricePerMiBMicros: 1_000_001 },
    ],
    latePolicy: 'adjust',
    furtherQuotas: [],
    ...overrides,
  };
}

/** Rates the records one after another in one counter that begins at `used` and `carry`. */
function rateAll(plan: Plan, usages: readonly Usage[], { used = 0, carry = 0 } = {}) {
  const counters = new CounterTable();
  const counter = counters.open(7, 3);
  counters.set(counter, used, carry);
  const batch = new FlowBatch(Math.max(1, usages.length));
  const rows = usages.map(({ uplinkOctets, downlinkOctets, contentType }, row) => {
    batch.count++;
    batch.uplinkOctets[row] = uplinkOctets;
    batch.downlinkOctets[row] = downlinkOctets;
    batch.contentType[row] = contentType;
    const reason = rate(batch, row, plan, counters, counter);
    return {
      reason,
      octets: uplinkOctets + downlinkOctets,
      sponsored: batch.sponsoredOctets[row],
      charge: batch.chargeMicros[row],
      used: batch.usedOctetsAfter[row],
      carry: batch.carryAfter[row],
    };
  });
  return { rows, counter: { used: counters.usedOctets(counter), carry: counters.carry(counter) } };
}

const octets = fc.oneof(
  { weight: 5, arbitrary: fc.integer({ min: 0, max: 5000 }) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: MAX_RECORD_OCTETS }) },
  { weight: 1, arbitrary: fc.constantFrom(0, 9999, 10_000, 10_001, MAX_RECORD_OCTETS) },
);
const usages = fc.array(
  fc.record({ uplinkOctets: octets, downlinkOctets: octets, contentType: fc.integer({ min: 0, max: 5 }) }),
  { maxLength: 12 },
);
const shares = fc.array(fc.integer({ min: 0, max: 10_000 }), { minLength: 6, maxLength: 6 });
const quota = fc.oneof(
  fc.integer({ min: 0, max: 20_000 }),
  fc.integer({ min: 0, max: 2 ** 52 }),
  fc.constant(NO_QUOTA),
);

describe('sums of a period', () => {
  test('sponsored is the smaller of the quota and the shares’ whole octets, for any mix of content', () => {
    fc.assert(
      fc.property(usages, shares, quota, (list, shareBasisPoints, quotaOctets) => {
        const plan = testPlan({ shareBasisPoints, quotaOctets });
        const { rows, counter } = rateAll(plan, list);
        const parts = list.reduce(
          (sum, { uplinkOctets, downlinkOctets, contentType }) =>
            sum + BigInt(uplinkOctets + downlinkOctets) * BigInt(shareBasisPoints[contentType]),
          0n,
        );
        const shared = parts / 10_000n;
        const isReached = quotaOctets !== NO_QUOTA && shared >= BigInt(quotaOctets);
        expect(BigInt(counter.used)).toBe(isReached ? BigInt(quotaOctets) : shared);
        expect(counter.carry).toBe(isReached ? 0 : Number(parts % 10_000n));
        expect(rows.reduce((sum, { sponsored }) => sum + BigInt(sponsored), 0n)).toBe(BigInt(counter.used));
        for (const row of rows) {
          expect(row.sponsored).toBeGreaterThanOrEqual(0);
          expect(row.sponsored).toBeLessThanOrEqual(row.octets);
        }
      }),
      { numRuns: 1000 },
    );
  });

  test('charges add up to the cumulative price, and none is below 0', () => {
    fc.assert(
      fc.property(usages, quota, (list, quotaOctets) => {
        const plan = testPlan({ quotaOctets });
        const { rows, counter } = rateAll(plan, list);
        expect(rows.reduce((sum, { charge }) => sum + charge, 0)).toBe(
          cumulativeChargeMicros(plan.tiers, counter.used),
        );
        for (const { charge } of rows) expect(charge).toBeGreaterThanOrEqual(0);
      }),
      { numRuns: 1000 },
    );
  });

  test('how traffic of one content type is cut into records changes neither counter nor charge', () => {
    const total = fc.integer({ min: 0, max: 60_000 });
    const cuts = fc.array(fc.integer({ min: 0, max: 60_000 }), { maxLength: 15 });
    fc.assert(
      fc.property(total, cuts, fc.integer({ min: 0, max: 5 }), quota, (whole, points, contentType, quotaOctets) => {
        const plan = testPlan({ quotaOctets });
        const usage = (downlinkOctets: number): Usage => ({ uplinkOctets: 0, downlinkOctets, contentType });
        const bounds = [0, ...points.filter((at) => at <= whole).sort((a, b) => a - b), whole];
        const parts = bounds.slice(1).map((at, index) => usage(at - bounds[index]));
        const [one, many] = [rateAll(plan, [usage(whole)]), rateAll(plan, parts)];
        expect(many.counter).toEqual(one.counter);
        expect(many.rows.reduce((sum, { charge }) => sum + charge, 0)).toBe(one.rows[0].charge);
      }),
      { numRuns: 1000 },
    );
  });
});

describe('the quota', () => {
  // All of `text` is sponsored; a record has 100 octets.
  test.each<[string, number, number, string, number]>([
    ['none at all', 0, 0, 'quota_exhausted', 0],
    ['one octet short of it', 101, 0, 'sponsored', 100],
    ['met exactly', 100, 0, 'quota_reached', 100],
    ['passed by one octet', 99, 0, 'quota_reached', 99],
    ['used up before', 100, 100, 'quota_exhausted', 0],
    ['one octet left', 100, 99, 'quota_reached', 1],
    ['smaller than what an earlier version let through', 50, 80, 'quota_exhausted', 0],
  ])('%s', (_, quotaOctets, used, reason, sponsored) => {
    const usage = { uplinkOctets: 40, downlinkOctets: 60, contentType: 0 };
    const { rows, counter } = rateAll(testPlan({ quotaOctets }), [usage], { used });
    expect(rows[0]).toMatchObject({ reason, sponsored });
    expect(counter.used).toBe(used + sponsored);
  });

  test('an exhausted one charges nothing and leaves the counter as it was', () => {
    const usage = { uplinkOctets: 1, downlinkOctets: 2, contentType: 0 };
    const { rows, counter } = rateAll(testPlan({ quotaOctets: 100 }), [usage], { used: 100 });
    expect(rows[0]).toMatchObject({ charge: 0, used: 100, carry: 0 });
    expect(counter).toEqual({ used: 100, carry: 0 });
  });
});

describe('numbers at the edge of the exact integers', () => {
  const huge = { uplinkOctets: MAX_RECORD_OCTETS, downlinkOctets: MAX_RECORD_OCTETS, contentType: 4 };

  test('the largest record by the most awkward share', () => {
    const parts = BigInt(2 * MAX_RECORD_OCTETS) * 9999n + 9999n;
    const plan = testPlan({ tiers: [{ upToOctets: OPEN, pricePerMiBMicros: 1 }] });
    const { counter } = rateAll(plan, [huge], { carry: 9999 });
    expect(BigInt(counter.used)).toBe(parts / 10_000n);
    expect(BigInt(counter.carry)).toBe(parts % 10_000n);
  });

  test.each<[string, number, number]>([
    ['the counter', 0, Number.MAX_SAFE_INTEGER - 10],
    ['the charge', 2 ** 32 - 1, 2 ** 40],
  ])('%s that would pass them leaves the record and the counter alone', (_, pricePerMiBMicros, used) => {
    const plan = testPlan({ tiers: [{ upToOctets: OPEN, pricePerMiBMicros }] });
    const { rows, counter } = rateAll(plan, [huge], { used, carry: 17 });
    expect(rows[0]).toMatchObject({ reason: 'charge_out_of_range', sponsored: 0, charge: 0, used: 0, carry: 0 });
    expect(counter).toEqual({ used, carry: 17 });
  });

  test('a counter, and a charge, of 2^53 - 1 exactly are still exact', () => {
    const free = testPlan({ tiers: [{ upToOctets: OPEN, pricePerMiBMicros: 0 }] });
    const usage = (downlinkOctets: number): Usage => ({ uplinkOctets: 0, downlinkOctets, contentType: 0 });
    const used = Number.MAX_SAFE_INTEGER - 10;
    expect(rateAll(free, [usage(10)], { used }).rows[0]).toMatchObject({ reason: 'sponsored', used: used + 10 });
    expect(rateAll(free, [usage(11)], { used }).rows[0]).toMatchObject({ reason: 'charge_out_of_range' });
    // A micro-unit an octet.
    const dear = testPlan({ tiers: [{ upToOctets: OPEN, pricePerMiBMicros: 2 ** 20 }] });
    expect(rateAll(dear, [usage(10)], { used }).rows[0]).toMatchObject({ reason: 'sponsored', charge: 10 });
  });
});
