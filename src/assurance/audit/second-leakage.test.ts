import fc from 'fast-check';
import { expect, test } from 'vitest';
import { leakageKey } from '../../journal/evidence/batch-lists.ts';
import { leakageOf } from '../../rating/batch-summary.ts';
import { REASONS } from '../../rating/outcome.ts';
import { NO_FACTS } from '../../rating/rules.ts';
import { PseudonymKey } from '../../rating/subscribers.ts';
import { asValue, rateValues, testLane, testRecord, testRules } from '../../rating/traffic.fixture.ts';
import { SecondComputation, secondRules } from './second-computation.ts';
import { secondLeakage } from './second-leakage.ts';

const rules = testRules();
const second = secondRules(rules.catalogue.canonicalJson, NO_FACTS);
const address = fc.oneof(
  fc.ipV4(),
  fc.ipV6(),
  fc.constantFrom(
    '8.8.8.8',
    '8.8.8.9',
    '::ffff:8.8.8.10',
    '::',
    '0:0:1::',
    '1::',
    '1:0:1::',
    '::1:0:0:0:0:0',
    'a:0:0:b::c',
  ),
);

test('the engine and the second computation give the same leakage', () => {
  const drawn = fc.record({
    nodeId: fc.constantFrom('gw-1', 'gw-2'),
    remoteIp: address,
    zeroRatingTag: fc.constantFrom(
      null,
      '',
      'ANY',
      'IP',
      'OLD',
      'ÖLD',
      'T-4917012345678',
      'T-4917012345679',
      '49 170-1234 5678',
      '12-3456',
    ),
    startTime: fc.constantFrom(Date.UTC(2026, 10, 10, 23, 59), Date.UTC(2026, 10, 11)),
    contentType: fc.constantFrom(null, 'other' as const),
    uplinkOctets: fc.nat(2),
    downlinkOctets: fc.nat(2),
  });
  fc.assert(
    fc.property(fc.array(drawn, { maxLength: 60 }), fc.integer({ min: 0, max: 12 }), (fields, maxRows) => {
      const records = fields.map((own, at) =>
        testRecord({ localSequenceNumber: at, ...own, endTime: own.startTime + 1 }),
      );
      const lane = testLane();
      const { batch } = rateValues(records.map(asValue), lane, rules);
      const { rows } = leakageOf(batch, { nodes: lane.nodes.list, tags: rules.evidence.tags }, maxRows);
      const key = PseudonymKey.ofRoot(Buffer.alloc(32, 3));
      const computation = new SecondComputation({ pseudonymKey: key, duplicateWindowRecords: 1000 });
      const computed = records.map((read, at) => ({ read, outcome: computation.compute(at, read, second) }));
      const applicationId = (application: number) => rules.catalogue.applications[application]?.id ?? '';
      const keyed = rows.map(({ application, reasonCode, records, octets, ...group }) => [
        leakageKey({ ...group, applicationId: applicationId(application), reason: REASONS[reasonCode].reason }),
        { records, octets },
      ]);
      expect(keyed).toEqual(
        [...secondLeakage(computed, maxRows, second.byTag)].sort(byOrderOf(keyed.map(([name]) => name))),
      );
    }),
  );
});

/** Remainders are ordered by catalogue in one list, and by size in the other. */
function byOrderOf(names: readonly unknown[]) {
  return ([a]: [string, unknown], [b]: [string, unknown]) => names.indexOf(a) - names.indexOf(b);
}
