import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { PriceTier } from './catalogue.ts';
import { cumulativeChargeMicros } from './rate.ts';

/** Rule 6 word for word, in integers of any size. */
function model(tiers: readonly PriceTier[], octets: number): bigint {
  let sum = 0n;
  let from = 0;
  for (const { upToOctets, pricePerMiBMicros } of tiers) {
    sum += BigInt(Math.max(0, Math.min(octets, upToOctets) - from)) * BigInt(pricePerMiBMicros);
    from = upToOctets;
  }
  return (sum + 2n ** 19n) / 2n ** 20n;
}

const price = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const tiers = fc
  .tuple(
    fc.uniqueArray(fc.integer({ min: 1, max: 2 ** 50 }), { maxLength: 6 }),
    fc.array(price, { minLength: 7, maxLength: 7 }),
  )
  .map(([limits, prices]): PriceTier[] =>
    [...limits.sort((a, b) => a - b), Number.POSITIVE_INFINITY].map((upToOctets, at) => ({
      upToOctets,
      pricePerMiBMicros: prices[at],
    })),
  );

describe('the cumulative price', () => {
  test('is the formula, wherever the result is an exact integer', () => {
    fc.assert(
      fc.property(tiers, fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }), (plan, octets) => {
        const expected = model(plan, octets);
        const charge = cumulativeChargeMicros(plan, octets);
        if (expected <= BigInt(Number.MAX_SAFE_INTEGER)) expect(BigInt(charge)).toBe(expected);
        else expect(charge).toBeGreaterThan(Number.MAX_SAFE_INTEGER);
      }),
      { numRuns: 2000 },
    );
  });

  test('never falls as octets rise', () => {
    const octets = fc.integer({ min: 0, max: 2 ** 51 });
    fc.assert(
      fc.property(tiers, octets, octets, (plan, some, others) => {
        const [fewer, more] = [Math.min(some, others), Math.max(some, others)];
        expect(cumulativeChargeMicros(plan, fewer)).toBeLessThanOrEqual(cumulativeChargeMicros(plan, more));
        expect(cumulativeChargeMicros(plan, fewer)).toBeLessThanOrEqual(cumulativeChargeMicros(plan, fewer + 1));
      }),
    );
  });

  test.each<[number, number, number]>([
    [0, 1_000_000, 0],
    [1 << 20, 123_457, 123_457],
    [1 << 19, 1, 1], // exactly a half: up
    [(1 << 19) - 1, 1, 0],
    [3 << 19, 1, 2],
    [1, 2 ** 32 - 1, 4096],
  ])('%d octets at %d micros a MiB cost %d', (octets, pricePerMiBMicros, expected) => {
    expect(cumulativeChargeMicros([{ upToOctets: Number.POSITIVE_INFINITY, pricePerMiBMicros }], octets)).toBe(
      expected,
    );
  });

  test('rounds once over the tiers, not in each of them', () => {
    const half = { pricePerMiBMicros: 1 };
    const plan = [
      { upToOctets: 1 << 18, ...half },
      { upToOctets: 1 << 19, ...half },
      { upToOctets: Number.POSITIVE_INFINITY, ...half },
    ];
    expect(cumulativeChargeMicros(plan, 1 << 19)).toBe(1);
  });
});
