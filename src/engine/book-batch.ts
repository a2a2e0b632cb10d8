import { type BatchSummary, summarise } from '../billing/batch-summary.ts';
import { deriveQuotaUpdates } from '../billing/derive-quota-updates.ts';
import { FlowBatch } from '../billing/flow-batch.ts';
import { classifyBatch, earliestPeriodStart, rateBatch } from '../billing/pipeline.ts';
import type { PseudonymKey } from '../billing/pseudonym.ts';
import type { QuotaUpdates } from '../billing/quota-updates.ts';
import { rejectedPayload } from '../billing/rejected-payload.ts';
import type { Rules } from '../billing/rules.ts';
import type { TopicPartition } from '../billing/topic-partition.ts';
import type { BlockMemory } from '../journal/block-memory.ts';
import { bookBlock } from '../journal/book-block.ts';
import type { RetryPolicy } from '../journal/book-once.ts';
import type { Journal } from '../journal/journal.ts';
import { type JournalBlock, journalBlock } from '../journal/journal-block.ts';
import type { Clock } from '../platform/clock.ts';
import type { QuotaPublisher } from '../quota-updates/quota-publisher.ts';
import type { OpenBatch } from './open-batch.ts';
import { type RecoveredLane, reachBackTo } from './recovery.ts';
import type { SourceGap } from './where-to-go-on.ts';

export interface WorkerSettings {
  maxRecords: number;
  maxOctets: number;
  maxDelayMs: number;
  rejectionPayloadOctets: number;
  duplicateWindowRecords: number;
  pseudonymKey: PseudonymKey;
  /** Books what the source has lost as a fact and goes on, instead of halting. */
  acceptGaps: boolean;
}

export interface BookedBatch {
  block: JournalBlock;
  summary: BatchSummary;
}

/** A batch that stands in the journal, and what is to be told of it. */
export interface UnpublishedBatch extends BookedBatch {
  updates: QuotaUpdates;
}

/** What a worker works with: everything outside of memory is behind one of these. */
export interface WorkerPorts {
  journal: Journal;
  retry: RetryPolicy;
  publisher: QuotaPublisher;
  /** The rules for the next batch. */
  rules: () => Promise<Rules>;
  clock: Clock;
  /** Called after a batch was booked and its quota updates were published. */
  onBooked: (booked: BookedBatch) => void;
  /** Called after an accepted gap was booked. */
  onGap: (gap: SourceGap) => void;
  /** Called when a batch that nobody waits for failed: the log has to be assigned again. */
  onFailure: (log: TopicPartition, error: unknown) => void;
}

/** Rates a batch and books it, and derives what it leaves of the quotas. Its lane's memory is of no use if that fails. */
export async function bookBatch(
  lane: string,
  open: OpenBatch,
  memory: BlockMemory,
  ports: WorkerPorts,
  settings: WorkerSettings,
): Promise<UnpublishedBatch> {
  const { batch, rules, state, held } = open;
  const place = {
    log: held.booked,
    bookingDay: open.bookingDay,
    chainedDay: state.head.bookingDay,
    prev: open.prev,
    firstOffset: batch.offset[0],
    lastOffset: batch.offset[batch.count - 1],
    laneSequence: state.head.sequence + 1,
    lanePosition: state.lane.position,
    gapReason: '' as const,
  };
  classifyBatch(batch, state.lane, rules);
  await reachBackTo(earliestPeriodStart(batch), ports.journal, lane, state);
  rateBatch(batch, state.lane, rules);
  const { pseudonymKey, rejectionPayloadOctets } = settings;
  const payloadOf = (row: number) =>
    rejectedPayload(batch.value(row), open.door.decode, pseudonymKey, rejectionPayloadOctets);
  const summary = summarise(batch);
  const block = journalBlock(batch, payloadOf, summary, place, state.lane, rules, memory);
  await book(block, state, ports);
  return { block, summary, updates: deriveQuotaUpdates(batch, state.lane, rules.catalogue, held.booked) };
}

/** Books a gap: a batch without records. */
export async function bookGap(
  gap: SourceGap,
  state: RecoveredLane,
  bookingDay: number,
  ports: WorkerPorts,
): Promise<void> {
  const { reason, log, firstOffset, lastOffset } = gap;
  const place = {
    log,
    bookingDay,
    chainedDay: state.head.bookingDay,
    prev: firstOffset - 1,
    firstOffset,
    lastOffset,
    laneSequence: state.head.sequence + 1,
    lanePosition: state.lane.position,
    gapReason: reason,
  };
  const nothing = new FlowBatch(0);
  await book(
    journalBlock(nothing, () => '', summarise(nothing), place, state.lane, await ports.rules()),
    state,
    ports,
  );
  ports.onGap(gap);
}

async function book(block: JournalBlock, state: RecoveredLane, { journal, retry, clock }: WorkerPorts): Promise<void> {
  await bookBlock(journal, block, retry, clock);
  const { laneSequence, log, bookingDay } = block;
  state.head = { sequence: laneSequence, position: state.lane.position, topic: log.topic, bookingDay };
}
