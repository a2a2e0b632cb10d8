import {
  type Candidate,
  CONTENT_TYPES,
  type ContentType,
  DETECTIONS,
  FLOW_RECORD_FIELDS,
  type FlowRecord,
  NULLABLE_FIELDS,
} from '../flow-record.ts';
import { parseIp } from '../ip-address.ts';
import { MAX_ACCOUNT_OCTETS } from '../kernel/regions.ts';
import type { Fault, Reason } from '../outcome.ts';
import { isFieldName, meantField } from './field-names.ts';
import { msisdnFault, normalMsisdn } from './msisdn.ts';
import { MAX_TIME_MS, MIN_TIME_MS, PLAIN_LIMITS, type RecordLimits } from './record-limits.ts';

/** Uplink and downlink each: 281 TB, so that their sum, their share and a period's sum stay exact in a double. */
export const MAX_RECORD_OCTETS = 2 ** 48 - 1;
export const MAX_TEXT_LENGTH = 256;
const MAX_INT32 = 2 ** 31 - 1;

const UPPER_LIMIT: Readonly<Record<string, number>> = {
  localSequenceNumber: Number.MAX_SAFE_INTEGER,
  chargingId: Number.MAX_SAFE_INTEGER,
  recordSequenceNumber: Number.MAX_SAFE_INTEGER,
  terminalPort: 65535,
  remotePort: 65535,
  protocol: 255,
  ratingGroup: MAX_INT32,
  serviceIdentifier: MAX_INT32,
  ratType: 255,
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
  'servingPlmn',
  'trackingArea',
  'detectedApplication',
  'detectedBy',
  'accountId',
];
const ACCOUNT = new RegExp(`^[!-~]{1,${MAX_ACCOUNT_OCTETS}}$`);

/** Whether a text can be a customer's account. */
export function isAccountId(text: string): boolean {
  return ACCOUNT.test(text);
}

/** Texts of a form of their own, and the form in words. */
const FORMS: readonly (readonly [name: string, form: RegExp, inWords: string])[] = [
  ['servingPlmn', /^\d{5,6}$/, 'the 5 or 6 digits of a PLMN (MCC and MNC)'],
  [
    'trackingArea',
    /^\d{5,6}-([\da-f]{4}|[\da-f]{6})$/,
    'a tracking area: the digits of its PLMN, a hyphen, and its TAC in 4 or 6 lower-case hexadecimal digits',
  ],
  ['detectedBy', new RegExp(`^(${DETECTIONS.join('|')})$`), `one of ${DETECTIONS.join(', ')}`],
  ['accountId', ACCOUNT, `1 to ${MAX_ACCOUNT_OCTETS} printable ASCII characters without a space`],
];
const scratch = new Uint32Array(4);

/**
 * Returns the candidate as a flow record, its MSISDN in normal form, or the first fault in the order of REASONS. A detail names
 * fields and limits, never the value of a subscriber's identity.
 */
export function validateFlowRecord(fields: Candidate, limits: RecordLimits = PLAIN_LIMITS): FlowRecord | Fault {
  return (
    missingField(fields) ??
    mistypedField(fields) ??
    misspeltField(fields) ??
    badMsisdn(fields, limits) ??
    badTimes(fields, limits) ??
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
    if (fields[name] !== undefined && (fields[name] !== null || NULLABLE_FIELDS.has(name))) continue;
    if (NULLABLE_FIELDS.has(name)) fields[name] = null;
    else return fault('missing_field', `${name} is missing${misspellingOf(name, fields)}`);
  }
  return null;
}

function misspellingOf(field: string, fields: Candidate): string {
  const written = Object.keys(fields).find((name) => !isFieldName(name) && meantField(name)?.field === field);
  return written === undefined ? '' : `; did you mean ${field} by ${written}?`;
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
  for (const [name, form, inWords] of FORMS) {
    const value = fields[name];
    if (value !== null && !form.test(value as string)) return fault('invalid_field', `${name} is not ${inWords}`);
  }
  for (const name of WHOLE_NUMBERS) {
    const value = fields[name];
    if (value === null) continue;
    if (!Number.isSafeInteger(value)) return fault('invalid_field', `${name} is not a whole number`);
    if ((value as number) < 0 || (value as number) > UPPER_LIMIT[name]) {
      return fault('invalid_field', `${name} is not in 0..${UPPER_LIMIT[name]}`);
    }
    // Minus zero is zero.
    if (value === 0) fields[name] = 0;
  }
  for (const name of ['startTime', 'endTime']) {
    if (!Number.isInteger(fields[name])) return fault('invalid_field', `${name} ${notMilliseconds(fields[name])}`);
  }
  for (const name of ['uplinkOctets', 'downlinkOctets']) {
    if (!Number.isInteger(fields[name])) return fault('invalid_field', `${name} is not a whole number`);
    if (fields[name] === 0) fields[name] = 0;
  }
  return null;
}

