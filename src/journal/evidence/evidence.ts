import type { LogRecord, SourceProof } from '../../platform/kafka/log-record.ts';
import type { CampaignFacts } from '../../rating/campaigns/campaigns.ts';
import type { LastClosing } from '../../rating/catalogue/closed-periods.ts';
import type { Decoder } from '../../rating/flow-record.ts';
import type { RestoredCounters, RestoredIdentities } from '../../rating/restored-columns.ts';
import type { GapReason } from '../block-rows.ts';
import type { StoredRow } from './stored-columns.ts';

/** A batch row of the journal. */
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
  /** What proved the source when the batch was booked; empty where nothing did. */
  sourceProof: SourceProof;
  /** Whole numbers, by column name. */
  numbers: Record<string, number>;
}

/** A batch, and the source's records after the batch before it, up to this one's last offset. */
export interface WalkedBatch {
  batch: BatchRow;
  records: readonly LogRecord[];
  decode: Decoder;
  /** What proves the source up to the last record; empty where the source does not have the batch's last record, or has no proof. */
  sourceProof: SourceProof;
}

/** The journal's rows and lists of a batch, beside the numbers of its batch row. */
export interface StoredBatch {
  /** Charge and rejection rows, in offset order. */
  rows: readonly StoredRow[];
  /** The batch row's arrays, as `batchDigest` takes them. */
  lists: readonly Uint8Array[];
}

/** The state of a lane before a batch was rated. */
export interface LaneState {
  counters: AsyncIterable<RestoredCounters>;
  seen: AsyncIterable<RestoredIdentities>;
}

/** The journal's interface for checks. */
export interface JournalEvidence {
  /** All batch rows, by lane and number. */
  batches(): Promise<BatchRow[]>;
  stored(batch: BatchRow): Promise<StoredBatch>;
  /** Charge and rejection rows, in batches or not. */
  rowCount(): Promise<number>;
  /** The canonical JSON of a catalogue that a batch names. */
  catalogue(hash: string): Promise<string>;
  /** Returns the sponsors that were suspended after the fact of this number. */
  suspendedAsOf(number: number): Promise<ReadonlySet<string>>;
  /** Returns by sponsor the last month that was closed up to the closing of this number. */
  closedAsOf(number: number): Promise<ReadonlyMap<string, LastClosing>>;
  /** Returns what was decided about campaigns up to the fact of this number. */
  campaignsAsOf(number: number): Promise<CampaignFacts>;
  /** Returns all counters, and the identities among the last `windowRecords` records, before a batch. */
  stateBefore(batch: BatchRow, windowRecords: number): LaneState;
  /** Returns identities of earlier generations of a batch's rewritten file. */
  seenByEarlier(batch: BatchRow): AsyncIterable<RestoredIdentities>;
  /** Returns for each subscriber and plan the counters of its newest period. A subscriber in two lanes has one for each. */
  newestCounters(): AsyncIterable<NewestCounter>;
  /** Returns the counters of quotas by account that moved in several lanes in one period. */
  splitAccounts(): AsyncIterable<SplitAccount>;
}

export interface NewestCounter {
  /** Pseudonym, 32 hex digits. */
  subscriber: string;
  planId: string;
  periodStart: number;
  usedOctets: number;
}

/** An account, or a subscriber without one, whose records were counted in several lanes. */
export interface SplitAccount {
  /** Pseudonym, 32 hex digits. */
  holder: string;
  quotaId: string;
  /** Days since 1970-01-01. */
  periodStart: number;
  /** Ascending. */
  lanes: string[];
}
