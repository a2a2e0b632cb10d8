const LOW = 2 ** 27;

/** Avro's long (zigzag, base 128) of an integer from 0 to 2^53 - 1; gives the offset after it. */
export function writeLong(out: Uint8Array, at: number, value: number): number {
  let end = at;
  let rest = value;
  if (value < LOW) {
    rest = value << 1;
  } else {
    // Bit operations hold 32 bits: four octets of seven bits first, one bit of them is the sign.
    const low = (value % LOW) << 1;
    out[end++] = (low & 0x7f) | 0x80;
    out[end++] = ((low >>> 7) & 0x7f) | 0x80;
    out[end++] = ((low >>> 14) & 0x7f) | 0x80;
    out[end++] = (low >>> 21) | 0x80;
    rest = Math.floor(value / LOW);
  }
  for (; rest >= 0x80; rest >>>= 7) out[end++] = (rest & 0x7f) | 0x80;
  out[end++] = rest;
  return end;
}

/** Octets that `writeLong` writes. */
export function longOctets(value: number): number {
  let octets = 1;
  for (let limit = 0x40; value >= limit; limit *= 0x80) octets++;
  return octets;
}
