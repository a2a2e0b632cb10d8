import type { GeneratedRecord } from './generated-record.ts';
import type { GeneratedTotals } from './generated-totals.ts';

export interface TakenRecords {
  records: GeneratedRecord[];
  /** Present once the generator has ended. */
  totals?: GeneratedTotals;
}

/** Returns up to `count` records of the generator. */
export function takeRecords(from: Generator<GeneratedRecord, GeneratedTotals, undefined>, count: number): TakenRecords {
  const records: GeneratedRecord[] = [];
  while (records.length < count) {
    const next = from.next();
    if (next.done) return { records, totals: next.value };
    records.push(next.value);
  }
  return { records };
}
