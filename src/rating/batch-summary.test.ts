import fc from 'fast-check';
import { expect, test } from 'vitest';
import { summarise } from './batch-summary.ts';
import { FlowBatch, UNDECIDED } from './flow-record.ts';
import { OUTCOMES, outcomeOf, REASON_CODE, REASONS, type Reason } from './outcome.ts';

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

test.each([
  ['no reason', UNDECIDED],
  ['a reason past the last', REASONS.length],
])('%s is a bug', (_, reason) => {
  const batch = new FlowBatch(1);
  batch.count = 1;
  batch.reason[0] = reason;
  expect(() => summarise(batch)).toThrow('row 0 is undecided');
});

test('a count names its application, and rows after the last one are in none', () => {
  const batch = new FlowBatch(3);
  const rows: [reason: Reason, application: number, octets: number, micros: number][] = [
    ['sponsored', 2, 100, 7],
    ['no_evidence', -1, 40, 0],
    ['sponsored', 2, 1000, 9],
  ];
  rows.forEach(([reason, application, octets, micros], row) => {
    batch.reason[row] = REASON_CODE[reason];
    batch.application[row] = application;
    batch.uplinkOctets[row] = octets;
    batch.chargeMicros[row] = micros;
  });
  batch.count = 2;
  const unknown = { application: -1, reasonCode: REASON_CODE.no_evidence, records: 1, octets: 40, chargeMicros: 0 };
  const charged = { application: 2, reasonCode: REASON_CODE.sponsored, records: 1, octets: 100, chargeMicros: 7 };
  expect(summarise(batch).counts).toEqual([unknown, charged]);
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
