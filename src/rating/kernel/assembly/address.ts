// AssemblyScript. IP addresses in text; `record/ip-address.ts` has the same for texts of the catalogue and of the long way.
import { SCRATCH } from '../regions';

const COLON: u32 = 0x3a;
const DOT: u8 = 0x2e;
const MAX_V4_LENGTH: usize = 15;
const NO_PART: u32 = 1 << 16;
const ZERO: u32 = 0x30;
const NOT_V4: i64 = -1;
const NO_GAP: i32 = -1;
const NO_DIGIT: u32 = 16;

/**
 * Writes the address in [at, end) to `out` as four words, IPv4 as ::ffff:a.b.c.d. False if the text is no address. Strict: no
 * leading zeros in IPv4, no zone ids, no blanks. About 45 ns an IPv4 address.
 */
export function readAddress(at: usize, end: usize, out: usize): bool {
  const v4 = readV4(at, end);
  if (v4 === NOT_V4) return readV6(at, end, out);
  store<u64>(out, 0);
  store<u32>(out, 0xffff, 8);
  store<u32>(out, <u32>v4, 12);
  return true;
}

/**
 * The dots are found in one step (SIMD), and each of the four parts is read in one word, so that no branch depends on how long
 * a part is: 20 ns less for a record's two addresses than character by character.
 */
function readV4(at: usize, end: usize): i64 {
  const length = end - at;
  if (length > MAX_V4_LENGTH) return NOT_V4;
  let dots: u32 = i8x16.bitmask(i8x16.eq(v128.load(at), i8x16.splat(DOT))) & ((1 << (<u32>length)) - 1);
  if (popcnt(dots) !== 3) return NOT_V4;
  const first = at + ctz(dots);
  dots &= dots - 1;
  const second = at + ctz(dots);
  dots &= dots - 1;
  const third = at + ctz(dots);
  const a = readPart(at, first);
  const b = readPart(first + 1, second);
  const c = readPart(second + 1, third);
  const d = readPart(third + 1, end);
  // NO_PART is above them all.
  return (a | b | c | d) > 255 ? NOT_V4 : <i64>((a << 24) | (b << 16) | (c << 8) | d);
}

/** A number of one to three digits without a leading zero; NO_PART for anything else. */
function readPart(at: usize, end: usize): u32 {
  const length: u32 = <u32>(end - at);
  if (length - 1 > 2) return NO_PART;
  // The last digit becomes the highest octet; below the first one are zeros.
  const shift = (4 - length) << 3;
  const digits = ((load<u32>(at) ^ 0x30303030) << shift) as u32;
  if (((digits | (digits + 0x76767676)) & 0x80808080) !== 0) return NO_PART;
  const value = (digits >> 24) + ((digits >> 16) & 0xff) * 10 + ((digits >> 8) & 0xff) * 100;
  // The least numbers of one, two and three digits.
  const least: u32 = (0x640a00 >> ((length - 1) << 3)) & 0xff;
  return value < least ? NO_PART : value;
}

function hexDigit(code: u32): u32 {
  const digit = code - ZERO;
  if (digit <= 9) return digit;
  const letter = (code | 0x20) - 0x61;
  return letter < 6 ? letter + 10 : NO_DIGIT;
}

/** The groups are collected in SCRATCH. */
function readV6(start: usize, end: usize, out: usize): bool {
  let count: i32 = 0;
  let gap: i32 = NO_GAP; // the number of groups before `::`
  let at = start;
  if (end - start < 2) return false;
  if (load<u16>(start) === 0x3a3a) {
    gap = 0;
    at += 2;
  }
  while (at < end) {
    if (count === 8) return false;
    const first = at;
    let group: u32 = 0;
    let digit: u32 = 0;
    for (; at < end; at++) {
      digit = hexDigit(load<u8>(at));
      if (digit === NO_DIGIT) break;
      group = (group << 4) | digit;
    }
    if (at - first > 4) return false;
    if (at < end && load<u8>(at) === DOT) {
      const v4 = readV4(first, end);
      if (v4 === NOT_V4 || count > 6) return false;
      setGroup(count++, <u32>v4 >> 16);
      setGroup(count++, <u32>v4 & 0xffff);
      break;
    }
    if (at === first) return false;
    setGroup(count++, group);
    if (at === end) break;
    if (load<u8>(at) !== COLON || ++at === end) return false;
    if (load<u8>(at) !== COLON) continue;
    if (gap !== NO_GAP) return false;
    gap = count;
    at++;
  }
  if (gap === NO_GAP ? count !== 8 : count > 7) return false;
  if (gap !== NO_GAP) spread(count, gap);
  for (let word: i32 = 0; word < 4; word++)
    store<u32>(out + (word << 2), (groupAt(word * 2) << 16) | groupAt(word * 2 + 1));
  return true;
}

function setGroup(group: i32, value: u32): void {
  store<u16>(SCRATCH + (group << 1), <u16>value);
}

function groupAt(group: i32): u32 {
  return load<u16>(SCRATCH + (group << 1));
}

/** Moves the groups after `::` to the end, and puts zeros in their place. */
function spread(count: i32, gap: i32): void {
  const zeros = 8 - count;
  for (let i = count - 1; i >= gap; i--) setGroup(i + zeros, groupAt(i));
  for (let i = gap; i < gap + zeros; i++) setGroup(i, 0);
}
