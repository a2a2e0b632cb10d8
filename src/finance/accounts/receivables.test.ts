import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Bill, receivablesOf } from './receivables.ts';

const NOW_MS = Date.UTC(2026, 11, 1);
const bill = (month: string, closedOn: string, amountMicros: bigint): Bill => ({ month, closedOn, amountMicros });
const BILLS = [
  bill('2026-07', '2026-08-02', 100n),
  bill('2026-08', '2026-09-30', 50n),
  bill('2026-10', '2026-11-02', 30n),
];

describe('receivables', () => {
  test('are unpaid bills by the days since their closing; unbilled charges are listed beside them', () => {
    const receivables = receivablesOf({ creditedMicros: 0n, chargedMicros: 187n }, BILLS, NOW_MS);
    expect(receivables).toEqual({
      dueMicros: 180n,
      unbilledMicros: 7n,
      creditMicros: 0n,
      byAge: [
        { name: '0 to 30 days', micros: 30n },
        { name: '31 to 60 days', micros: 0n },
        { name: '61 to 90 days', micros: 50n },
        { name: 'over 90 days', micros: 100n },
      ],
    });
  });

  test('are paid oldest first', () => {
    const { byAge, dueMicros } = receivablesOf({ creditedMicros: 120n, chargedMicros: 187n }, BILLS, NOW_MS);
    expect(byAge.map(({ micros }) => micros)).toEqual([30n, 0n, 30n, 0n]);
    expect(dueMicros).toBe(60n);
  });

  test('are 0 where more was paid than charged', () => {
    const paid = receivablesOf({ creditedMicros: 200n, chargedMicros: 187n }, BILLS, NOW_MS);
    expect(paid).toMatchObject({ dueMicros: 0n, unbilledMicros: 0n, creditMicros: 13n });
  });

  test('of credit bills pay others', () => {
    const bills = [bill('2026-09', '2026-10-02', -40n), ...BILLS];
    expect(receivablesOf({ creditedMicros: 0n, chargedMicros: 140n }, bills, NOW_MS)).toMatchObject({
      dueMicros: 140n,
      unbilledMicros: 0n,
    });
  });

  test('plus unbilled charges, less prepayments, are the balance, to the micro-unit', () => {
    const micros = fc.bigInt({ min: -(10n ** 15n), max: 10n ** 15n });
    const drawn = fc.record({ month: fc.constantFrom('2026-01', '2026-05', '2026-09'), amountMicros: micros });
    fc.assert(
      fc.property(micros, micros, fc.array(drawn), (creditedMicros, chargedMicros, list) => {
        const bills = list.map((each) => ({ ...each, closedOn: `${each.month}-28` }));
        const { dueMicros, unbilledMicros, creditMicros, byAge } = receivablesOf(
          { creditedMicros, chargedMicros },
          bills,
          NOW_MS,
        );
        expect(dueMicros + unbilledMicros - creditMicros).toBe(chargedMicros - creditedMicros);
        expect(byAge.reduce((sum, { micros }) => sum + micros, 0n)).toBe(dueMicros);
        for (const amount of [dueMicros, unbilledMicros, creditMicros]) expect(amount >= 0n).toBe(true);
        // A credit is left only when everything is paid.
        expect(creditMicros === 0n || dueMicros + unbilledMicros === 0n).toBe(true);
      }),
    );
  });
});
