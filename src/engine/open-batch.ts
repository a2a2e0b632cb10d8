import type { LogRecord, ProveRecord, SourceProof } from '../platform/kafka/log-record.ts';
import type { FlowBatch } from '../rating/flow-record.ts';
import type { IngestContext } from '../rating/incoming.ts';
import { ROWS } from '../rating/kernel/regions.ts';
import type { TopicPartition } from '../rating/lane.ts';
import { admit } from '../rating/pipeline.ts';
import { isLogTime } from '../rating/record/record-limits.ts';
import type { BatchRules } from '../rating/rules.ts';
import type { BatchSteps } from './batch-steps.ts';
import type { RecoveredLane } from './recovery.ts';

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

/** Records that are taken and not booked yet. */
export interface OpenBatch {
  log: TopicPartition;
  held: HeldLog;
  /** The cursor that the batch extends. */
  prev: number;
  /** The lane's memory: the numbers of subscribers and nodes in the batch are its own. */
  state: RecoveredLane;
  batch: FlowBatch;
  rules: BatchRules;
  context: IngestContext;
  bookingDay: number;
  steps: BatchSteps;
  /** Of the last record that was taken. */
  sourceProof: SourceProof;
  /** Of the lane's quota updates, as of the beginning of its booking. */
  publishedThrough: number;
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
