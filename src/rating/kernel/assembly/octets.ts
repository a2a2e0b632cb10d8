// AssemblyScript. Octets, eight or sixteen at a time.
import { LIMITS } from '../regions';

/** Where a reader found what only the long way may judge: nothing is at this address. */
export const NOWHERE: usize = 0;

/** The lowest `octets` (1 to 8) of the eight octets from `at` on; the others are 0. */
export function wordAt(at: usize, octets: usize): u64 {
  return load<u64>(at) & (<u64>-1 >> (64 - ((<u64>octets) << 3)));
}

/** Whether a text is ASCII. */
export function isAscii(at: usize, length: usize): bool {
  let bits: u64 = 0;
  let i: usize = 0;
  for (; i + 8 <= length; i += 8) bits |= load<u64>(at + i);
  if (i < length) bits |= wordAt(at + i, length - i);
  return (bits & 0x8080808080808080) === 0;
}

/** The address of a column's cell, whose cells are `width` octets wide. */
export function cell(column: usize, row: usize, width: usize): usize {
  return column + row * width;
}

/** How many digits are at `at`; 16 for more. What follows them is looked at too. */
export function digitsAt(at: usize): usize {
  const others = i8x16.bitmask(i8x16.gt_u(i8x16.sub(v128.load(at), i8x16.splat(0x30)), i8x16.splat(9)));
  return ctz(others | 0x10000);
}

/**
 * Where the text that begins at `from` ends: at the first octet `end`; `to` where there is none before it. NOWHERE for a text that is
 * longer than a record's may be, or that has the octet `other` in it, a control character or one that is not ASCII.
 */
export function textEnd(from: usize, to: usize, end: u8, other: u8): usize {
  const limit = from + <usize>load<u32>(LIMITS, 16);
  for (let at = from; at <= limit; at += 16) {
    const octets = v128.load(at);
    const ends = i8x16.eq(octets, i8x16.splat(end));
    // As a signed number an octet of 128 or more is below a space.
    const others = v128.or(i8x16.eq(octets, i8x16.splat(other)), i8x16.lt_s(octets, i8x16.splat(0x20)));
    const stops: u32 = i8x16.bitmask(v128.or(ends, others));
    const stop = at + ctz(stops | 0x10000);
    if (stop >= to) return to <= limit ? to : NOWHERE;
    if (stops === 0) continue;
    return stop <= limit && load<u8>(stop) === end ? stop : NOWHERE;
  }
  return NOWHERE;
}
