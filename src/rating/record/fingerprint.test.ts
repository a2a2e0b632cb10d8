import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FLOW_RECORD_FIELDS, type FlowRecord } from '../flow-record.ts';
import { testRecord } from '../traffic.fixture.ts';
import { fingerprintOf } from './fingerprint.ts';

/** Fields that the validation holds to fewer bits. */
const MOST: Partial<Record<keyof FlowRecord, number>> = {
  terminalPort: 65_535,
  remotePort: 65_535,
  protocol: 255,
  ratingGroup: 2 ** 31 - 1,
  serviceIdentifier: 2 ** 31 - 1,
  ratType: 255,
};
const NULL_NUMBERS = new Set(['ratingGroup', 'serviceIdentifier', 'ratType']);
const changes: Record<string, fc.Arbitrary<unknown>> = {
  string: fc.string({ maxLength: 40 }),
  object: fc.oneof(fc.constant(null), fc.constant(''), fc.string({ maxLength: 10 })),
};

test.each(FLOW_RECORD_FIELDS)('another %s is another content', (name) => {
  const record = testRecord();
  const isNumber = typeof record[name] === 'number' || NULL_NUMBERS.has(name);
  const number = fc.integer({ min: 0, max: MOST[name] ?? Number.MAX_SAFE_INTEGER });
  fc.assert(
    fc.property(isNumber ? number : changes[typeof record[name]], (value) => {
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
