// AssemblyScript. Octets, eight at a time.

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
