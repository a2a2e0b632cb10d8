import type { SourceProof } from '../platform/kafka/log-record.ts';
import type { Catalogue } from '../rating/catalogue/catalogue.ts';
import type { TopicPartition } from '../rating/record/topic-partition.ts';
import type { RestoredCounters, RestoredIdentities } from '../rating/restored-columns.ts';
import type { Facts } from '../rating/rules.ts';
import type { JournalBlock } from './journal-block.ts';

/** The state of a lane after its last batch. Zeros and an empty topic when it has none. */
export interface LaneHead {
  /** The last batch's number. */
  sequence: number;
  /** Records read in the lane. */
  position: number;
  /** The last batch's topic, corrected records' left out: a topic that was recreated is booked under another name. */
  topic: string;
  /** The last batch's booking date, days since 1970-01-01. */
  bookingDay: number;
}

/** How far a log is booked. */
export interface LogCursor {
  /** The last offset booked; -1 before the first. */
  offset: number;
  /** Of the record at that offset. */
  sourceProof: SourceProof;
}

/** The last state of a quota counter that a batch moved, as its charge rows say. */
export interface BookedMove {
  /** Pseudonym, 32 hex digits. */
  subscriber: string;
  planId: string;
  planVersion: number;
  periodStart: number;
  usedOctets: number;
  topic: string;
  partition: number;
  offset: number;
}

/** The journal as the engine sees it. Every method rejects with a StoreError. */
export interface Journal {
  /**
   * One atomic insert, guarded twice: it is refused with `batch_fenced` when the lane is not where the block's `prev` and
   * `laneSequence` say, and dropped without a word when another insert that began in the same state has landed since.
   * `deadTokens`: how many tokens of this place the store knows of inserts that it does not have.
   */
  insert(block: JournalBlock, deadTokens?: number): Promise<void>;
  /** The digest of the batch that has this number in its lane; null when there is none. */
  digestAt(lane: string, laneSequence: number): Promise<string | null>;
  head(lane: string): Promise<LaneHead>;
  /** How far a log is booked. */
  cursor(log: TopicPartition): Promise<LogCursor>;
  /** The counters of the periods that begin in [fromDay, toDay), each of them once, in as many pieces as it likes. */
  counters(lane: string, fromDay: number, toDay: number): AsyncIterable<RestoredCounters>;
  /** Identities of the records with ordinals in [fromOrdinal, toOrdinal), in the order in which they were read. */
  seen(lane: string, fromOrdinal: number, toOrdinal: number): AsyncIterable<RestoredIdentities>;
  /**
   * Identities of the records of all other logs of a rewritten file's name that were booked before this number of the lane, in the
   * order in which they were read. `topic`: of which rewrittenName gives a name.
   */
  seenByEarlier(lane: string, topic: string, beforeSequence: number): AsyncIterable<RestoredIdentities>;
  /** Counters that a batch of the lane moved, with their state after it. */
  moves(lane: string, laneSequence: number): Promise<BookedMove[]>;
  /** Who is suspended now and which months are closed, with the numbers of the last facts that say so. */
  facts(): Promise<Facts>;
  /** Keeps a catalogue under its hash, for those who read the journal later. */
  keepCatalogue(catalogue: Catalogue): Promise<void>;
}
