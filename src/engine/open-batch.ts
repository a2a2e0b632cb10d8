import type { LogRecord, ProveRecord, SourceProof } from '../platform/kafka/log-record.ts';
import { admit, type IngestContext } from '../rating/admit.ts';
import type { FlowBatch } from '../rating/record/flow-batch.ts';
import { isLogTime } from '../rating/record/record-limits.ts';
import type { TopicPartition } from '../rating/record/topic-partition.ts';
import type { Rules } from '../rating/rules.ts';
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

/** A source that breaks the order is a bug: what comes after would be skipped or booked twice. */
function assertInOrder({ log: open, batch, held }: OpenBatch, log: TopicPartition, { offset }: LogRecord): void {
  if (open.topic !== log.topic || open.partition !== log.partition) {
    throw new Error(`${nameOf(log)} came before ${nameOf(open)} was flushed`);
  }
  const last = batch.count > 0 ? batch.offset[batch.count - 1] : held.cursor;
  if (offset <= last) throw new Error(`${nameOf(log)}: record ${offset} came after ${last}`);
}

export function nameOf({ topic, partition }: TopicPartition): string {
  return `${topic}-${partition}`;
}

/** Some milliseconds of work. */
const RECORDS_A_TURN = 4096;

/**
 * Takes records until the batch is full, there are no more, or it has been at it for long enough. Gives the next one: not to
 * wait for anything keeps it quick.
 */
export function fill(
  open: OpenBatch,
  log: TopicPartition,
  first: LogRecord,
  rest: Iterator<LogRecord>,
  maxBytes: number,
  prove: ProveRecord,
): IteratorResult<LogRecord> {
  const { batch, context, state, rules } = open;
  let record = first;
  for (let taken = 1; ; taken++) {
    assertInOrder(open, log, record);
    admit(batch, record, context, state.lane, rules);
    const isFilled = taken === RECORDS_A_TURN || isFull(batch, maxBytes);
    const next = rest.next();
    if (next.done === true || isFilled) {
      open.sourceProof = prove(record);
      return next;
    }
    record = next.value;
  }
}
