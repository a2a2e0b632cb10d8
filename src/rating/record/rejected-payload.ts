import { type Candidate, type Decoder, FLOW_RECORD_FIELDS } from '../flow-record.ts';
import { parseIp } from '../ip-address.ts';
import { isSubscriberNumber, type PseudonymKey } from '../subscribers.ts';
import { meantField } from './field-names.ts';

/** MSISDN and IMSI have 7 digits and more: any such run may be one. In UTF-16 a zero is between its digits. */
const DIGIT_RUN = /\d(?:\0?\d){6,}/g;
/** IPv4 the same way; IPv6 with a gap or in full: a time of day has two colons, too. */
const ADDRESS = /(?:\d\0?){1,3}(?:\.\0?(?:\d\0?){1,3}){3}|[\da-f:]*::[\da-f:.]*|(?:[\da-f]{1,4}:){7}[\da-f]{1,4}/gi;
const HIDDEN = '~hidden';
/** An account in a text that cannot be decoded: the field's name, and its value up to the next quote, comma, brace or blank. */
const NAMED_ACCOUNT = /(account[_-]?id["']?\s*[:=]\s*["']?)[^"',{}\s]+/gi;
/** From September 2001 to October 2096: 13 digits, of which the first is 1 to 3. */
const [FIRST_TIME_MS, END_TIME_MS] = [1e12, 4e12];
/** Where `parseIp` writes an address that is only checked. */
const scratch = new Uint32Array(4);
const OWN_FIELDS = new Set<string>(FLOW_RECORD_FIELDS);

/**
 * What is kept of a rejected record: its fields as JSON if it has any, otherwise its text, or `base64:` and its bytes where
 * they are no text. A subscriber's numbers are replaced by their pseudonyms, a terminal's address and an account by
 * `~hidden`; at most `limitOctets` octets are kept.
 */
export function rejectedPayload(value: Uint8Array, decode: Decoder, key: PseudonymKey, limitOctets: number): string {
  const { candidate } = decode(value);
  return candidate === undefined
    ? bytesPayload(value, key, limitOctets)
    : capped(fieldsPayload(candidate, key), limitOctets);
}

function fieldsPayload(fields: Candidate, key: PseudonymKey): string {
  const shown = Object.entries(fields).map(([name, value]): [string, unknown] => {
    if (name === 'servedImsi') return [name, value == null ? value : maskDigits(digitsOf(String(value)), key)];
    if (name === 'servedMsisdn') return [name, value == null ? value : mask(String(value), key)];
    if (meantField(name)?.field === 'accountId') return [name, value == null ? value : HIDDEN];
    // These two are the carrier's.
    if (name === 'nodeId' && typeof value === 'string') return [name, maskNumbers(value, key)];
    if (name === 'remoteIp' && typeof value === 'string' && parseIp(value, scratch, 0)) return [name, value];
    const isOwnNumber = OWN_FIELDS.has(name) && typeof value === 'number' && isUnassigned(value);
    return [maskText(name, key), isOwnNumber ? value : masked(value, key)];
  });
  return JSON.stringify(Object.fromEntries(shown));
}

/**
 * The numbers of a flow record's own fields (times, octets, sequences) are kept unchanged, unless a subscriber's number may
 * have moved there from another column.
 */
function isUnassigned(value: number): boolean {
  return Math.abs(value) < 2 ** 32 || (value >= FIRST_TIME_MS && value < END_TIME_MS);
}

/** A value without numbers of subscribers and addresses, in texts, in numbers and in names, however deep. */
function masked(value: unknown, key: PseudonymKey): unknown {
  if (typeof value === 'string') return maskText(value, key);
  if (typeof value === 'number' || typeof value === 'bigint') {
    const text = String(value);
    const shown = maskNumbers(text, key);
    return shown === text ? Number(value) : shown;
  }
  if (Array.isArray(value)) return value.map((item) => masked(item, key));
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [maskText(name, key), masked(item, key)]));
}

function bytesPayload(value: Uint8Array, key: PseudonymKey, limitOctets: number): string {
  // Cut before the work, with room for a run of digits that the cut would tear.
  const bytes = Buffer.from(value.buffer, value.byteOffset, Math.min(value.length, limitOctets * 2));
  const text = bytes.toString('utf8');
  if (!text.includes('\ufffd')) return capped(maskText(text, key), limitOctets);
  const masked = Buffer.from(maskText(bytes.toString('latin1'), key), 'latin1');
  return `base64:${masked.subarray(0, Math.floor((limitOctets * 3) / 4)).toString('base64')}`;
}

function maskText(text: string, key: PseudonymKey): string {
  return maskNumbers(text.replace(NAMED_ACCOUNT, `$1${HIDDEN}`).replace(ADDRESS, HIDDEN), key);
}

function maskNumbers(text: string, key: PseudonymKey): string {
  return text.replace(DIGIT_RUN, (digits) => mask(digits, key));
}

/**
 * However an MSISDN is written, with `+` or a prefix of zeros before it, it is the same subscriber's; what cannot be a number is
 * hidden.
 */
function mask(identity: string, key: PseudonymKey): string {
  return maskDigits(digitsOf(identity).replace(/^0+/, ''), key);
}

function maskDigits(digits: string, key: PseudonymKey): string {
  return isSubscriberNumber(digits) ? `~${key.pseudonymOf(digits).toString('hex')}` : HIDDEN;
}

function digitsOf(identity: string): string {
  return identity.replaceAll(/\D/g, '');
}

function capped(text: string, limitOctets: number): string {
  if (Buffer.byteLength(text) <= limitOctets) return text;
  // A cut in the middle of a character leaves a replacement character, which says as much.
  return Buffer.from(text).subarray(0, limitOctets).toString('utf8');
}
