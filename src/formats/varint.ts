/**
 * Integers of one to ten octets, seven bits in each, the lowest first (LEB128). ClickHouse writes them unsigned (`VarUint`), Avro and
 * Kafka after a zigzag that keeps small negative numbers short (`Varint`).
 *
 * The kernel and `patch-record-sets.ts`, which read every record, have readers of their own: each shares its position with the reader
 * around it, and returns no offset.
 */

const MAX_VARINT_OCTETS = 10;
const LOW = 2 ** 28;

/** Writes an integer from 0 to 2^54; returns the offset after it. */
export function writeVarUint(out: Uint8Array, at: number, value: number): number {
  let end = at;
  let rest = value;
  if (value >= LOW) {
    // Bit operations hold 32 bits: four octets of seven bits first.
    const low = value % LOW;
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

/** Octets that `writeVarUint` writes. */
export function varUintOctets(value: number): number {
  let octets = 1;
  for (let limit = 0x80; value >= limit; limit *= 0x80) octets++;
  return octets;
}

/** Writes an integer from 0 to 2^53 - 1 in zigzag; returns the offset after it. */
export function writeVarint(out: Uint8Array, at: number, value: number): number {
  // Doubling is exact: it moves the exponent only.
  return writeVarUint(out, at, value * 2);
}

/** Returns any integer of 64 bits in zigzag. */
export function varintOf(value: bigint): Buffer {
  const octets: number[] = [];
  let rest = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n));
  for (; rest > 127n; rest >>= 7n) octets.push(Number(rest & 127n) | 128);
  return Buffer.from([...octets, Number(rest)]);
}

/** The offset after the integer at `start`, of either kind; -1 if it is cut off or longer than 10 octets. */
export function varintEnd(octets: Uint8Array, start: number): number {
  const limit = Math.min(octets.length, start + MAX_VARINT_OCTETS);
  for (let at = start; at < limit; at += 1) {
    if (octets[at] < 0x80) return at + 1;
  }
  return -1;
}

/** The unsigned value in [start, end): exact up to 2^53, close to it beyond. */
export function varUintValue(octets: Uint8Array, start: number, end: number): number {
  if (end - start <= 4) return lowBits(octets, start, end);
  let value = 0;
  for (let at = end - 1; at >= start; at -= 1) value = value * 128 + (octets[at] & 0x7f);
  return value;
}

/** The zigzag value in [start, end): exact up to 2^53, the nearest double beyond. */
export function varintValue(octets: Uint8Array, start: number, end: number): number {
  if (end - start <= 4) {
    const low = lowBits(octets, start, end);
    return (low >>> 1) ^ -(low & 1);
  }
  if (end - start <= 7) {
    const zigzag = lowBits(octets, start + 4, end) * 2 ** 28 + lowBits(octets, start, start + 4);
    return zigzag % 2 === 0 ? zigzag / 2 : -(zigzag + 1) / 2;
  }
  return Number(varintLong(octets, start, end));
}

/** Of four octets at the most. */
function lowBits(octets: Uint8Array, start: number, end: number): number {
  let bits = 0;
  for (let at = end - 1; at >= start; at -= 1) bits = (bits << 7) | (octets[at] & 0x7f);
  return bits;
}

/** The same as `varintValue`, exact. */
export function varintLong(octets: Uint8Array, start: number, end: number): bigint {
  let zigzag = 0n;
  for (let at = end - 1; at >= start; at -= 1) zigzag = (zigzag << 7n) | BigInt(octets[at] & 0x7f);
  return BigInt.asIntN(64, (zigzag >> 1n) ^ -(zigzag & 1n));
}
