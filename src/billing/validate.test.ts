import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Candidate } from './decoder.ts';
import { FLOW_RECORD_FIELDS } from './flow-record.ts';
import type { Reason } from './outcome.ts';
import { testRecord } from './traffic.fixture.ts';
import { MAX_RECORD_OCTETS, MAX_TIME_MS, validateFlowRecord } from './validate.ts';

const NULLABLE = [
  'servedImsi',
  'zeroRatingTag',
  'contentType',
  'ratingGroup',
  'serviceIdentifier',
  'sponsorIdentity',
  'applicationServiceProviderIdentity',
];
const REQUIRED = FLOW_RECORD_FIELDS.filter((name) => !NULLABLE.includes(name));
const candidate = (fields: Candidate): Candidate => ({ ...testRecord(), ...fields });

describe('fields that are good', () => {
  test.each<[string, Candidate]>([
    ['as it stands', {}],
    ['the largest octets', { uplinkOctets: MAX_RECORD_OCTETS, downlinkOctets: MAX_RECORD_OCTETS }],
    ['no octets', { uplinkOctets: 0, downlinkOctets: 0 }],
    ['the first instant', { startTime: 0, endTime: 0 }],
    ['the last instant', { startTime: MAX_TIME_MS, endTime: MAX_TIME_MS }],
    ['one digit of MSISDN', { servedMsisdn: '0' }],
    ['fifteen digits of MSISDN', { servedMsisdn: '999999999999999' }],
    ['IPv6', { terminalIp: '::1', remoteIp: '2001:db8::ffff' }],
    ['the highest ports and protocol', { terminalPort: 65_535, remotePort: 65_535, protocol: 255 }],
    ['the largest sequence number', { localSequenceNumber: Number.MAX_SAFE_INTEGER }],
    ['256 characters', { zeroRatingTag: 'x'.repeat(256) }],
    ['a field nobody knows', { vendorField: { a: 1 } }],
  ])('%s', (_, fields) => {
    expect(validateFlowRecord(candidate(fields))).toMatchObject({ ...testRecord(), ...fields });
  });

  test.each(NULLABLE)('%s may be absent, and is null then', (name) => {
    const { [name]: _, ...fields } = candidate({});
    expect(validateFlowRecord(fields)).toMatchObject({ [name]: null });
  });
});

describe('fields that are not', () => {
  test.each(REQUIRED)('%s absent or null', (name) => {
    const expected = { reason: 'missing_field', detail: `${name} is missing` };
    expect(validateFlowRecord(candidate({ [name]: undefined }))).toEqual(expected);
    expect(validateFlowRecord(candidate({ [name]: null }))).toEqual(expected);
  });

  test.each<[Reason, Candidate]>([
    ['invalid_field', { nodeId: '' }],
    ['invalid_field', { nodeId: 7 }],
    ['invalid_field', { zeroRatingTag: 'x'.repeat(257) }],
    ['invalid_field', { servedMsisdn: 491_701_234_567 }],
    ['invalid_field', { servedImsi: ['1'] }],
    ['invalid_field', { localSequenceNumber: -1 }],
    ['invalid_field', { localSequenceNumber: 2 ** 53 }],
    ['invalid_field', { chargingId: 1.5 }],
    ['invalid_field', { terminalPort: 65_536 }],
    ['invalid_field', { remotePort: '443' }],
    ['invalid_field', { protocol: 256 }],
    ['invalid_field', { ratingGroup: 2 ** 31 }],
    ['invalid_field', { serviceIdentifier: true }],
    ['invalid_field', { uplinkOctets: 0.5 }],
    ['invalid_field', { downlinkOctets: Number.NaN }],
    ['invalid_field', { uplinkOctets: Number.POSITIVE_INFINITY }],
    ['invalid_field', { startTime: '2026-01-01T00:00:00Z' }],
    ['invalid_field', { downlinkOctets: 5n }],
    ['invalid_msisdn', { servedMsisdn: '' }],
    ['invalid_msisdn', { servedMsisdn: '1234567890123456' }],
    ['invalid_msisdn', { servedMsisdn: '+49170' }],
    ['invalid_msisdn', { servedMsisdn: '49170\n' }],
    ['invalid_msisdn', { servedMsisdn: '٤٩١٧٠' }],
    ['time_out_of_range', { startTime: -1 }],
    ['time_out_of_range', { endTime: MAX_TIME_MS + 1 }],
    ['time_out_of_range', { startTime: 1e300 }],
    ['end_before_start', { startTime: 2000, endTime: 1999 }],
    ['invalid_ip', { terminalIp: '10.0.0.256' }],
    ['invalid_ip', { remoteIp: '' }],
    ['unknown_content_type', { contentType: 'unknown' }],
    ['unknown_content_type', { contentType: 'Text' }],
    ['unknown_content_type', { contentType: '' }],
    ['negative_octets', { uplinkOctets: -1 }],
    ['negative_octets', { downlinkOctets: -1e300 }],
    ['octets_out_of_range', { uplinkOctets: MAX_RECORD_OCTETS + 1 }],
    ['octets_out_of_range', { downlinkOctets: 1e300 }],
  ])('%s: %o', (reason, fields) => {
    expect(validateFlowRecord(candidate(fields))).toMatchObject({ reason });
  });

  test('octets below 0 are told before octets out of range, whichever direction has which', () => {
    for (const [uplinkOctets, downlinkOctets] of [
      [-1, MAX_RECORD_OCTETS + 1],
      [MAX_RECORD_OCTETS + 1, -1],
    ]) {
      expect(validateFlowRecord(candidate({ uplinkOctets, downlinkOctets }))).toMatchObject({
        reason: 'negative_octets',
      });
    }
  });
});

test('whatever a field holds, there is a record or a reason, and the reason names no subscriber', () => {
  const identity = { servedMsisdn: '491709988776', servedImsi: '262019988776655' };
  fc.assert(
    fc.property(fc.constantFrom(...FLOW_RECORD_FIELDS), fc.anything({ withBigInt: true }), (name, value) => {
      const result = validateFlowRecord(candidate({ ...identity, [name]: value }));
      if (!('reason' in result)) return;
      expect(result.detail).not.toContain(identity.servedMsisdn);
      expect(result.detail).not.toContain(identity.servedImsi);
    }),
    { numRuns: 1000 },
  );
});
