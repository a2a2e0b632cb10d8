import { type Attributes, ROOT_CONTEXT, type Span, SpanStatusCode, type Tracer, trace } from '@opentelemetry/api';
import { BlockMemory } from '../journal/block-rows.ts';
import type { LaneHead } from '../journal/journal.ts';
import type { Clock } from '../platform/clock.ts';
import type { LogRecord, ProveRecord, SourceProof } from '../platform/kafka/log-record.ts';
import { FlowBatch, isLogTime } from '../rating/flow-record.ts';
import type { IngestContext } from '../rating/incoming.ts';
import { ROWS } from '../rating/kernel/regions.ts';
import type { Lane, TopicPartition } from '../rating/lane.ts';
import { admit } from '../rating/pipeline.ts';
import type { Rules } from '../rating/rules.ts';

export const DAY_MS = 24 * 60 * 60 * 1000;
/** One more record of the largest kind stays below 2^53, so that the batch's sums are exact. */
const MAX_USAGE_OCTETS = 2 ** 52;
/** The last day that a ClickHouse Date can name. */
const LAST_DATE = 65535;

/** A log that was assigned, under the name that it is booked under. */
export interface HeldLog {
  booked: TopicPartition;
  /** The last offset that is booked, or on its way into the journal. */
  cursor: number;
  /** What the record at the cursor has to be; empty once it was compared, or where there is nothing to compare. */
  cursorProof: SourceProof;
  /** Where the log begins, as it was at the assignment; 0 where the source cannot say. */
  startOffset: number;
}

/** A lane as the journal has it. Counters of periods that begin before `horizonDay` are not in memory. */
export interface RecoveredLane {
  lane: Lane;
  head: LaneHead;
  horizonDay: number;
}

/** Records that are taken and not booked yet. */
export interface OpenBatch {
  log: TopicPartition;
  held: HeldLog;
  /** The cursor that the batch extends. */
  prev: number;
  /** The lane's memory: the numbers of subscribers and nodes in the batch are its own. */
  state: RecoveredLane;
  batch: FlowBatch;
  rules: Rules;
  context: IngestContext;
  bookingDay: number;
  steps: BatchSteps;
  /** Of the last record that was taken. */
  sourceProof: SourceProof;
}

export function isFull(batch: FlowBatch, maxBytes: number): boolean {
  return batch.count === batch.capacity || batch.readOctets >= maxBytes || batch.usageOctets >= MAX_USAGE_OCTETS;
}

/** The day of the first record's Kafka timestamp. Files, and Kafka records without a timestamp of this century: today. */
export function bookingDayOf({ timestampMs }: LogRecord, today: number): number {
  const day = isLogTime(timestampMs) ? Math.floor(timestampMs / DAY_MS) : today;
  return Math.min(day, LAST_DATE);
}

export function nameOf({ topic, partition }: TopicPartition): string {
  return `${topic}-${partition}`;
}

/** Some milliseconds of work. */
const RECORDS_A_TURN = 4096;

/** The records of a delivery that no batch has taken. */
export class UnreadRecords {
  readonly #source: Iterator<LogRecord>;
  /** Records that were given back, the last one first. */
  readonly #returned: LogRecord[] = [];

  constructor(records: Iterable<LogRecord>) {
    this.#source = records[Symbol.iterator]();
  }

  next(): IteratorResult<LogRecord> {
    const value = this.#returned.pop();
    return value ? { done: false, value } : this.#source.next();
  }

  /** Gives records back, which come again in their order, before all others. */
  giveBack(records: readonly LogRecord[]): void {
    this.#returned.push(...records.toReversed());
  }
}

/**
 * Takes records until the batch is full, there are no more, or it has been at it for long enough. Gives the next one: not to
 * wait for anything keeps it quick.
 */
export function fill(
  open: OpenBatch,
  log: TopicPartition,
  first: LogRecord,
  rest: UnreadRecords,
  maxBytes: number,
  prove: ProveRecord,
): IteratorResult<LogRecord> {
  const { batch, context, state, rules } = open;
  let next: IteratorResult<LogRecord> = { done: false, value: first };
  let last = first;
  for (let taken = 0; next.done !== true && taken < RECORDS_A_TURN && !isFull(batch, maxBytes); ) {
    const records: LogRecord[] = [];
    next = collect(records, open, log, next, rest, maxBytes);
    const admitted = admit(batch, records, context, state.lane, rules, MAX_USAGE_OCTETS);
    taken += admitted;
    last = records[admitted - 1];
    if (admitted === records.length) continue;
    rest.giveBack(next.done === true ? records.slice(admitted) : [...records.slice(admitted), next.value]);
    next = rest.next();
  }
  open.sourceProof = prove(last);
  return next;
}

