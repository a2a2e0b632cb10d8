import type { Candidate, Decoder } from './decoder.ts';
import { pseudonymOf } from './pseudonym.ts';

/** MSISDN and IMSI have 7 digits and more; in bytes that no one could decode, any such run may be one. */
const DIGIT_RUN = /\d{7,}/g;
const SUBSCRIBER_FIELDS = ['servedMsisdn', 'servedImsi'];

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
  const shown: Candidate = { ...fields };
  for (const name of SUBSCRIBER_FIELDS) {
    if (shown[name] !== null && shown[name] !== undefined) shown[name] = mask(String(shown[name]), pseudonymKey);
  }
  return JSON.stringify(shown, (_, value) => (typeof value === 'bigint' ? value.toString() : value));
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
  return text.replace(DIGIT_RUN, (digits) => mask(digits, pseudonymKey));
}

function mask(identity: string, pseudonymKey: Uint8Array): string {
  return `~${pseudonymOf(identity, pseudonymKey).toString('hex')}`;
}

function capped(text: string, limitOctets: number): string {
  if (Buffer.byteLength(text) <= limitOctets) return text;
  // A cut in the middle of a character leaves a replacement character, which says as much.
  return Buffer.from(text).subarray(0, limitOctets).toString('utf8');
}
