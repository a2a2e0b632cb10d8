/** When all of a batch had happened, up to and with this offset of a partition. */
export interface Done {
  lastOffset: number;
  atMs: number;
}

/**
 * From when each record of a partition was sent until its batch was done. `sentAtMs` is by offset; records sent before
 * `fromMs` do not count. Throws when a record's batch was never done.
 */
export function delaysOf(sentAtMs: Float64Array, batches: readonly Done[], fromMs: number): Float64Array {
  const ascending = batches.toSorted((a, b) => a.lastOffset - b.lastOffset);
  const delays = new Float64Array(sentAtMs.length);
  let count = 0;
  let batch = 0;
  for (let offset = 0; offset < sentAtMs.length; offset++) {
    while (batch < ascending.length && ascending[batch].lastOffset < offset) batch++;
    if (batch === ascending.length) throw new Error(`record ${offset} is in no batch`);
    if (sentAtMs[offset] >= fromMs) delays[count++] = ascending[batch].atMs - sentAtMs[offset];
  }
  return delays.subarray(0, count);
}

export interface Percentiles {
  p50: number;
  p99: number;
  most: number;
}

/** By nearest rank, over the delays of all partitions. */
export function percentiles(parts: readonly Float64Array[]): Percentiles {
  const sorted = new Float64Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    sorted.set(part, at);
    at += part.length;
  }
  sorted.sort();
  const rank = (share: number) => sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)];
  return { p50: rank(0.5), p99: rank(0.99), most: rank(1) };
}
