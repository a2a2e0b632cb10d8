import type { BookedLine } from '../engine-config.ts';

/** When all of a batch had happened, up to and with this offset of a partition. */
export interface Done {
  lastOffset: number;
  atMs: number;
}

/** A batch that was booked and announced, and how long it took for each of its stages after its last record was read. */
export interface TimedBatch extends Done {
  /** From its first record on until its last one was read. */
  readMs: number;
  afterMs: Readonly<Record<LaterStage, number>>;
}

/** What a batch passes after it has been filled, in this order. */
export const LATER_STAGES = [
  'wait for the batch before',
  'rate',
  'encode',
  'insert',
  'wait for the publication before',
  'publish',
] as const;
type LaterStage = (typeof LATER_STAGES)[number];
/** What a record's delay consists of. */
export const STAGES = ['until its batch takes records', 'until its batch is filled', ...LATER_STAGES] as const;
export type Stage = (typeof STAGES)[number];
/** Mean milliseconds of each stage. */
export type Stages = Record<Stage, number>;

/** The stages of a batch as the engine's log has it. */
export function timedBatch({ time, lastOffset, durationMs, waitedMs }: BookedLine): TimedBatch {
  const { read = 0, rate = 0, encode = 0, insert = 0, publish = 0 } = durationMs;
  const waits = {
    'wait for the batch before': waitedMs.rate ?? 0,
    'wait for the publication before': waitedMs.publish ?? 0,
  };
  return { lastOffset, atMs: Date.parse(time), readMs: read, afterMs: { ...waits, rate, encode, insert, publish } };
}

/** The stages of one partition's records that were sent at `fromMs` or later and took at least `leastMs`: their sums, and how many they are. */
export function sumStages(
  sentAtMs: Float64Array,
  batches: readonly TimedBatch[],
  { fromMs, leastMs }: { fromMs: number; leastMs: number },
): { sums: Stages; records: number } {
  const sums = Object.fromEntries(STAGES.map((stage) => [stage, 0])) as Stages;
  let records = 0;
  let offset = 0;
  for (const { lastOffset, atMs, readMs, afterMs } of batches.toSorted((a, b) => a.lastOffset - b.lastOffset)) {
    const filledAtMs = atMs - LATER_STAGES.reduce((sum, stage) => sum + afterMs[stage], 0);
    for (; offset <= lastOffset && offset < sentAtMs.length; offset++) {
      const sent = sentAtMs[offset];
      if (sent < fromMs || atMs - sent < leastMs) continue;
      records++;
      const filling = Math.min(Math.max(0, filledAtMs - sent), readMs);
      sums['until its batch is filled'] += filling;
      sums['until its batch takes records'] += Math.max(0, filledAtMs - sent - filling);
      for (const stage of LATER_STAGES) sums[stage] += afterMs[stage];
    }
  }
  return { sums, records };
}

/** Mean stages over all partitions. */
export function meanStages(parts: readonly { sums: Stages; records: number }[]): Stages {
  const records = parts.reduce((sum, part) => sum + part.records, 0);
  const mean = (stage: Stage) => parts.reduce((sum, { sums }) => sum + sums[stage], 0) / Math.max(1, records);
  return Object.fromEntries(STAGES.map((stage) => [stage, mean(stage)])) as Stages;
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
