import type { LogRecord, ProveRecord } from '../platform/kafka/log-record.ts';
import type { Decoder } from '../rating/flow-record.ts';
import type { TopicPartition } from '../rating/lane.ts';

/** Offsets that the log still has: [startOffset, endOffset). Null where the source cannot say (files). */
export interface LogBounds {
  startOffset: number;
  endOffset: number;
}

/** What the log has at some moment after the call. */
export type AskBounds = () => Promise<LogBounds | null>;

/** What a source calls. Calls for one topic-partition never overlap. */
export interface SourceListener {
  /**
   * Recovers from the journal. Resolves with the offset to read from, which is that of the last booked record where the listener
   * compares it with what is booked; rejects when records were lost. The listener asks for the log's bounds after it has read the
   * journal: a log that ended before that is no other log. `round` is aborted when the log is no longer this process's: then it
   * rejects soon.
   */
  assign(log: TopicPartition, bounds: AskBounds, round?: AbortSignal): Promise<number>;
  /**
   * Hands over records in offset order. Resolves when more can be taken: this is the back-pressure. `prove` proves what the source
   * held up to one of them; absent where it has nothing to prove.
   */
  deliver(log: TopicPartition, records: Iterable<LogRecord>, decode: Decoder, prove?: ProveRecord): Promise<void>;
  /** No more records are available: books what is buffered. Resolves when it is booked. */
  flush(log: TopicPartition): Promise<void>;
  /** The log is another process's now: forgets what is buffered and not booked. */
  revoke(log: TopicPartition): Promise<void>;
}

/** Where records come from. Inert until `run`. */
export interface Source {
  /** Resolves at the end of the files, or after `stop`; rejects when the source or the listener failed for good. */
  run(listener: SourceListener): Promise<void>;
  /** Takes no more records, lets the listener finish what it has. */
  stop(): Promise<void>;
  /** The listener has lost what it had of the log, while nothing was handed over: revokes it and assigns it again. */
  reassign(log: TopicPartition, error: unknown): void;
  /** The advisory position for lag monitors; the truth is the journal's. Files do nothing. */
  acknowledge(log: TopicPartition, lastOffset: number): void;
}
