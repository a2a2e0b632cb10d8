const COLON = 0x3a;
const DOT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
const V4_PREFIX_LENGTH = 96;
const NOT_V4 = -1;
const NO_GAP = -1;
/** Six groups of four digits with their colons, and the longest IPv4 address. */
const MAX_TEXT_LENGTH = 45;

/** The eight groups of the IPv6 address being read; one for all calls, as the hot path makes no objects. */
const groups = new Uint16Array(8);
const characters = new Uint8Array(MAX_TEXT_LENGTH);

/** A network: four big-endian words and the number of leading bits that count. IPv4 is ::ffff:a.b.c.d, its length + 96. */
export interface Cidr {
  words: Uint32Array;
  /** 0..128 */
  length: number;
}

/**
 * Writes an address as four big-endian 32 bit words from `at`, IPv4 as ::ffff:a.b.c.d. False if the text is no address;
 * nothing is written then. Strict: no leading zeros in IPv4, no zone ids, no blanks.
 */
export function parseIp(text: string, out: Uint32Array, at: number): boolean {
  const { length } = text;
  if (length > MAX_TEXT_LENGTH) return false;
  // What is not ASCII becomes an octet that no address has.
  for (let i = 0; i < length; i++) characters[i] = Math.min(text.charCodeAt(i), 0xff);
  return parseIpOctets(characters, 0, length, out, at);
}

/** The same for a text in octets. */
export function parseIpOctets(octets: Uint8Array, start: number, end: number, out: Uint32Array, at: number): boolean {
  if (startsAsV6(octets, start, end)) return parseV6(octets, start, end, out, at);
  const address = parseV4(octets, start, end);
  if (address === NOT_V4) return false;
  out[at] = 0;
  out[at + 1] = 0;
  out[at + 2] = 0xffff;
  out[at + 3] = address;
  return true;
}

/** `203.0.113.0/24`, `2001:db8::/32`; null if it is none. Host bits are kept: see `networkOf`. */
export function parseCidr(text: string): Cidr | null {
  const slash = text.indexOf('/');
  if (slash < 0) return null;
  const address = text.slice(0, slash);
  const digits = text.slice(slash + 1);
  if (!/^(0|[1-9]\d{0,2})$/.test(digits)) return null;
  const isV6 = address.includes(':');
  const length = Number(digits);
  const words = new Uint32Array(4);
  if (length > (isV6 ? 128 : 32) || !parseIp(address, words, 0)) return null;
  return { words, length: isV6 ? length : length + V4_PREFIX_LENGTH };
}

/** The same network with host bits zero. */
export function networkOf({ words, length }: Cidr): Cidr {
  const masked = words.map((word, i) => {
    const bits = Math.min(32, Math.max(0, length - i * 32));
    // A shift by 32 would be a shift by 0.
    return bits === 0 ? 0 : word & (-1 << (32 - bits));
  });
  return { words: masked, length };
}

/** Orders networks by address, and outer before inner. */
export function compareNetworks(a: Cidr, b: Cidr): number {
  for (let word = 0; word < a.words.length; word++) {
    const difference = a.words[word] - b.words[word];
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

/** The address at `at`: IPv4 dotted, IPv6 as RFC 5952 writes it. */
export function formatIp(words: Uint32Array, at = 0): string {
  if (isV4(words, at)) return [24, 16, 8, 0].map((shift) => (words[at + 3] >>> shift) & 0xff).join('.');
  const parts = Array.from({ length: 8 }, (_, i) => (words[at + (i >> 1)] >>> (i % 2 === 0 ? 16 : 0)) & 0xffff);
  const { start, length } = longestZeros(parts);
  const hex = (some: number[]): string => some.map((part) => part.toString(16)).join(':');
  return length < 2 ? hex(parts) : `${hex(parts.slice(0, start))}::${hex(parts.slice(start + length))}`;
}

export function formatCidr({ words, length }: Cidr): string {
  const prefix = isV4(words, 0) && length >= V4_PREFIX_LENGTH ? length - V4_PREFIX_LENGTH : length;
  return `${formatIp(words)}/${prefix}`;
}

function isV4(words: Uint32Array, at: number): boolean {
  return words[at] === 0 && words[at + 1] === 0 && words[at + 2] === 0xffff;
}

function longestZeros(parts: readonly number[]): { start: number; length: number } {
  let longest = { start: 0, length: 0 };
  for (let start = 0; start < parts.length; start++) {
    let end = start;
    while (parts[end] === 0) end++;
    if (end - start > longest.length) longest = { start, length: end - start };
  }
  return longest;
}

/** Whether the first mark is a colon; it comes within five characters, if the text is an address. */
function startsAsV6(octets: Uint8Array, start: number, end: number): boolean {
  const limit = Math.min(start + 5, end);
  for (let i = start; i < limit; i++) {
    if (octets[i] === COLON) return true;
    if (octets[i] === DOT) return false;
  }
  return false;
}

function parseV4(octets: Uint8Array, start: number, end: number): number {
  let bits = 0;
  let dots = 0;
  let part = 0;
  let digits = 0;
  for (let i = start; i < end; i++) {
    const digit = octets[i] - ZERO;
    if (digit >= 0 && digit <= 9) {
      // A second digit after a 0 would be a leading zero.
      if (digits > 0 && part === 0) return NOT_V4;
      part = part * 10 + digit;
      digits++;
      if (part > 255) return NOT_V4;
    } else {
      if (octets[i] !== DOT || digits === 0 || ++dots > 3) return NOT_V4;
      bits = (bits << 8) | part;
      part = 0;
      digits = 0;
    }
  }
  return dots === 3 && digits > 0 ? ((bits << 8) | part) >>> 0 : NOT_V4;
}

function parseV6(octets: Uint8Array, start: number, end: number, out: Uint32Array, at: number): boolean {
  let count = 0;
  let gap = NO_GAP; // the number of groups before `::`
  let i = start;
  if (octets[start] === COLON) {
    if (end - start < 2 || octets[start + 1] !== COLON) return false;
    gap = 0;
    i = start + 2;
  }
  while (i < end) {
    if (count === 8) return false;
    const first = i;
    let group = 0;
    let code = COLON;
    for (; i < end; i++) {
      code = octets[i];
      const digit = hexDigit(code);
      if (digit < 0) break;
      group = (group << 4) | digit;
    }
    if (i - first > 4) return false;
    if (code === DOT) {
      const address = parseV4(octets, first, end);
      if (address === NOT_V4 || count > 6) return false;
      groups[count++] = address >>> 16;
      groups[count++] = address & 0xffff;
      break;
    }
    if (i === first) return false;
    groups[count++] = group;
    if (i === end) break;
    if (code !== COLON || ++i === end) return false;
    if (octets[i] !== COLON) continue;
    if (gap !== NO_GAP) return false;
    gap = count;
    i++;
  }
  if (gap === NO_GAP ? count !== 8 : count > 7) return false;
  if (gap !== NO_GAP) spread(count, gap);
  for (let word = 0; word < 4; word++) out[at + word] = (groups[word * 2] << 16) | groups[word * 2 + 1];
  return true;
}

/** A hex digit's value; -1 for anything else. */
function hexDigit(code: number): number {
  if (code >= ZERO && code <= NINE) return code - ZERO;
  const letter = code | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}

/** Moves the groups after `::` to the end, and puts zeros in their place. */
function spread(count: number, gap: number): void {
  const zeros = 8 - count;
  for (let i = count - 1; i >= gap; i--) groups[i + zeros] = groups[i];
  for (let i = gap; i < gap + zeros; i++) groups[i] = 0;
}
