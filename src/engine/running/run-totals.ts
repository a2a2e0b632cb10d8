import type { RunTotals } from '../engine.ts';

export const NO_TOTALS: RunTotals = {
  batches: 0,
  read: 0,
  keyMismatches: 0,
  records: { charged: 0, not_sponsored: 0, duplicate: 0, rejected: 0 },
};

export function sumOfTotals(parts: readonly RunTotals[]): RunTotals {
  return parts.reduce(
    (sum, part) => ({
      batches: sum.batches + part.batches,
      read: sum.read + part.read,
      keyMismatches: sum.keyMismatches + part.keyMismatches,
      records: {
        charged: sum.records.charged + part.records.charged,
        not_sponsored: sum.records.not_sponsored + part.records.not_sponsored,
        duplicate: sum.records.duplicate + part.records.duplicate,
        rejected: sum.records.rejected + part.records.rejected,
      },
    }),
    NO_TOTALS,
  );
}

/** What the engines of a run have booked, thread by thread. */
export class RunTally {
  readonly #threads: (() => RunTotals)[] = [];

  /** `totals` returns what the thread's engines have booked since the run began. */
  set(thread: number, totals: () => RunTotals): void {
    this.#threads[thread] = totals;
  }

  of(thread: number): RunTotals {
    return this.#threads[thread]?.() ?? NO_TOTALS;
  }

  sum(): RunTotals {
    return sumOfTotals(Object.values(this.#threads).map((totals) => totals()));
  }
}
