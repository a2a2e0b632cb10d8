import type { Candidate, Decoder } from './decoder.ts';
import { FLOW_RECORD_FIELDS } from './flow-record.ts';
import { pseudonymOf } from './pseudonym.ts';

/** MSISDN and IMSI have 7 digits and more: any such run may be one. In UTF-16 a zero stands between its digits. */
const DIGIT_RUN = /\d(?:\0?\d){6,}/g;
const SUBSCRIBER_FIELDS = ['servedMsisdn', 'servedImsi'];
const OWN_FIELDS = new Set<string>(FLOW_RECORD_FIELDS);

/**
 * What is kept of a rejected record: its fields as JSON if it has any, otherwise its text, or `base64:` and its bytes where
 * they are no text. A subscriber's identity is replaced by its pseudonym; at most `limitOctets` octets are kept.
 */
export function rejectedPayload(
  value: Uint8Array,
  decode: Decoder,
  pseudonymKey: Uint8Array,
  limitOctets: number,
): string {
  const { candidate } = decode(value);
  return candidate === undefined
    ? bytesPayload(value, pseudonymKey, limitOctets)
    : capped(fieldsPayload(candidate, pseudonymKey), limitOctets);
}

function fieldsPayload(fields: Candidate, pseudonymKey: Uint8Array): string {
  const shown = Object.entries(fields).map(([name, value]): [string, unknown] => {
    if (SUBSCRIBER_FIELDS.includes(name)) return [name, value == null ? value : mask(String(value), pseudonymKey)];
    // The numbers of a flow record's own fields (times, octets, sequences) stand as they are.
    const isOwnNumber = OWN_FIELDS.has(name) && typeof value === 'number';
    return [maskRuns(name, pseudonymKey), isOwnNumber ? value : masked(value, pseudonymKey)];
  });
  return JSON.stringify(Object.fromEntries(shown));
}

/** A value with every long run of digits masked, in texts, in numbers and in names, however deep. */
function masked(value: unknown, pseudonymKey: Uint8Array): unknown {
  if (typeof value === 'string') return maskRuns(value, pseudonymKey);
  if (typeof value === 'number' || typeof value === 'bigint') {
    const text = String(value);
    const shown = maskRuns(text, pseudonymKey);
    return shown === text ? Number(value) : shown;
  }
  if (Array.isArray(value)) return value.map((item) => masked(item, pseudonymKey));
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [maskRuns(name, pseudonymKey), masked(item, pseudonymKey)]),
  );
}

function bytesPayload(value: Uint8Array, pseudonymKey: Uint8Array, limitOctets: number): string {
  // Cut before the work, with room for a run of digits that the cut would tear.
  const bytes = Buffer.from(value.buffer, value.byteOffset, Math.min(value.length, limitOctets * 2));
  const text = bytes.toString('utf8');
  if (!text.includes('\ufffd')) return capped(maskRuns(text, pseudonymKey), limitOctets);
  const masked = Buffer.from(maskRuns(bytes.toString('latin1'), pseudonymKey), 'latin1');
  return `base64:${masked.subarray(0, Math.floor((limitOctets * 3) / 4)).toString('base64')}`;
}

function maskRuns(text: string, pseudonymKey: Uint8Array): string {
  return text.replace(DIGIT_RUN, (digits) => mask(digits.replaceAll('\0', ''), pseudonymKey));
}

function mask(identity: string, pseudonymKey: Uint8Array): string {
  return `~${pseudonymOf(identity, pseudonymKey).toString('hex')}`;
}

function capped(text: string, limitOctets: number): string {
  if (Buffer.byteLength(text) <= limitOctets) return text;
  // A cut in the middle of a character leaves a replacement character, which says as much.
  return Buffer.from(text).subarray(0, limitOctets).toString('utf8');
}
