/** Resident memory of an engine process with so many partitions, in bytes, as `bench:memory` has measured it. */
export interface MeasuredMemory {
  partitions: number;
  caughtUp: number;
  backlogPeak: number;
}

/** An engine's memory as a line over its partitions, in bytes. Counters and windows that have filled come on top. */
export interface MemoryLine {
  base: number;
  /** Of each partition that is caught up. */
  perPartition: number;
  /** More than caught up, at the peak of the backlog that was measured. */
  backlog: number;
}

/** Bytes of an identity in the window of duplicates. */
export const WINDOW_BYTES = 24;

/** Through the measurements with the fewest and the most partitions. */
export function memoryLine(measured: readonly MeasuredMemory[]): MemoryLine {
  const sorted = measured.toSorted((a, b) => a.partitions - b.partitions);
  const [few, many] = [sorted[0], sorted[sorted.length - 1]];
  const perPartition = (many.caughtUp - few.caughtUp) / (many.partitions - few.partitions);
  return {
    base: few.caughtUp - perPartition * few.partitions,
    perPartition,
    backlog: Math.max(...measured.map(({ caughtUp, backlogPeak }) => backlogPeak - caughtUp)),
  };
}