/** Collects records, from `next` on, up to that with which the batch is full, and gives the one after them. */
function collect(
  records: LogRecord[],
  { log: open, batch, held }: OpenBatch,
  log: TopicPartition,
  first: IteratorResult<LogRecord>,
  rest: UnreadRecords,
  maxBytes: number,
): IteratorResult<LogRecord> {
  if (open.topic !== log.topic || open.partition !== log.partition) {
    throw new Error(`${nameOf(log)} came before ${nameOf(open)} was flushed`);
  }
  const room = Math.min(ROWS, batch.capacity - batch.count);
  let last = batch.count > 0 ? batch.offset[batch.count - 1] : held.cursor;
  let [bytes, next] = [batch.readOctets, first];
  for (; next.done !== true && records.length < room && bytes < maxBytes; next = rest.next()) {
    const { offset, valueStart, valueEnd } = next.value;
    // A source that breaks the order is a bug: what comes after would be skipped or booked twice.
    if (offset <= last) throw new Error(`${nameOf(log)}: record ${offset} came after ${last}`);
    last = offset;
    bytes += valueEnd - valueStart;
    records.push(next.value);
  }
  return next;
}

/** What is done with a batch, in this order. */
export const BATCH_STEPS = ['read', 'rate', 'encode', 'insert', 'publish'] as const;
export type BatchStep = (typeof BATCH_STEPS)[number];

/** `fenced`: another batch is in its place. `unpublished`: it is booked, and its quota updates must be derived again. */
type BatchEnd = 'booked' | 'fenced' | 'failed' | 'unpublished' | 'forgotten';

/**
 * The steps of one batch: how long each of them took, and a span of the batch with a child for each step. A tracer that
 * records nothing makes spans that cost nothing.
 */
export class BatchSteps {
  /** Milliseconds, of the steps that have ended. */
  readonly durationMs: Partial<Record<BatchStep, number>> = {};
  /** Milliseconds that the batch rested before a step. */
  readonly waitedMs: Partial<Record<BatchStep, number>> = {};
  readonly #tracer: Tracer;
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #span: Span;
  #current: { step: BatchStep; span: Span; sinceMs: number } | null = null;
  #restsSinceMs: number | null = null;

  constructor(lane: string, tracer: Tracer, clock: Pick<Clock, 'monotonicMs'>) {
    this.#tracer = tracer;
    this.#clock = clock;
    this.#span = tracer.startSpan('batch', { attributes: { 'zerorate.lane': lane } }, ROOT_CONTEXT);
    this.next('read');
  }

