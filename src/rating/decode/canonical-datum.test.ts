import { readFileSync } from 'node:fs';
import avro from 'avsc';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CONTENT_TYPES, type FlowRecord } from '../flow-record.ts';
import { canonicalDatum, fingerprintOf } from '../record/fingerprint.ts';
import { testRecord } from '../traffic.fixture.ts';

const type = avro.Type.forSchema(
  JSON.parse(readFileSync(new URL('../../../schemas/flow-record.avsc', import.meta.url), 'utf8')),
);
/** Of `testRecord()`, as journals hold it. */
const FINGERPRINT = 45_600_273;
/** avsc holds longs to 2^53 - 2. */
const long = fc.oneof(fc.nat(300), fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER - 1 }));
const int = fc.nat();
const text = fc.oneof(fc.string({ maxLength: 12 }), fc.string({ unit: 'grapheme', maxLength: 400 }));
const record: fc.Arbitrary<FlowRecord> = fc.record({
  nodeId: text,
  localSequenceNumber: long,
  chargingId: long,
  recordSequenceNumber: long,
  servedMsisdn: text,
  servedImsi: fc.option(text),
  startTime: long,
  endTime: long,
  terminalIp: text,
  terminalPort: int,
  remoteIp: text,
  remotePort: int,
  protocol: int,
  zeroRatingTag: fc.option(text),
  contentType: fc.option(fc.constantFrom(...CONTENT_TYPES)),
  ratingGroup: fc.option(int),
  serviceIdentifier: fc.option(int),
  uplinkOctets: long,
  downlinkOctets: long,
  sponsorIdentity: fc.option(text, { freq: 1 }),
  applicationServiceProviderIdentity: fc.option(text, { freq: 1 }),
});

test('a record is written as avsc writes it, and without identities as before there were any', () => {
  fc.assert(
    fc.property(record, (drawn) => {
      const whole = type.toBuffer(drawn);
      const hasNone = drawn.sponsorIdentity === null && drawn.applicationServiceProviderIdentity === null;
      const expected = hasNone ? whole.subarray(0, -2) : whole;
      expect(Buffer.from(canonicalDatum(drawn)).equals(expected)).toBe(true);
    }),
    { numRuns: 500 },
  );
});

test('a record without identities has the fingerprint that it had before there were any', () => {
  expect(fingerprintOf(testRecord())).toBe(FINGERPRINT);
});
