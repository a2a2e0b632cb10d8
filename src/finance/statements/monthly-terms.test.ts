import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type PostedTerms, secondMonthlyTerms } from '../../assurance/audit/second-monthly-terms.ts';
import {
  type AgreedTerms,
  agreedIn,
  type BilledUsage,
  billTerms,
  firstMonthOfTerms,
  termsParts,
} from './monthly-terms.ts';
import { statementJson } from './statement-document.ts';

const SEED = 2104;

const amount = fc.bigInt({ min: 0n, max: 10n ** 15n });
const charges = fc.record({
  octets: fc.oneof(fc.bigInt({ min: -(10n ** 6n), max: 10n ** 13n }), fc.constantFrom(0n, 1n, -1n)),
  micros: fc.oneof(fc.bigInt({ min: -(10n ** 14n), max: 10n ** 15n }), fc.constantFrom(0n, 1n, -1n, 5n, -5n, 15n)),
});
const rebate = fc.record({
  appliesTo: fc.constantFrom('all_charges' as const, 'charges_in_band' as const),
  bands: fc
    .uniqueArray(
      fc.record({
        fromOctets: fc.oneof(fc.bigInt({ min: 0n, max: 10n ** 13n }), fc.constantFrom(0n, 1n, 2n)),
        basisPoints: fc.oneof(fc.integer({ min: 0, max: 10_000 }), fc.constantFrom(1, 3333, 9999)),
      }),
      { minLength: 1, maxLength: 5, selector: ({ fromOctets }) => fromOctets },
    )
    .map((bands) => bands.sort((a, b) => (a.fromOctets < b.fromOctets ? -1 : 1))),
});
const agreed = (applicationId: string | null): fc.Arbitrary<AgreedTerms> =>
  fc.record({
    id: fc.constant(`terms-${applicationId}`),
    version: fc.constant(1),
    applicationId: fc.constant(applicationId),
    flatFeeMicros: fc.oneof(fc.constant(0n), amount),
    minimumCommitmentMicros: fc.option(amount),
    volumeRebate: fc.option(rebate),
  });
const sponsor = fc
  .tuple(fc.option(agreed('a')), fc.option(agreed('b')), fc.option(agreed(null)))
  .map((all) => all.filter((terms) => terms !== null));
const covered = fc.record({ a: charges, b: charges, c: charges });

/** In micro-units and octets. */
function usageIn(used: Record<string, { octets: bigint; micros: bigint }>) {
  return (applicationId: string | null): BilledUsage => {
    const own = Object.entries(used).filter(([id]) => applicationId === null || id === applicationId);
    return {
      sponsoredOctets: own.reduce((sum, [, { octets }]) => sum + octets, 0n),
      chargeMicros: own.reduce((sum, [, { micros }]) => sum + micros, 0n),
    };
  };
}