  /** The current step ends, and this one begins. */
  next(step: BatchStep): void {
    const sinceMs = this.#clock.monotonicMs();
    if (this.#restsSinceMs !== null) this.waitedMs[step] = sinceMs - this.#restsSinceMs;
    this.rest();
    this.#restsSinceMs = null;
    const span = this.#tracer.startSpan(step, {}, trace.setSpan(ROOT_CONTEXT, this.#span));
    this.#current = { step, span, sinceMs };
  }

  /** The current step ends; the batch waits. */
  rest(): void {
    if (this.#current === null) return;
    const { step, span, sinceMs } = this.#current;
    this.#restsSinceMs = this.#clock.monotonicMs();
    this.durationMs[step] = this.#restsSinceMs - sinceMs;
    span.end();
    this.#current = null;
  }

  describe(attributes: Attributes): void {
    this.#span.setAttributes(attributes);
  }

  end(outcome: BatchEnd, error?: unknown): void {
    if (error !== undefined) {
      const message = error instanceof Error ? error.message : String(error);
      (this.#current?.span ?? this.#span).setStatus({ code: SpanStatusCode.ERROR, message });
      this.#span.setStatus({ code: SpanStatusCode.ERROR, message });
    }
    this.rest();
    this.#span.setAttribute('zerorate.outcome', outcome);
    this.#span.end();
  }
}

const MIB = 2 ** 20;
/** What all open batches may take together where the configuration does not say it. */
const DEFAULT_MAX_TOTAL_BYTES = 512 * MIB;
/** Rows that a new batch has room for. */
const FIRST_ROWS = 256;
/** Charged for a batch before its first records are counted. */
const FIRST_BYTES = MIB;
/** Of columns, and of blocks, that are kept for the next batches. */
const MAX_SPARE_BYTES = 64 * MIB;
/** Less than this is not worth a collection of garbage. */
const WORTH_COLLECTING_BYTES = 16 * MIB;
/** Without a batch for so long the spare memory is let go of. */
const IDLE_MS = 3000;

interface BatchMemorySettings {
  maxRecords: number;
  maxTotalBytes?: number;
}

/**
 * Lends the lanes of one engine the columns and block memory of their batches. What a lane has no batch for, another one uses:
 * memory follows the batches under way, not the number of lanes.
 *
 * All batches together, with the records that they keep, are held to `maxTotalBytes`. Above it no batch begins before another
 * is booked, in the order of asking, and a lane books the batch that it has instead of filling it further. So a lane that waits
 * holds no open batch, and every open one is booked in the end: nothing waits for ever.
 */
export class BatchMemory {
  readonly #maxRecords: number;
  readonly #maxTotalBytes: number;
  readonly #clock: Clock;
  readonly #lent = new Map<FlowBatch, number>();
  #lentBytes = 0;
  readonly #waiting: ((batch: FlowBatch) => void)[] = [];
  /** By open batch that waits for more records, the longest waiting first: books it at once. */
  readonly #lingering = new Map<object, () => void>();
  readonly #batches = new Spares<FlowBatch>();
  readonly #blocks = new Spares<BlockMemory>();
  #usedAtMs = 0;
  /** Takes the timer back, while one runs. */
  #idle: (() => void) | null = null;
  #isClosed = false;
  readonly #onIdle: () => void;

  /** `onIdle` is called when much spare memory was let go of, as nothing was booked for a while. */
  constructor(
    { maxRecords, maxTotalBytes = DEFAULT_MAX_TOTAL_BYTES }: BatchMemorySettings,
    clock: Clock,
    onIdle: () => void = () => {},
  ) {
    this.#onIdle = onIdle;
    this.#maxRecords = maxRecords;
    this.#maxTotalBytes = maxTotalBytes;
    this.#clock = clock;
  }

  /** Of all batches that are lent, with the records that they keep. */
  get lentBytes(): number {
    return this.#lentBytes;
  }

  get spareBytes(): number {
    return this.#batches.bytes + this.#blocks.bytes;
  }

  /** The lanes have to book what they have: batches take as much as they may. */
  get isShort(): boolean {
    return this.#lentBytes >= this.#maxTotalBytes;
  }

  /** Gives an empty batch, when there is memory for one. */
  take(): Promise<FlowBatch> {
    if (!this.isShort && this.#waiting.length === 0) return Promise.resolve(this.#lend());
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#hurry();
    });
  }

  /** Counts what a batch has grown to. */
  count(batch: FlowBatch): void {
    if (this.#lent.has(batch)) this.#charge(batch, batch.bytes + batch.readOctets);
  }

  /** The batch is booked, and its columns are of use to the next one. */
  giveBack(batch: FlowBatch): void {
    if (!this.#lent.has(batch)) return;
    batch.clear();
    this.#keep(this.#batches, batch);
    this.drop(batch);
  }

  /** The batch is given up. What may still be at it keeps it; it only counts no more. */
  drop(batch: FlowBatch): void {
    if (!this.#lent.has(batch)) return;
    this.#charge(batch, 0);
    this.#lent.delete(batch);
    for (let next = this.#waiting[0]; next !== undefined && !this.isShort; next = this.#waiting[0]) {
      this.#waiting.shift();
      next(this.#lend());
    }
    if (this.#waiting.length > 0) this.#hurry();
  }

  takeBlock(): BlockMemory {
    return this.#blocks.take() ?? new BlockMemory();
  }

  /** Nothing reads the block any more. */
  giveBackBlock(block: BlockMemory): void {
    this.#keep(this.#blocks, block);
  }

  /** `book` is called when the memory of a batch that waits for more records is needed elsewhere. */
  linger(lane: object, book: () => void): void {
    this.#lingering.set(lane, book);
    if (this.#waiting.length > 0) this.#hurry();
  }

  endLinger(lane: object): void {
    this.#lingering.delete(lane);
  }

  /** Keeps nothing from now on. */
  close(): void {
    this.#isClosed = true;
    this.#letGo();
  }

  #lend(): FlowBatch {
    const batch = this.#batches.take() ?? new FlowBatch(this.#maxRecords, Math.min(FIRST_ROWS, this.#maxRecords));
    this.#lent.set(batch, 0);
    this.#charge(batch, Math.max(FIRST_BYTES, batch.bytes));
    return batch;
  }

  #charge(batch: FlowBatch, bytes: number): void {
    this.#lentBytes += bytes - (this.#lent.get(batch) ?? 0);
    this.#lent.set(batch, bytes);
  }

  #hurry(): void {
    const [longest] = this.#lingering;
    if (longest === undefined) return;
    const [lane, book] = longest;
    this.#lingering.delete(lane);
    book();
  }

  #keep<T extends { readonly bytes: number }>(spares: Spares<T>, spare: T): void {
    if (this.#isClosed || spares.bytes + spare.bytes > MAX_SPARE_BYTES) return;
    spares.add(spare);
    this.#usedAtMs = this.#clock.monotonicMs();
    this.#idle ??= this.#clock.after(IDLE_MS, () => this.#endIdle());
  }

  #endIdle(): void {
    this.#idle = null;
    const restMs = this.#usedAtMs + IDLE_MS - this.#clock.monotonicMs();
    if (restMs <= 0) {
      const isMuch = this.spareBytes >= WORTH_COLLECTING_BYTES;
      this.#letGo();
      if (isMuch) this.#onIdle();
    } else this.#idle = this.#clock.after(restMs, () => this.#endIdle());
  }

  #letGo(): void {
    this.#idle?.();
    this.#idle = null;
    this.#batches.clear();
    this.#blocks.clear();
  }
}

/** The last one that came is the first to go: its memory is most likely still in the processor's cache. */
class Spares<T extends { readonly bytes: number }> {
  readonly #all: T[] = [];
  bytes = 0;

  add(spare: T): void {
    this.#all.push(spare);
    this.bytes += spare.bytes;
  }

  take(): T | undefined {
    const spare = this.#all.pop();
    if (spare !== undefined) this.bytes -= spare.bytes;
    return spare;
  }

  clear(): void {
    this.#all.length = 0;
    this.bytes = 0;
  }
}
