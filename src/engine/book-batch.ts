import type { Tracer } from '@opentelemetry/api';
import { type BatchPlace, type BlockMemory, type GapReason, NOT_RECORDED } from '../journal/block-rows.ts';
import { insertBlockOnce, type Journal, type QuotaPublisher, type RetryPolicy } from '../journal/journal.ts';
import { type JournalBlock, journalBlock } from '../journal/journal-block.ts';
import type { Clock } from '../platform/clock.ts';
import { isFenced } from '../platform/fenced.ts';
import {
  type BatchSummary,
  DEFAULT_LEAKAGE_ROWS,
  leakageOf,
  type OutcomeCount,
  summarise,
} from '../rating/batch-summary.ts';
import type { CatalogueTerms } from '../rating/catalogue.ts';
import { FlowBatch } from '../rating/flow-record.ts';
import type { TopicPartition } from '../rating/lane.ts';
import { classifyBatch, earliestPeriodStart, rateBatch } from '../rating/pipeline.ts';
import { deriveQuotaUpdates, type QuotaUpdates } from '../rating/quota-updates.ts';
import type { RecordRules } from '../rating/record/record-limits.ts';
import { rejectedPayload } from '../rating/record/rejected-payload.ts';
import type { BatchRules } from '../rating/rules.ts';
import type { PseudonymKey } from '../rating/subscribers.ts';
import type { BatchStep, BatchSteps } from './batch-steps.ts';
import type { OpenBatch } from './open-batch.ts';
import { type RecoveredLane, reachBackTo } from './recovery.ts';
import type { SourceGap } from './resume-offset.ts';

export interface WorkerSettings {
  maxRecords: number;
  maxBytes: number;
  /** What the batches of all lanes may take together; see `BatchMemory`. */
  maxTotalBytes?: number;
  maxDelayMs: number;
  rejectionPayloadBytes: number;
  /** Rows of leakage that a batch keeps; 0: none are kept. */
  leakageRows?: number;
  duplicateWindowRecords: number;
  pseudonymKey: PseudonymKey;
  recordRules: RecordRules;
  /** Books what the source has lost as a fact and continues, instead of halting. */
  acceptGaps: boolean;
  /** A lane publishes quota updates no more often, but for those that must not wait; 0, the default: with each batch. */
  quotaIntervalMs?: number;
}

/** A batch that is in the journal, with the quota updates that are to be published. */
export interface UnpublishedBatch {
  booked: Omit<BookedBatch, 'quotaUpdates' | 'publishedThrough' | 'durationMs' | 'waitedMs'>;
  updates: QuotaUpdates;
  steps: BatchSteps;
}

/** What a worker works with: everything outside of memory is behind one of these. */
export interface WorkerPorts extends Partial<Pick<EngineEvents, 'onJournaled' | 'onPublished' | 'onFailed' | 'onGap'>> {
  journal: Journal;
  retry: RetryPolicy;
  publisher: QuotaPublisher;
  /** The rules for the next batch. */
  rules: () => Promise<BatchRules>;
  clock: Clock;
  tracer: Tracer;
  /** Called when a batch is in the journal, before its quota updates are published. */
  onCommitted?: (block: JournalBlock, summary: BatchSummary) => void;
  onBooked: EngineEvents['onBooked'];
  /** Called when a batch failed that no call waits for: the log must be reassigned. */
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
  const { batch, state, held, steps } = open;
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
    sourceProof: open.sourceProof,
    publishedThrough: open.publishedThrough,
  };
  try {
    return await rateAndBook(place, lane, open, memory, ports, settings);
  } catch (error) {
    steps.end(isFenced(error) ? 'fenced' : 'failed', error);
    ports.onFailed?.({ place, stage: 'book', error });
    throw error;
  }
}

async function rateAndBook(
  place: BatchPlace,
  lane: string,
  open: OpenBatch,
  memory: BlockMemory,
  ports: WorkerPorts,
  settings: WorkerSettings,
): Promise<UnpublishedBatch> {
  const { batch, rules, state, held, steps } = open;
  steps.describe({
    'zerorate.batch': place.laneSequence,
    'zerorate.prev': place.prev,
    'zerorate.first_offset': place.firstOffset,
    'zerorate.last_offset': place.lastOffset,
    'zerorate.records': batch.count,
  });
  steps.next('rate');
  classifyBatch(batch, state.lane, rules);
  const earliest = earliestPeriodStart(batch, rules);
  if (earliest < state.horizonDay) await reachBackTo(earliest, ports.journal, lane, state);
  rateBatch(batch, state.lane, rules);
  const openCounters = state.lane.counters.count;
  const windowRecords = Math.min(state.lane.position, settings.duplicateWindowRecords);
  steps.next('encode');
  const { pseudonymKey, rejectionPayloadBytes, leakageRows = DEFAULT_LEAKAGE_ROWS } = settings;
  const payloadOf = (row: number) =>
    rejectedPayload(batch.value(row), open.context.decode, pseudonymKey, rejectionPayloadBytes);
  const names = { nodes: state.lane.nodes.list, tags: rules.evidence.tags };
  const summary = summarise(batch, leakageOf(batch, names, leakageRows));
  const block = journalBlock(batch, payloadOf, summary, place, state.lane, rules, memory);
  steps.next('insert');
  await bookAndMoveHead(block, state, ports);
  steps.rest();
  ports.onCommitted?.(block, summary);
  ports.onJournaled?.(place);
  const updates = deriveQuotaUpdates(batch, state.lane, rules.catalogue, held.booked, state.reached);
  const { records, octets, counts } = summary;
  const named = counts.map((count) => namedCount(count, rules.catalogue));
  const { digest, keyMismatches } = block;
  return {
    booked: { place, digest, keyMismatches, records, octets, counts: named, openCounters, windowRecords },
    updates,
    steps,
  };
}