function notMilliseconds(value: unknown): string {
  const isDate = typeof value === 'string' && /^\s*\d{4}-\d\d-\d\d/.test(value);
  return `is not a whole number of milliseconds since 1970${isDate ? '; it looks like a date as text' : ''}`;
}

/** Other names pass, as a producer may have fields of its own. */
function misspeltField(fields: Candidate): Fault | null {
  for (const name in fields) {
    if (isFieldName(name)) continue;
    const meant = meantField(name);
    // Beside the field itself a name that is near by chance, `terminalIp6`, is another field.
    if (meant === null || !(meant.isSpelling || fields[meant.field] === null)) continue;
    return fault('invalid_field', `${name} is no field of a flow record; did you mean ${meant.field}?`);
  }
  return null;
}

function badMsisdn(fields: Candidate, { msisdn: forms }: RecordLimits): Fault | null {
  const written = fields.servedMsisdn as string;
  const normal = normalMsisdn(written, forms);
  if (normal === null) return fault('invalid_msisdn', `servedMsisdn ${msisdnFault(written, forms)}`);
  fields.servedMsisdn = normal;
  return null;
}

function badTimes(fields: Candidate, { latestTimeMs }: RecordLimits): Fault | null {
  for (const name of ['startTime', 'endTime']) {
    const timeMs = fields[name] as number;
    // No number is quoted: where columns have moved it may be the subscriber's.
    if (timeMs < MIN_TIME_MS || timeMs > MAX_TIME_MS) {
      const hint = unitHint(timeMs);
      const detail = `${name} is not in 2000..2149${hint}${hint === '' ? '' : '; milliseconds are expected'}`;
      return fault('time_out_of_range', detail);
    }
  }
  for (const name of ['startTime', 'endTime']) {
    const timeMs = fields[name] as number;
    if (timeMs > latestTimeMs) {
      const detail = `${name} is ${later(timeMs - latestTimeMs)} later than its log's time and limits.maxFutureSkewMs allow`;
      return fault('time_out_of_range', detail);
    }
  }
  return (fields.endTime as number) < (fields.startTime as number)
    ? fault('end_before_start', 'endTime is before startTime')
    : null;
}

function later(ms: number): string {
  const minutes = Math.ceil(ms / 60_000);
  if (minutes < 120) return `${minutes} minutes`;
  return minutes < 2880 ? `${Math.floor(minutes / 60)} hours` : `${Math.floor(minutes / 1440)} days`;
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

/** Seconds from 1900 to 1970 (NTP), and milliseconds from 1601 to 1970 (Windows). */
const NTP_SECONDS = 2_208_988_800;
const WINDOWS_MS = 11_644_473_600_000;

/** Units that exporters write, as milliseconds since 1970. The first that gives a plausible time names a number. */
const UNITS: readonly (readonly [name: string, toMs: (value: number) => number])[] = [
  ['seconds since 1970', (value) => value * 1000],
  ['seconds since 1900 (NTP)', (value) => (value - NTP_SECONDS) * 1000],
  ['microseconds since 1970', (value) => value / 1000],
  ['nanoseconds since 1970', (value) => value / 1e6],
  ['100-nanosecond intervals since 1601 (Windows)', (value) => value / 1e4 - WINDOWS_MS],
];
/** A unit is guessed for times that a record can have today. */
const LAST_GUESSED_MS = Date.UTC(2070, 0, 1);

/** What a number that is no time in milliseconds looks like, as `; it looks like ...`; empty if like nothing known. */
function unitHint(value: number): string {
  const unit = UNITS.find(([, toMs]) => toMs(value) >= MIN_TIME_MS && toMs(value) < LAST_GUESSED_MS);
  return unit === undefined ? '' : `; it looks like ${unit[0]}`;
}
