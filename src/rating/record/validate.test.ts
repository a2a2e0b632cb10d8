import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Candidate, FLOW_RECORD_FIELDS, NO_LATER_FIELDS } from '../flow-record.ts';
import type { Reason } from '../outcome.ts';
import { testRecord } from '../traffic.fixture.ts';
import { MAX_TIME_MS, MIN_TIME_MS, PLAIN_LIMITS } from './record-limits.ts';
import { MAX_RECORD_OCTETS, validateFlowRecord } from './validate.ts';

const NULLABLE = [
  'servedImsi',
  'zeroRatingTag',
  'contentType',
  'ratingGroup',
  'serviceIdentifier',
  'sponsorIdentity',
  'applicationServiceProviderIdentity',
  ...Object.keys(NO_LATER_FIELDS),
];
const REQUIRED = FLOW_RECORD_FIELDS.filter((name) => !NULLABLE.includes(name));
const candidate = (fields: Candidate): Candidate => ({ ...testRecord(), ...fields });

describe('fields that are good', () => {
  test.each<[string, Candidate]>([
    ['unchanged', {}],
    ['the largest octets', { uplinkOctets: MAX_RECORD_OCTETS, downlinkOctets: MAX_RECORD_OCTETS }],
    ['no octets', { uplinkOctets: 0, downlinkOctets: 0 }],
    ['the first instant', { startTime: MIN_TIME_MS, endTime: MIN_TIME_MS }],
    ['the last instant', { startTime: MAX_TIME_MS, endTime: MAX_TIME_MS }],
    ['one digit of MSISDN', { servedMsisdn: '1' }],
    ['fifteen digits of MSISDN', { servedMsisdn: '999999999999999' }],
    ['IPv6', { terminalIp: '::1', remoteIp: '2001:db8::ffff' }],
    ['the highest ports and protocol', { terminalPort: 65_535, remotePort: 65_535, protocol: 255 }],
    ['the largest sequence number', { localSequenceNumber: Number.MAX_SAFE_INTEGER }],
    ['256 characters', { zeroRatingTag: 'x'.repeat(256) }],
    ['PLMN, radio access and tracking area of EPS', { servingPlmn: '26201', ratType: 6, trackingArea: '26201-00af' }],
    ['those of 5GS', { servingPlmn: '310410', ratType: 255, trackingArea: '310410-00af01' }],
    ['a detected application', { detectedApplication: 'chat', detectedBy: 'dpi' }],
    ['an account', { accountId: '!B-17~' }],
    ['the longest account', { accountId: 'x'.repeat(64) }],
    ['an unknown field', { vendorField: { a: 1 } }],
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

  test.each<readonly [Reason, Candidate]>([
    ['invalid_field', { nodeId: '' }],
    ['invalid_field', { nodeId: 7 }],
    ['invalid_field', { zeroRatingTag: 'x'.repeat(257) }],
    ['invalid_field', { servedMsisdn: 491_701_234_567 }],
    ['invalid_field', { servedImsi: ['1'] }],
    ['invalid_field', { localSequenceNumber: -1 }],
    ['invalid_field', { localSequenceNumber: 2 ** 53 }],
    ['invalid_field', { chargingId: 1.5 }],
    ['invalid_field', { terminalPort: 65_536 }],
    ...['', '2620', '2620100', '2620a', '26201 ', '٢٦٢٠١'].map(
      (servingPlmn) => ['invalid_field', { servingPlmn }] as const,
    ),
    ...['', '26201', '26201-00AF', '26201-00af0', '2620-00af', '26201_00af', '26201-00af012'].map(
      (trackingArea) => ['invalid_field', { trackingArea }] as const,
    ),
    ['invalid_field', { servingPlmn: 26201 }],
    ['invalid_field', { ratType: 256 }],
    ['invalid_field', { ratType: -1 }],
    ['invalid_field', { detectedBy: 'SNI' }],
    ['invalid_field', { detectedBy: '' }],
    ['invalid_field', { detectedApplication: 'x'.repeat(257) }],
    ...['', ' ', 'B 17', 'é', 'B\n', 'B\u007f', 'x'.repeat(65)].map(
      (accountId) => ['invalid_field', { accountId }] as const,
    ),
    ['invalid_field', { accountId: 17 }],
    ['invalid_field', { remotePort: '443' }],
    ['invalid_field', { protocol: 256 }],
    ['invalid_field', { ratingGroup: 2 ** 31 }],
    ['invalid_field', { serviceIdentifier: true }],
    ['invalid_field', { uplinkOctets: 0.5 }],
    ['invalid_field', { downlinkOctets: Number.NaN }],
    ['invalid_field', { uplinkOctets: Number.POSITIVE_INFINITY }],
    ['invalid_field', { startTime: '2026-01-01T00:00:00Z' }],
    ['invalid_field', { downlinkOctets: 5n }],
    ['invalid_field', { startTime: '1793000001.5' }],
    ['invalid_msisdn', { servedMsisdn: '' }],
    ['invalid_msisdn', { servedMsisdn: '0' }],
    ['invalid_msisdn', { servedMsisdn: '00999000000001' }],
    ['invalid_msisdn', { servedMsisdn: '000000000001' }],
    ['invalid_msisdn', { servedMsisdn: ' 999000000001' }],
    ['invalid_msisdn', { servedMsisdn: '1234567890123456' }],
    ['invalid_msisdn', { servedMsisdn: '+49170' }],
    ['invalid_msisdn', { servedMsisdn: '49170\n' }],
    ['invalid_msisdn', { servedMsisdn: '٤٩١٧٠' }],
    ['time_out_of_range', { startTime: -1 }],
    ['time_out_of_range', { startTime: 0 }],
    ['time_out_of_range', { startTime: MIN_TIME_MS - 1 }],
    ['time_out_of_range', { endTime: MAX_TIME_MS + 1 }],
    ['time_out_of_range', { startTime: 1e300 }],
    ['end_before_start', { startTime: MIN_TIME_MS + 2000, endTime: MIN_TIME_MS + 1999 }],
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

  test('octets below 0 are reported before octets out of range, whichever direction has which', () => {
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

describe('times of another unit are named as what they look like', () => {
  const instant = Date.UTC(2026, 9, 26);
  test.each([
    ['seconds since 1970', instant / 1000],
    ['seconds since 1970', Date.UTC(2000, 0, 1) / 1000],
    ['seconds since 1900 (NTP)', instant / 1000 + 2_208_988_800],
    ['microseconds since 1970', instant * 1000],
    ['nanoseconds since 1970', instant * 1e6],
    ['100-nanosecond intervals since 1601 (Windows)', (instant + 11_644_473_600_000) * 1e4],
  ])('%s: %d', (unit, startTime) => {
    expect(validateFlowRecord(candidate({ startTime }))).toEqual({
      reason: 'time_out_of_range',
      detail: `startTime is not in 2000..2149; it looks like ${unit}; milliseconds are expected`,
    });
    expect(validateFlowRecord(candidate({ endTime: startTime }))).toMatchObject({ reason: 'time_out_of_range' });
  });

  test('a time as text says what is expected', () => {
    expect(validateFlowRecord(candidate({ startTime: '2026-01-31T00:00:00Z' }))).toEqual({
      reason: 'invalid_field',
      detail: 'startTime is not a whole number of milliseconds since 1970; it looks like a date as text',
    });
  });

  test('no time in milliseconds from 2000 to 2149 is taken for another unit', () => {
    fc.assert(
      fc.property(fc.integer({ min: MIN_TIME_MS, max: MAX_TIME_MS }), (time) => {
        expect(validateFlowRecord(candidate({ startTime: time, endTime: time }))).not.toHaveProperty('reason');
      }),
    );
  });
});

test('a time later than the limit is out of range, whichever of the two it is', () => {
  const { startTime, endTime } = testRecord();
  const judged = (latestTimeMs: number) => validateFlowRecord(candidate({}), { ...PLAIN_LIMITS, latestTimeMs });
  expect(judged(endTime)).not.toHaveProperty('reason');
  const detail = (name: string, span: string) =>
    `${name} is ${span} later than its log's time and limits.maxFutureSkewMs allow`;
  expect(judged(endTime - 1)).toEqual({ reason: 'time_out_of_range', detail: detail('endTime', '1 minutes') });
  expect(judged(startTime - 3 * 86_400_000)).toMatchObject({ detail: detail('startTime', '3 days') });
});

describe('MSISDNs', () => {
  const msisdnOf = (servedMsisdn: string, acceptPlus: boolean, internationalPrefix: string | null) =>
    validateFlowRecord(candidate({ servedMsisdn }), { ...PLAIN_LIMITS, msisdn: { acceptPlus, internationalPrefix } });
  test.each<[string, string, boolean, string | null]>([
    ['+999000000001', '999000000001', true, null],
    ['00999000000001', '999000000001', false, '00'],
    ['011999000000001', '999000000001', false, '011'],
    ['999000000001', '999000000001', true, '00'],
    ['00123456789012345', '123456789012345', true, '00'],
  ])('%s is %s where plus is %s and the prefix %s', (written, servedMsisdn, acceptPlus, prefix) => {
    expect(msisdnOf(written, acceptPlus, prefix)).toMatchObject({ servedMsisdn });
  });
  test.each<[string, boolean, string | null, RegExp]>([
    ['+999000000001', false, '00', /begins with \+; set msisdn.acceptPlus/],
    ['00999000000001', true, null, /begins with 0.*set msisdn.internationalPrefix/],
    ['0999000000001', true, '00', /begins with 0.*only the prefix 00/],
    ['000999000000001', true, '00', /begins with 0/],
    ['+00999000000001', true, '00', /is not 1 to 15 digits/],
    ['++999', true, '00', /is not 1 to 15 digits/],
    ['+', true, '00', /is not 1 to 15 digits/],
    ['00', true, '00', /begins with 0/],
    ['001234567890123456', true, '00', /begins with 0/],
  ])('%s is none where plus is %s and the prefix %s', (written, acceptPlus, prefix, detail) => {
    const fault = { reason: 'invalid_msisdn', detail: expect.stringMatching(detail) };
    expect(msisdnOf(written, acceptPlus, prefix)).toMatchObject(fault);
  });
});

describe('names that are nearly a field’s', () => {
  const without = (name: string, more: Candidate) => {
    const { [name]: _, ...fields } = candidate({});
    return { ...fields, ...more };
  };
  test.each([
    ['contenttype', 'contentType'],
    ['content_type', 'contentType'],
    ['content-type', 'contentType'],
    ['ContentType', 'contentType'],
    ['contentTpye', 'contentType'],
    ['contentTyp', 'contentType'],
    ['zeroRatingtag', 'zeroRatingTag'],
    ['zeroRatingTags', 'zeroRatingTag'],
    ['rating_group', 'ratingGroup'],
    ['ServiceIdentifer', 'serviceIdentifier'],
    ['sponsor_identity', 'sponsorIdentity'],
    ['servedIMSI', 'servedImsi'],
  ])('%s is refused for %s', (written, field) => {
    const detail = `${written} is no field of a flow record; did you mean ${field}?`;
    expect(validateFlowRecord(without(field, { [written]: 'x' }))).toEqual({ reason: 'invalid_field', detail });
  });
  test('a field that must be there is missing, with the name that was written', () => {
    expect(validateFlowRecord(without('servedMsisdn', { served_msisdn: '1' }))).toEqual({
      reason: 'missing_field',
      detail: 'servedMsisdn is missing; did you mean servedMsisdn by served_msisdn?',
    });
  });
  test.each(['vendorField', 'apn', 'terminalIp6', 'natType', 'accountIds', 'type', 'tag', 'id', '', 'x'.repeat(1000)])(
    '%s passes',
    (name) => {
      expect(validateFlowRecord(candidate({ [name]: 'x' }))).not.toHaveProperty('reason');
    },
  );
  test('beside the field another spelling of it is refused all the same', () => {
    expect(validateFlowRecord(candidate({ remote_ip: '10.0.0.1' }))).toMatchObject({ reason: 'invalid_field' });
  });
});

test('minus zero is zero', () => {
  const record = validateFlowRecord(candidate({ localSequenceNumber: -0, uplinkOctets: -0 }));
  expect(record).toMatchObject({ localSequenceNumber: 0, uplinkOctets: 0 });
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