/** Quota updates that are published together. */
export interface Publication {
  updates: QuotaUpdates;
  /** With them all updates of the lane's batches up to this number are published. */
  publishedThrough: number;
}

/** Publishes what is due with a booked batch, if anything is: its own quota updates, and those that have waited for it. */
export async function publishBatch(
  lane: string,
  batch: UnpublishedBatch,
  { updates, publishedThrough }: Publication,
  ports: WorkerPorts,
): Promise<void> {
  const { steps, booked } = batch;
  // The publisher may take the updates' memory.
  const quotaUpdates = updates.length;
  if (quotaUpdates > 0 || publishedThrough === booked.place.laneSequence) {
    steps.next('publish');
    await ports.publisher.publish(lane, updates).catch((error) => failPublish(batch, error, ports));
  }
  steps.end('booked');
  const { durationMs, waitedMs } = steps;
  ports.onBooked({ ...booked, quotaUpdates, publishedThrough, durationMs, waitedMs });
}

/** Ends the batch as unpublished and throws: its quota updates must be derived again. */
export function failPublish({ booked, steps }: UnpublishedBatch, error: unknown, { onFailed }: WorkerPorts): never {
  steps.end('unpublished', error);
  onFailed?.({ place: booked.place, stage: 'publish', error });
  throw error;
}

/** Books a gap: a batch without records. `publishedThrough`: of the lane's quota updates. */
export async function bookGap(
  gap: SourceGap,
  state: RecoveredLane,
  bookingDay: number,
  publishedThrough: number,
  ports: WorkerPorts,
): Promise<void> {
  const place = await bookWithoutRecords({ ...gap, publishedThrough }, state, bookingDay, ports);
  ports.onGap?.(gap, place);
}

/** Books offsets without records: lost ones, or those before the start position. Gives the batch's place. */
export async function bookWithoutRecords(
  offsets: Pick<BatchPlace, 'log' | 'firstOffset' | 'lastOffset'> & { reason: GapReason; publishedThrough: number },
  state: RecoveredLane,
  bookingDay: number,
  ports: Pick<WorkerPorts, 'journal' | 'retry' | 'clock' | 'rules'>,
): Promise<BatchPlace> {
  const { reason, log, firstOffset, lastOffset, publishedThrough } = offsets;
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
    publishedThrough,
  };
  const nothing = new FlowBatch(0);
  await bookAndMoveHead(
    journalBlock(nothing, () => '', summarise(nothing), place, state.lane, await ports.rules()),
    state,
    ports,
  );
  return place;
}

async function bookAndMoveHead(
  block: JournalBlock,
  state: RecoveredLane,
  { journal, retry, clock }: Pick<WorkerPorts, 'journal' | 'retry' | 'clock'>,
): Promise<void> {
  await insertBlockOnce(journal, block, retry, clock);
  const { laneSequence, log, bookingDay, publishedThrough = NOT_RECORDED } = block;
  const { position } = state.lane;
  state.head = { sequence: laneSequence, position, topic: log.topic, bookingDay, publishedThrough };
}

/** A batch that is booked, and whose quota updates are published, unless they wait for the lane's next publication. Plain values only: it goes from thread to thread. */
export interface BookedBatch extends Pick<BatchSummary, 'records' | 'octets'> {
  place: BatchPlace;
  digest: string;
  keyMismatches: number;
  counts: readonly NamedCount[];
  /** How many quota updates were published with it: its own, and those of earlier batches that have waited. */
  quotaUpdates: number;
  /** All quota updates of the lane's batches up to this number are published; below its own number some of its own wait. */
  publishedThrough: number;
  /** Milliseconds of each step. */
  durationMs: Readonly<Partial<Record<BatchStep, number>>>;
  /** Milliseconds that it waited before a step. */
  waitedMs: Readonly<Partial<Record<BatchStep, number>>>;
  /** The lane after it. */
  openCounters: number;
  windowRecords: number;
}

/** Quota updates of a lane that were published without a batch. */
export interface PublishedUpdates {
  lane: string;
  quotaUpdates: number;
  /** As in `BookedBatch`. */
  publishedThrough: number;
}

/** A batch's records of one application and reason, with the names that the catalogue had for them. */
interface NamedCount extends Omit<OutcomeCount, 'application'> {
  /** Null: none was recognised. */
  application: { id: string; sponsorId: string; currency: string } | null;
}

function namedCount({ application, ...sums }: OutcomeCount, { applications, sponsors }: CatalogueTerms): NamedCount {
  if (application < 0) return { application: null, ...sums };
  const { id, sponsor } = applications[application];
  const { id: sponsorId, currency } = sponsors[sponsor];
  return { application: { id, sponsorId, currency }, ...sums };
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
  /** Quota updates that have waited were published without a batch: their interval was over, or the lane was given up. */
  onPublished(published: PublishedUpdates): void;
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
    onPublished: (published) => each((listener) => listener.onPublished?.(published)),
    onFailed: (failed) => each((listener) => listener.onFailed?.(failed)),
    onGap: (gap, place) => each((listener) => listener.onGap?.(gap, place)),
  };
}