describe(`monthly terms of any months, seed ${SEED}`, () => {
  test('equal a second computation', () => {
    fc.assert(
      fc.property(sponsor, covered, (terms, used) => {
        const billed = billTerms(terms, usageIn(used));
        const posted = JSON.parse(statementJson(billed, 0)) as PostedTerms[];
        const second = secondMonthlyTerms(posted, new Map(Object.entries(used)));
        for (const [at, computed] of second.entries()) expect(billed[at]).toMatchObject(computed);
      }),
      { seed: SEED, numRuns: 2000 },
    );
  });

  test('no month is billed less than its commitment, and none that reaches it is billed a shortfall', () => {
    fc.assert(
      fc.property(sponsor, covered, (terms, used) => {
        for (const { minimumCommitmentMicros, countedMicros, shortfallMicros } of billTerms(terms, usageIn(used))) {
          const committed = minimumCommitmentMicros ?? 0n;
          if (minimumCommitmentMicros !== null) expect(countedMicros + shortfallMicros >= committed).toBe(true);
          expect(shortfallMicros === 0n || countedMicros + shortfallMicros === committed).toBe(true);
        }
      }),
      { seed: SEED, numRuns: 500 },
    );
  });

  test('bill the charges and what is added to them: nothing is lost between applications and the sponsor', () => {
    fc.assert(
      fc.property(sponsor, covered, (terms, used) => {
        const billed = billTerms(terms, usageIn(used));
        const own = billed.find(({ applicationId }) => applicationId === null);
        const total =
          usageIn(used)(null).chargeMicros + billed.reduce((sum, { amountMicros }) => sum + amountMicros, 0n);
        const fees = billed.reduce((sum, { flatFeeMicros }) => sum + flatFeeMicros, 0n);
        if (own !== undefined) expect(total).toBe(own.countedMicros + own.shortfallMicros + fees);
        expect(termsParts({ monthlyTerms: billed }).reduce((sum, part) => sum + part.amountMicros, 0n)).toBe(
          billed.reduce((sum, { amountMicros }) => sum + amountMicros, 0n),
        );
      }),
      { seed: SEED, numRuns: 500 },
    );
  });

  test('a rebate in bands does not fall below that of a smaller band, nor rise above all charges', () => {
    fc.assert(
      fc.property(rebate, amount, fc.bigInt({ min: 1n, max: 10n ** 13n }), (volumeRebate, micros, octets) => {
        const terms = { ...plain, volumeRebate };
        const [{ rebateMicros }] = billTerms([terms], () => ({ sponsoredOctets: octets, chargeMicros: micros }));
        expect(rebateMicros >= 0n && rebateMicros <= micros).toBe(true);
      }),
      { seed: SEED, numRuns: 500 },
    );
  });
});

const plain: AgreedTerms = {
  id: 't',
  version: 1,
  applicationId: null,
  flatFeeMicros: 0n,
  minimumCommitmentMicros: null,
  volumeRebate: null,
};
const bands = [
  { fromOctets: 100n, basisPoints: 500 },
  { fromOctets: 200n, basisPoints: 1000 },
];
const rebateAt = (appliesTo: 'all_charges' | 'charges_in_band', sponsoredOctets: bigint, chargeMicros = 1_000_000n) =>
  billTerms([{ ...plain, volumeRebate: { appliesTo, bands } }], () => ({ sponsoredOctets, chargeMicros }))[0]
    .rebateMicros;

test.each([
  [99n, 0n, 0n],
  [100n, 50_000n, 0n],
  [101n, 50_000n, 495n],
  [199n, 50_000n, 24_874n],
  [200n, 100_000n, 25_000n],
  [400n, 100_000n, 62_500n],
  [-5n, 0n, 0n],
])('a volume of %s octets: a rebate of %s on all charges, of %s on those in bands', (octets, all, inBands) => {
  expect(rebateAt('all_charges', octets)).toBe(all);
  expect(rebateAt('charges_in_band', octets)).toBe(inBands);
});

test('half a micro-unit is rounded away from zero, on either side of it', () => {
  expect(rebateAt('all_charges', 100n, 10n)).toBe(1n);
  expect(rebateAt('all_charges', 100n, -10n)).toBe(-1n);
  expect(rebateAt('all_charges', 100n, 9n)).toBe(0n);
});

const MONTHLY = {
  ...{ id: 'x', version: 1, sponsorId: 's', applicationId: null, fromMonth: '2026-03', toMonth: '2026-05' },
  ...{ flatFeeMicros: 5, minimumCommitmentMicros: null, volumeRebate: null },
};

test('terms are in force from their first month until before their end, applications first', () => {
  const all = [
    { ...MONTHLY, id: 'own' },
    { ...MONTHLY, id: 'b', applicationId: 'b' },
    { ...MONTHLY, id: 'a', applicationId: 'a', fromMonth: '2026-04', toMonth: null },
    { ...MONTHLY, id: 'other', sponsorId: 'other' },
  ];
  const idsIn = (month: string) => agreedIn(all, 's', month).map(({ id }) => id);
  expect(idsIn('2026-02')).toEqual([]);
  expect(idsIn('2026-03')).toEqual(['b', 'own']);
  expect(idsIn('2026-04')).toEqual(['a', 'b', 'own']);
  expect(idsIn('2026-05')).toEqual(['a']);
  expect(firstMonthOfTerms(all, 's')).toBe('2026-03');
  expect(firstMonthOfTerms(all, 'none')).toBeNull();
});
