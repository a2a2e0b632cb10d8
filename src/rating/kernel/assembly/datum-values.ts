// AssemblyScript. Values of a datum in plain layout. Every reader of a field takes the field's place, and returns that of the next one, or NOWHERE.
import { LIMITS, NO_TEXT } from '../regions';
import { cell, isAscii, NOWHERE, wordAt } from './octets';
import { FULL, numberOfText } from './texts';

const MAX_INT32: u64 = 0x7fffffff;
/** Above every number that is read, so that numbers can be judged together. */
export const UNUSUAL: u64 = 1 << 63;

/** The octets of the varint that a word begins with; 9 if it has more than 8. */
export function varintOctetsOf(word: u64): usize {
  return <usize>(ctz(~word & 0x8080808080808080) >> 3) + 1;
}

/**
 * The number of the varint that a word begins with: of at most 7 octets and not negative (zigzag), and so below 2^48. UNUSUAL
 * for any other, and for one that is longer than it need be: a record has one datum only, over which its fingerprint is taken.
 * Without a loop over its octets.
 */
export function wholeOf(word: u64): u64 {
  if ((word & 0x81) === 0) return (word & 0x7f) >> 1;
  const octets: u64 = varintOctetsOf(word);
  if (octets > 7) return UNUSUAL;
  let bits = word & (((<u64>1) << (octets << 3)) - 1);
  const last = bits >> ((octets - 1) << 3);
  if ((bits & 1) !== 0 || last === 0) return UNUSUAL;
  // Seven bits of each octet move together: to pairs, fours, eights.
  bits = (bits & 0x007f007f007f007f) | ((bits & 0x7f007f007f007f00) >> 1);
  bits = (bits & 0x00003fff00003fff) | ((bits & 0x3fff00003fff0000) >> 2);
  return ((bits & 0x0fffffff) | ((bits & 0x0fffffff00000000) >> 4)) >> 1;
}

/**
 * Where the octets of the text field at `at` begin, if they fit into the datum. The length of a text that is read here takes one
 * octet or two: a record takes 10 ns less than where numbers' reader reads them.
 */
export function textAt(at: usize, end: usize): usize {
  const first: u32 = load<u8>(at);
  const second: u32 = load<u8>(at + 1);
  // Odd is negative (zigzag). The last octet is below 128, and not 0: a length is no longer than it need be.
  if ((first & 1) !== 0 || (first >= 0x80 && second - 1 >= 0x7f)) return NOWHERE;
  const length = lengthAt(at);
  const from = at + 1 + (first >> 7);
  return length <= <usize>load<u32>(LIMITS, 16) && from + length <= end ? from : NOWHERE;
}

/** The length of the text field at `at`, where `textAt` finds it. */
export function lengthAt(at: usize): usize {
  const first: usize = load<u8>(at);
  return first < 0x80 ? first >> 1 : ((first & 0x7f) | ((<usize>load<u8>(at + 1)) << 7)) >> 1;
}

/** Numbers an ASCII text into `out`. */
export function readText(at: usize, end: usize, out: usize): usize {
  const from = textAt(at, end);
  const length = lengthAt(at);
  if (from === NOWHERE || !isAscii(from, length)) return NOWHERE;
  const number = numberOfText(from, length);
  store<i32>(out, number);
  return number === FULL ? NOWHERE : from + length;
}

// The branch of a union of null and another type: 0 is null, 2 the other.

export function readOptionalText(at: usize, end: usize, out: usize): usize {
  const branch = load<u8>(at);
  if (branch === 2) return readText(at + 1, end, out);
  store<i32>(out, NO_TEXT);
  return branch === 0 ? at + 1 : NOWHERE;
}

export function skipOptionalText(at: usize, end: usize): usize {
  const branch = load<u8>(at);
  if (branch !== 2) return branch === 0 ? at + 1 : NOWHERE;
  const from = textAt(at + 1, end);
  const length = lengthAt(at + 1);
  return from !== NOWHERE && isAscii(from, length) ? from + length : NOWHERE;
}

export function readOptionalInt(at: usize, out: usize): usize {
  const branch = load<u8>(at);
  if (branch !== 2) {
    store<i32>(out, NO_TEXT);
    return branch === 0 ? at + 1 : NOWHERE;
  }
  const word = load<u64>(at + 1);
  const number = wholeOf(word);
  store<i32>(out, <i32>number);
  return number <= MAX_INT32 ? at + 1 + varintOctetsOf(word) : NOWHERE;
}

/**
 * Writes the code of an optional word to the octet `out`. The codes' words are at `words`, eight octets each: none is longer. Null has the
 * code whose word is left out there.
 */
export function readOptionalWord(at: usize, end: usize, words: usize, codes: usize, out: usize): usize {
  const branch = load<u8>(at);
  let next = at + 1;
  let word: u64 = 0;
  if (branch === 2) {
    const from = textAt(next, end);
    const length = lengthAt(next);
    if (from === NOWHERE || length - 1 >= 8) return NOWHERE;
    next = from + length;
    word = wordAt(from, length);
    // A zero at the end would leave the word's length in doubt.
    if (load<u8>(next - 1) === 0) return NOWHERE;
  } else if (branch !== 0) return NOWHERE;
  for (let code: usize = 0; code < codes; code++) {
    if (load<u64>(cell(words, code, 8)) !== word) continue;
    store<u8>(out, <u8>code);
    return next;
  }
  return NOWHERE;
}
