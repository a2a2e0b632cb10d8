import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { amountDueOf, type MonthOfAccount, roundToUnit, taxOf } from './amount-due.ts';

const month = (of: Partial<MonthOfAccount>): MonthOfAccount => ({
  openingMicros: 0n,
  creditMicros: of.paidMicros ?? 0n,
  paidMicros: 0n,
  totalMicros: 0n,
  minorDigits: 2,
  taxRate: null,
  ...of,
});

test.each([
  [1_005_000n, 2, 1_010_000n],
  [-1_005_000n, 2, -1_010_000n],
  [1_004_999n, 2, 1_000_000n],
  [500_000n, 0, 1_000_000n],
  [1_500n, 3, 2_000n],
  [1_250n, 4, 1_300n],
])('%d micro-units with %d decimals are %d', (micros, digits, rounded) => {
  expect(roundToUnit(micros, digits)).toBe(rounded);
});

test.each([
  [100_000_000n, '19', 2, 19_000_000n],
  [10_000_000n, '8.875', 2, 890_000n],
  [-10_000_000n, '8.875', 2, -890_000n],
  [1_000_000n, '0.0001', 2, 0n],
  [105_000_000n, '10', 0, 11_000_000n],
  [100_000_000n, null, 2, 0n],
])('the tax on %d at %s with %d decimals is %d', (taxable, rate, digits, tax) => {
  expect(taxOf(taxable, rate, digits)).toBe(tax);
});

describe('the amount due', () => {
  test('of a month’s charges is their total in the currency’s unit, and the rounding makes up the rest', () => {
    expect(amountDueOf(month({ totalMicros: 30_004_321n }))).toEqual({
      taxableMicros: 30_000_000n,
      taxMicros: 0n,
      roundingMicros: 4_321n,
      amountDueMicros: 30_000_000n,
      closingMicros: -30_000_000n,
    });
  });

  test('has the tax in it', () => {
    const due = amountDueOf(month({ totalMicros: 30_006_000n, taxRate: '19' }));
    expect(due).toMatchObject({ taxMicros: 5_700_000n, amountDueMicros: 35_710_000n });
    expect(due.closingMicros).toBe(-35_710_000n);
  });

  test.each([
    ['what earlier statements bill is not billed again', { openingMicros: -100n, totalMicros: 50n }, 50n],
    ['a prepayment is used up first', { openingMicros: 20n, totalMicros: 50n }, 30n],
    ['so is a top-up of the month', { paidMicros: 20n, totalMicros: 50n }, 30n],
    ['a credit of more than the total leaves nothing due', { openingMicros: 70n, totalMicros: 50n }, 0n],
    ['an overpayment reduces the next one', { openingMicros: -100n, paidMicros: 110n, totalMicros: 50n }, 40n],
    [
      'a rebate reduces it, though an earlier one is unpaid',
      { openingMicros: -100n, creditMicros: 10n, totalMicros: 50n },
      40n,
    ],
    ['what an entry debits is due', { creditMicros: -5n, totalMicros: 50n }, 55n],
    ['a correction below 0 takes back what was billed', { openingMicros: -100n, totalMicros: -150n }, 0n],
  ] as const)('%s', (_, whole, due) => {
    const micros = Object.fromEntries(Object.entries(whole).map(([name, units]) => [name, units * 1_000_000n]));
    expect(amountDueOf(month(micros)).amountDueMicros).toBe(due * 1_000_000n);
  });

  const months = fc.array(
    fc.record({
      total: fc.bigInt({ min: -50_000_000n, max: 300_000_000n }),
      entry: fc.bigInt({ min: -9_000_000n, max: 9_000_000n }),
      isPaid: fc.boolean(),
    }),
    { minLength: 1, maxLength: 24 },
  );

  test('every debt is due once: when every statement is paid, nothing is owed', () => {
    fc.assert(
      fc.property(
        months,
        fc.integer({ min: 0, max: 4 }),
        fc.constantFrom(null, '19', '8.875'),
        (year, minorDigits, taxRate) => {
          let openingMicros = 0n;
          let unpaid = 0n;
          let exact = 0n;
          for (const { total, entry, isPaid } of year) {
            const paidMicros = isPaid ? unpaid : 0n;
            if (isPaid) unpaid = 0n;
            const creditMicros = entry + paidMicros;
            const due = amountDueOf({
              openingMicros,
              creditMicros,
              paidMicros,
              totalMicros: total,
              minorDigits,
              taxRate,
            });
            exact += creditMicros - total - due.taxMicros + due.roundingMicros;
            expect(due.closingMicros).toBe(exact);
            expect(roundToUnit(due.closingMicros, minorDigits)).toBe(due.closingMicros);
            expect(due.amountDueMicros % 10n ** BigInt(6 - minorDigits)).toBe(0n);
            expect(due.amountDueMicros >= 0n).toBe(true);
            unpaid += due.amountDueMicros;
            openingMicros = due.closingMicros;
          }
          // Remaining credit is no debt.
          expect(openingMicros + unpaid >= 0n).toBe(true);
        },
      ),
    );
  });

  test('without entries beside payments, and with totals above 0, paying every statement leaves exactly 0', () => {
    fc.assert(
      fc.property(
        fc.array(fc.bigInt({ min: 0n, max: 10n ** 15n }), { minLength: 1, maxLength: 24 }),
        fc.integer({ min: 0, max: 4 }),
        (totals, minorDigits) => {
          let openingMicros = 0n;
          let sum = 0n;
          for (const totalMicros of totals) {
            const due = amountDueOf(month({ openingMicros, totalMicros, minorDigits, taxRate: '7.5' }));
            sum += due.amountDueMicros;
            openingMicros = due.closingMicros;
          }
          expect(openingMicros + sum).toBe(0n);
        },
      ),
    );
  });
});
