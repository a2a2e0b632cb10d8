import type { BatchPlace } from '../journal/batch-digest.ts';
import type { JournalBlock } from '../journal/journal-block.ts';
import type { BatchSummary } from '../rating/batch-summary.ts';
import type { Catalogue } from '../rating/catalogue/catalogue.ts';
import type { TopicPartition } from '../rating/record/topic-partition.ts';
import type { BatchStep } from './batch-steps.ts';
import type { SourceGap } from './resume-offset.ts';

/** A batch that is booked, and whose quota updates are published. */
export interface BookedBatch {
  block: JournalBlock;
  summary: BatchSummary;
  /** What it was rated with: the summary's applications are indexes into its own. */
  catalogue: Catalogue;
  /** How many quota updates it made. */
  quotaUpdates: number;
  /** Milliseconds of each step. */
  durationMs: Readonly<Partial<Record<BatchStep, number>>>;
  /** The lane after it. */
  openCounters: number;
  windowRecords: number;
}

/** A batch that was not booked (`book`), or whose quota updates were not published (`publish`). */
export interface FailedBatch {
  place: BatchPlace;
  stage: 'book' | 'publish';
  error: unknown;
}

/** What an engine reports of its work, each at most once a batch. The work does not depend on the listeners. */
export interface EngineEvents {
  /** A log was given to the engine, which resumes after `cursor`. */
  onAssigned(log: TopicPartition, cursor: number): void;
  onReleased(log: TopicPartition): void;
  /** A batch is in the journal; its quota updates are still to be published. */
  onJournaled(place: BatchPlace): void;
  onBooked(booked: BookedBatch): void;
  onFailed(failed: FailedBatch): void;
  /** An accepted gap was booked. */
  onGap(gap: SourceGap, place: BatchPlace): void;
}

/** Notifies all listeners, one after the other. */
export function notifyAll(listeners: readonly Partial<EngineEvents>[]): EngineEvents {
  const each = (notify: (listener: Partial<EngineEvents>) => void) => listeners.forEach(notify);
  return {
    onAssigned: (log, cursor) => each((listener) => listener.onAssigned?.(log, cursor)),
    onReleased: (log) => each((listener) => listener.onReleased?.(log)),
    onJournaled: (place) => each((listener) => listener.onJournaled?.(place)),
    onBooked: (booked) => each((listener) => listener.onBooked?.(booked)),
    onFailed: (failed) => each((listener) => listener.onFailed?.(failed)),
    onGap: (gap, place) => each((listener) => listener.onGap?.(gap, place)),
  };
}
