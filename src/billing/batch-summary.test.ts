import fc from 'fast-check';
import { expect, test } from 'vitest';
import { summarise } from './batch-summary.ts';
import { FlowBatch } from './flow-batch.ts';
import { OUTCOMES, outcomeOf, REASONS } from './outcome.ts';

const rowsOf = (maxOctets: number, maxLength: number) =>
  fc.array(
    fc.record({
      reason: fc.integer({ min: 0, max: REASONS.length - 1 }),
      application: fc.integer({ min: -1, max: 3 }),
      octets: fc.integer({ min: 0, max: maxOctets }),
      chargeMicros: fc.integer({ min: 0, max: 2 ** 40 }),
    }),
    { maxLength },
  );

test('a record that nothing was decided of is a bug', () => {
  const batch = new FlowBatch(1);
  batch.count = 1;
  expect(() => summarise(batch)).toThrow('row 0 is undecided');
});

test('every record and its octets are counted once by outcome, and once by application and reason', () => {
  fc.assert(
    fc.property(rowsOf(2 ** 40, 200), (rows) => {
      const batch = new FlowBatch(200);
      rows.forEach(({ reason, application, octets, chargeMicros }, row) => {
        batch.count++;
        batch.reason[row] = reason;
        batch.application[row] = application;
        batch.downlinkOctets[row] = octets;
        batch.chargeMicros[row] = chargeMicros;
      });
      const { records, octets, counts } = summarise(batch);
      for (const outcome of OUTCOMES) {
        const own = rows.filter(({ reason }) => outcomeOf(reason) === outcome);
        const counted = counts.filter(({ reasonCode }) => outcomeOf(reasonCode) === outcome);
        const sum = own.reduce((total, row) => total + row.octets, 0);
        expect([records[outcome], octets[outcome]]).toEqual([own.length, sum]);
        expect(counted.reduce((total, count) => total + count.records, 0)).toBe(own.length);
        expect(counted.reduce((total, count) => total + count.octets, 0)).toBe(sum);
        expect(counted.reduce((total, count) => total + count.chargeMicros, 0)).toBe(
          own.reduce((total, row) => total + row.chargeMicros, 0),
        );
      }
      expect(new Set(counts.map(({ application, reasonCode }) => `${application} ${reasonCode}`)).size).toBe(
        counts.length,
      );
    }),
  );
});
