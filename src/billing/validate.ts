import type { Candidate } from './decoder.ts';
import { CONTENT_TYPES, type ContentType, FLOW_RECORD_FIELDS, type FlowRecord } from './flow-record.ts';
import { parseIp } from './ip-address.ts';
import type { Fault, Reason } from './outcome.ts';

/** Uplink and downlink each: 281 TB, so that their sum, their share and a period's sum stay exact in a double. */
export const MAX_RECORD_OCTETS = 2 ** 48 - 1;
/** The last instant that a ClickHouse Date can name. */
export const MAX_TIME_MS = Date.UTC(2149, 5, 6);
export const MAX_TEXT_LENGTH = 256;
const MAX_INT32 = 2 ** 31 - 1;

const NULLABLE = new Set<string>([
  'servedImsi',
  'zeroRatingTag',
  'contentType',
  'ratingGroup',
  'serviceIdentifier',
  'sponsorIdentity',
  'applicationServiceProviderIdentity',
]);
const UPPER_LIMIT: Readonly<Record<string, number>> = {
  localSequenceNumber: Number.MAX_SAFE_INTEGER,
  chargingId: Number.MAX_SAFE_INTEGER,
  recordSequenceNumber: Number.MAX_SAFE_INTEGER,
  terminalPort: 65535,
  remotePort: 65535,
  protocol: 255,
  ratingGroup: MAX_INT32,
  serviceIdentifier: MAX_INT32,
};
const WHOLE_NUMBERS = Object.keys(UPPER_LIMIT);
const TEXTS = [
  'nodeId',
  'servedMsisdn',
  'servedImsi',
  'terminalIp',
  'remoteIp',
  'zeroRatingTag',
  'contentType',
  'sponsorIdentity',
  'applicationServiceProviderIdentity',
];
const scratch = new Uint32Array(4);

/**
 * The door: a candidate's fields are a flow record, or the first fault in the order of REASONS says why not. A detail
 * names fields and limits, never the value of a subscriber's identity.
 */
export function validateFlowRecord(fields: Candidate): FlowRecord | Fault {
  return (
    missingField(fields) ??
    mistypedField(fields) ??
    badMsisdn(fields) ??
    badTimes(fields) ??
    badAddress(fields) ??
    badContentType(fields) ??
    badOctets(fields) ??
    // Every field was checked above, so the candidate is a record: nothing is copied.
    (fields as unknown as FlowRecord)
  );
}

function fault(reason: Reason, detail: string): Fault {
  return { reason, detail };
}

function missingField(fields: Candidate): Fault | null {
  for (const name of FLOW_RECORD_FIELDS) {
    if (fields[name] !== undefined && (fields[name] !== null || NULLABLE.has(name))) continue;
    if (NULLABLE.has(name)) fields[name] = null;
    else return fault('missing_field', `${name} is missing`);
  }
  return null;
}

function mistypedField(fields: Candidate): Fault | null {
  for (const name of TEXTS) {
    const value = fields[name];
    if (value === null) continue;
    if (typeof value !== 'string') return fault('invalid_field', `${name} is not text`);
    if (value.length > MAX_TEXT_LENGTH)
      return fault('invalid_field', `${name} is longer than ${MAX_TEXT_LENGTH} characters`);
  }
  if (fields.nodeId === '') return fault('invalid_field', 'nodeId is empty');
  for (const name of WHOLE_NUMBERS) {
    const value = fields[name];
    if (value === null) continue;
    if (!Number.isSafeInteger(value)) return fault('invalid_field', `${name} is not a whole number`);
    if ((value as number) < 0 || (value as number) > UPPER_LIMIT[name]) {
      return fault('invalid_field', `${name} is not in 0..${UPPER_LIMIT[name]}`);
    }
  }
  for (const name of ['startTime', 'endTime', 'uplinkOctets', 'downlinkOctets']) {
    if (!Number.isInteger(fields[name])) return fault('invalid_field', `${name} is not a whole number`);
  }
  return null;
}

function badMsisdn(fields: Candidate): Fault | null {
  return /^\d{1,15}$/.test(fields.servedMsisdn as string)
    ? null
    : fault('invalid_msisdn', 'servedMsisdn is not 1 to 15 digits (E.164)');
}

function badTimes(fields: Candidate): Fault | null {
  for (const name of ['startTime', 'endTime']) {
    const timeMs = fields[name] as number;
    // No number is quoted: where columns have moved it may be the subscriber's.
    if (timeMs < 0 || timeMs > MAX_TIME_MS) return fault('time_out_of_range', `${name} is not in 1970..2149`);
  }
  return (fields.endTime as number) < (fields.startTime as number)
    ? fault('end_before_start', 'endTime is before startTime')
    : null;
}

function badAddress(fields: Candidate): Fault | null {
  for (const name of ['terminalIp', 'remoteIp']) {
    if (!parseIp(fields[name] as string, scratch, 0)) {
      return fault('invalid_ip', `${name} is not an IPv4 or IPv6 address`);
    }
  }
  return null;
}

function badContentType(fields: Candidate): Fault | null {
  const type = fields.contentType;
  // `unknown` is how a plan names a record without a content type; as a word in a record it is none.
  const known = type === null || (type !== 'unknown' && CONTENT_TYPES.includes(type as ContentType));
  return known ? null : fault('unknown_content_type', 'contentType is none of text, voice, image, video, other');
}

function badOctets(fields: Candidate): Fault | null {
  const directions = ['uplinkOctets', 'downlinkOctets'];
  // One reason for both directions before the next: the order is that of REASONS.
  for (const name of directions) {
    if ((fields[name] as number) < 0) return fault('negative_octets', `${name} is below 0`);
  }
  for (const name of directions) {
    if ((fields[name] as number) > MAX_RECORD_OCTETS) {
      return fault('octets_out_of_range', `${name} is above ${MAX_RECORD_OCTETS}`);
    }
  }
  return null;
}
