import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fingerprintOf } from './fingerprint.ts';
import { FLOW_RECORD_FIELDS, type FlowRecord } from './flow-record.ts';
import { testRecord } from './traffic.fixture.ts';

const changes: Record<string, fc.Arbitrary<unknown>> = {
  number: fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
  string: fc.string({ maxLength: 40 }),
  object: fc.oneof(fc.constant(null), fc.constant(''), fc.string({ maxLength: 10 })),
};

test.each(FLOW_RECORD_FIELDS)('another %s is another content', (name) => {
  const record = testRecord();
  const isNumber = typeof record[name] === 'number' || name === 'ratingGroup' || name === 'serviceIdentifier';
  fc.assert(
    fc.property(isNumber ? changes.number : changes[typeof record[name]], (value) => {
      fc.pre(value !== record[name]);
      const changed = { ...record, [name]: value } as FlowRecord;
      expect(fingerprintOf(changed)).not.toBe(fingerprintOf(record));
      expect(fingerprintOf({ ...changed })).toBe(fingerprintOf(changed));
    }),
  );
});

test('neighbouring texts do not run into each other', () => {
  const one = fingerprintOf(testRecord({ servedMsisdn: '12', servedImsi: '3' }));
  expect(fingerprintOf(testRecord({ servedMsisdn: '1', servedImsi: '23' }))).not.toBe(one);
});
