import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CounterTable } from './rate.ts';

test('counters keep apart and keep their values over growth and where room was made, as a map does', () => {
  const key = fc.tuple(fc.integer({ min: 0, max: 2000 }), fc.integer({ min: 0, max: 5 }));
  fc.assert(
    fc.property(
      fc.array(fc.tuple(key, fc.integer({ min: 1, max: 2 ** 40 })), { minLength: 2000, maxLength: 6000 }),
      fc.integer({ min: 0, max: 2000 }),
      fc.integer({ min: 0, max: 20_000 }),
      (moves, reservedAt, reserved) => {
        const table = new CounterTable();
        const map = new Map<string, { used: number; carry: number }>();
        moves.forEach(([[subscriber, planPeriod], octets], at) => {
          if (at === reservedAt) table.reserve(at + reserved);
          const counter = table.open(subscriber, planPeriod);
          table.set(counter, table.usedOctets(counter) + octets, octets % 10_000);
          table.noteRow(counter, octets % 77);
          const before = map.get(`${subscriber} ${planPeriod}`)?.used ?? 0;
          map.set(`${subscriber} ${planPeriod}`, { used: before + octets, carry: octets % 10_000 });
        });
        expect(table.count).toBe(map.size);
        for (const [name, { used, carry }] of map) {
          const [subscriber, planPeriod] = name.split(' ').map(Number);
          expect(table.has(subscriber, planPeriod)).toBe(true);
          const counter = table.open(subscriber, planPeriod);
          expect([table.usedOctets(counter), table.carry(counter)]).toEqual([used, carry]);
          expect(table.planPeriod(counter)).toBe(planPeriod);
        }
        expect(table.has(9999, 0)).toBe(false);
      },
    ),
    { numRuns: 20 },
  );
});
