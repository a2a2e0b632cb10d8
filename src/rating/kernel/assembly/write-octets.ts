// AssemblyScript. Copies and varints, as both kernels write them.

/** Copies octets, sixteen at a time, and returns the address after them; up to fifteen more are read and written. */
export function copy(to: usize, from: usize, octets: usize): usize {
  for (let i: usize = 0; i < octets; i += 16) v128.store(to + i, v128.load(from + i));
  return to + octets;
}

/** The octets of an integer from 0 to 2^53 - 1 as a varint (in zigzag, so doubled): seven of its bits in each. */
export function varintOctets(value: u64): u32 {
  return (<u32>(64 - clz((value << 1) | 1)) * 9 + 64) >> 6;
}

/**
 * Writes an integer from 0 to 2^53 - 1 as a varint, and returns the address after it; eight octets are written whatever its length.
 * Without a branch up to 2^55: which lengths follow each other is not to be predicted. The bits are moved apart by halves, to seven in each octet.
 */
export function putVarint(to: usize, value: u64): usize {
  const octets = varintOctets(value);
  let bits = value << 1;
  bits = (bits & 0x000000000fffffff) | ((bits & 0x00fffffff0000000) << 4);
  bits = (bits & 0x00003fff00003fff) | ((bits & 0x0fffc0000fffc000) << 2);
  bits = (bits & 0x007f007f007f007f) | ((bits & 0x3f803f803f803f80) << 1);
  // All octets but the last say that another follows.
  store<u64>(to, bits | (0x0080808080808080 >> ((8 - <u64>octets) << 3)));
  return to + octets;
}
