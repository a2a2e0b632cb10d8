import { utf8Text } from '../../rating/decode/utf8.ts';
import { formatIp } from '../../rating/ip-address.ts';
import type { BerValue } from './ber-value.ts';

/** An unsigned number of 64 bits, with the octet that keeps it from being negative. */
const MAX_INTEGER_OCTETS = 9;
const TIME_STAMP_OCTETS = 9;
const PLUS = 0x2b;
const MINUS = 0x2d;
const V4_OCTETS = 4;
const V6_OCTETS = 16;
/** Tags of iPTextV4Address and iPTextV6Address. */
const TEXT_TAGS = [2, 3];
/** TBCD-STRING (TS 29.002): 10 to 14 are these, 15 fills up. */
const TBCD_SIGNS = '0123456789*#abc';

/**
 * What the values of TS 32.298 say. What is none of its kind becomes a text of its octets, for the validation to refuse: a
 * record that cannot be rated shows what it had.
 */
export function integerOf(value: BerValue): number | string {
  const octets = contentOf(value);
  if (octets.length === 0 || octets.length > MAX_INTEGER_OCTETS) return oddOctets(octets);
  let number = octets[0] >= 0x80 ? -1 : 0;
  for (const octet of octets) number = number * 256 + octet;
  return number;
}

/** IA5String, and the UTF8String of an AVP inside of an OCTET STRING. */
export function textOf(value: BerValue): string {
  const octets = contentOf(value);
  return utf8Text(octets) ?? oddOctets(octets);
}

/** Digits of a TBCD-STRING, the low half of an octet first. */
export function digitsOf(value: BerValue): string {
  return tbcd(contentOf(value));
}

/** Milliseconds since 1970-01-01T00:00Z of a TimeStamp: YYMMDDhhmmss in BCD, + or -, hhmm in BCD. */
export function timeOf(value: BerValue): number | string {
  const octets = contentOf(value);
  if (octets.length !== TIME_STAMP_OCTETS) return oddOctets(octets);
  const [year, month, day, hour, minute, second] = Array.from(octets.subarray(0, 6), bcd);
  const [offsetHours, offsetMinutes] = Array.from(octets.subarray(7), bcd);
  const sign = octets[6];
  const localMs = Date.UTC(2000 + year, month - 1, day, hour, minute, second);
  const isDate = month >= 1 && new Date(localMs).getUTCDate() === day && new Date(localMs).getUTCMonth() === month - 1;
  const isTime = hour < 24 && minute < 60 && second < 60 && offsetHours < 24 && offsetMinutes < 60;
  if (!isDate || !isTime || (sign !== PLUS && sign !== MINUS)) return oddOctets(octets);
  const offsetMs = (offsetHours * 60 + offsetMinutes) * 60_000;
  return sign === PLUS ? localMs - offsetMs : localMs + offsetMs;
}

/**
 * The address inside of an IPAddress or a PDPAddress, which are choices of choices: binary or in letters, IPv6 with the
 * length of its prefix or without. Whatever wraps it, it is the first primitive value in there.
 */
export function addressOf(value: BerValue): string {
  const [first] = value.values;
  if (first !== undefined) return addressOf(first);
  const { octets, tag } = value;
  if (TEXT_TAGS.includes(tag)) return textOf(value);
  if (octets.length === V4_OCTETS) return octets.join('.');
  return octets.length === V6_OCTETS ? formatIp(wordsOf(octets)) : oddOctets(octets);
}

/** Content of a string, which may be cut into parts (X.690, 8.7.3). */
export function contentOf({ octets, values }: BerValue): Uint8Array {
  return values.length === 0 ? octets : Buffer.concat(values.map(contentOf));
}

function wordsOf(octets: Uint8Array): Uint32Array {
  const view = new DataView(octets.buffer, octets.byteOffset, octets.length);
  return Uint32Array.from({ length: V6_OCTETS / 4 }, (_, word) => view.getUint32(word * 4));
}

/** Digits and signs of TBCD, without the filler at the end. */
export function tbcd(octets: Uint8Array): string {
  const digits = Array.from(octets, (octet) => (TBCD_SIGNS[octet & 15] ?? 'F') + (TBCD_SIGNS[octet >> 4] ?? 'F')).join(
    '',
  );
  return digits.replace(/F+$/, '');
}

/** Two decimal digits, the high half first; NaN where they are none. */
function bcd(octet: number): number {
  const [tens, ones] = [octet >> 4, octet & 15];
  return tens < 10 && ones < 10 ? tens * 10 + ones : Number.NaN;
}

/** Such as `octets 0x0a 0xff`: it is no number, no address and no digits. */
export function oddOctets(octets: Uint8Array): string {
  return `octets ${Array.from(octets, (octet) => `0x${octet.toString(16).padStart(2, '0')}`).join(' ')}`;
}
