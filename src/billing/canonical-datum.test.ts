import { readFileSync } from 'node:fs';
import avro from 'avsc';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { canonicalDatum } from './canonical-datum.ts';
import { CONTENT_TYPES, type FlowRecord } from './flow-record.ts';

const type = avro.Type.forSchema(
  JSON.parse(readFileSync(new URL('../../schemas/flow-record.avsc', import.meta.url), 'utf8')),
);
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
});

test('a record is written as avsc writes it', () => {
  fc.assert(
    fc.property(record, (drawn) => {
      expect(Buffer.from(canonicalDatum(drawn)).equals(type.toBuffer(drawn))).toBe(true);
    }),
    { numRuns: 500 },
  );
});
