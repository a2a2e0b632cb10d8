import { canonicalDatum } from './canonical-datum.ts';
import type { FlowRecord } from './flow-record.ts';

/**
 * 32 bits over every field of a record, to tell a repeated record from another one under the same identity. It depends on
 * the content alone, not on the encoding that carried it: it is taken over the record as plain Avro writes it.
 */
export function fingerprintOf(record: FlowRecord): number {
  const datum = canonicalDatum(record);
  return fingerprintOfDatum(datum, 0, datum.length);
}

/** The same where the record stands in plain Avro, from `start` to `end`. Eight octets at a time, in two hashes. */
export function fingerprintOfDatum(octets: Uint8Array, start: number, end: number): number {
  let even = end - start;
  let odd = 0;
  let at = start;
  for (; at + 8 <= end; at += 8) {
    const low = octets[at] | (octets[at + 1] << 8) | (octets[at + 2] << 16) | (octets[at + 3] << 24);
    const high = octets[at + 4] | (octets[at + 5] << 8) | (octets[at + 6] << 16) | (octets[at + 7] << 24);
    even = mixWord(even, low);
    odd = mixWord(odd, high);
  }
  for (; at < end; at++) even = mixWord(even, octets[at]);
  return finish(mixWord(even, odd));
}

/** MurmurHash3's mixing (public domain, A. Appleby). */
export function mixWord(hash: number, word: number): number {
  let k = Math.imul(word, 0xcc9e2d51);
  k = (k << 15) | (k >>> 17);
  const mixed = hash ^ Math.imul(k, 0x1b873593);
  return (Math.imul((mixed << 13) | (mixed >>> 19), 5) + 0xe6546b64) | 0;
}

export function finish(hash: number): number {
  let h = hash;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
