import type { LastClosing } from '../billing/closed-periods.ts';
import type { RestoredCounters, RestoredIdentities } from '../billing/restored-columns.ts';
import type { GapReason } from '../journal/batch-digest.ts';
import type { StoredRow } from './stored-columns.ts';

/** A batch row as the journal has it. */
export interface BatchRow {
  lane: string;
  topic: string;
  partition: number;
  lastOffset: number;
  bookingDay: number;
  chainedDay: number;
  catalogueHash: string;
  digest: string;
  gapReason: GapReason | '';
  /** Whole numbers, by their column's name. */
  numbers: Record<string, number>;
}

/** What the journal holds of a batch beside its batch row's numbers. */
export interface StoredBatch {
  /** Charge and rejection rows, in offset order. */
  rows: readonly StoredRow[];
  /** The batch row's arrays, as `batchDigest` takes them. */
  lists: readonly Uint8Array[];
}

/** What a lane knew before a batch was rated. */
export interface LaneState {
  counters: AsyncIterable<RestoredCounters>;
  seen: AsyncIterable<RestoredIdentities>;
}

/** A journal as those who check it read it. */
export interface JournalEvidence {
  /** All batch rows, by lane and number. */
  batches(): Promise<BatchRow[]>;
  stored(batch: BatchRow): Promise<StoredBatch>;
  /** Charge and rejection rows, in batches or not. */
  rowCount(): Promise<number>;
  /** The canonical JSON of a catalogue that a batch names. */
  catalogue(hash: string): Promise<string>;
  /** Sponsors suspended once the fact of this number, and all before it, counted. */
  suspendedAsOf(number: number): Promise<ReadonlySet<string>>;
  /** By sponsor the last month that the closing of this number and all before it have closed. */
  closedAsOf(number: number): Promise<ReadonlyMap<string, LastClosing>>;
  /** All counters, and the identities among the last `windowRecords` records, before a batch. */
  stateBefore(batch: BatchRow, windowRecords: number): LaneState;
  /** Identities of the earlier generations of the rewritten file that a batch is of. */
  seenByEarlier(batch: BatchRow): AsyncIterable<RestoredIdentities>;
  /** For each subscriber and plan the counters of its newest period. A subscriber in two lanes has one for each. */
  newestCounters(): AsyncIterable<NewestCounter>;
}

export interface NewestCounter {
  /** Pseudonym, 32 hex digits. */
  subscriber: string;
  planId: string;
  periodStart: number;
  usedOctets: number;
}
