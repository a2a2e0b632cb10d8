const SEED = 0x9747b28c;
const M = 0x5bd1e995;
const R = 24;

/**
 * The hash by which Kafka's own clients choose a key's partition: the Java client and kafkajs have it. kafkajs computes it
 * with objects for 64-bit numbers, which for a batch's quota updates was more work than rating the batch. 32 bits, signed.
 */
export function murmur2(key: Uint8Array): number {
  const { length } = key;
  const whole = length & ~3;
  let hash = SEED ^ length;
  for (let at = 0; at < whole; at += 4) {
    let k = Math.imul(key[at] | (key[at + 1] << 8) | (key[at + 2] << 16) | (key[at + 3] << 24), M);
    k = Math.imul(k ^ (k >>> R), M);
    hash = Math.imul(hash, M) ^ k;
  }
  if (whole < length) {
    for (let at = length - 1; at >= whole; at--) hash ^= key[at] << ((at - whole) * 8);
    hash = Math.imul(hash, M);
  }
  hash = Math.imul(hash ^ (hash >>> 13), M);
  return hash ^ (hash >>> 15);
}
