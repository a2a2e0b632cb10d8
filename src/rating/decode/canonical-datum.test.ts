import { readFileSync } from 'node:fs';
import avro from 'avsc';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CONTENT_TYPES, DETECTIONS, type FlowRecord, NO_LATER_FIELDS } from '../flow-record.ts';
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
const seldom = <T>(value: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 9, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: value });
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
  sponsorIdentity: fc.option(text, { freq: 2 }),
  applicationServiceProviderIdentity: fc.option(text, { freq: 2 }),
  servingPlmn: seldom(fc.constantFrom('26201', '310410')),
  ratType: seldom(fc.nat(255)),
  trackingArea: seldom(fc.constantFrom('26201-00af', '310410-00af01')),
  detectedApplication: seldom(text),
  detectedBy: seldom(fc.constantFrom(...DETECTIONS)),
  accountId: seldom(text),
});

test('a record is written as avsc writes it, and without the fields at its end as before there were any', () => {
  const { accountId: _, ...noNetwork } = NO_LATER_FIELDS;
  const network = Object.keys(noNetwork) as (keyof typeof noNetwork)[];
  const seen = new Set<number>();
  fc.assert(
    fc.property(record, (drawn) => {
      const whole = type.toBuffer(drawn);
      const hasNetwork = network.some((name) => drawn[name] !== null);
      const hasIdentity = drawn.sponsorIdentity !== null || drawn.applicationServiceProviderIdentity !== null;
      const absent = drawn.accountId !== null ? 0 : hasNetwork ? 1 : hasIdentity ? 6 : 8;
      seen.add(absent);
      const expected = whole.subarray(0, whole.length - absent);
      expect(Buffer.from(canonicalDatum(drawn)).equals(expected)).toBe(true);
    }),
    { numRuns: 500 },
  );
  expect([...seen].sort()).toEqual([0, 1, 6, 8]);
});

test('a record without identities has the fingerprint that it had before there were any', () => {
  expect(fingerprintOf(testRecord())).toBe(FINGERPRINT);
});
