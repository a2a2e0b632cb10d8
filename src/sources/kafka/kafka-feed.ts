import { createHash } from 'node:crypto';
import type { Batch, EachBatchPayload, Kafka } from 'kafkajs';
import { isFenced } from '../../platform/fenced.ts';
import type { KafkaLogger } from '../../platform/kafka/kafka.ts';
import { isMembershipLost } from '../../platform/kafka/kafka-failure.ts';
import { type LogRecord, type SourceProof, sourceProof } from '../../platform/kafka/log-record.ts';
import { firstOffsetOf, lastOffsetOf, readableRecordsOf } from '../../platform/kafka/patches/patch-record-sets.ts';
import { settlesWithin } from '../../platform/settles-within.ts';
import { NO_ID } from '../../rating/decode-avro.ts';
import type { Decoder } from '../../rating/flow-record.ts';
import type { LogBounds, SourceListener } from '../source.ts';
import { unreadableBatch } from '../source-error.ts';
import type { KafkaAssignment, KafkaPartition } from './kafka-assignment.ts';
import type { SchemaLearner } from './schema-learner.ts';

/** kafkajs sends a heartbeat only when one is due. */
const HEARTBEAT_CHECK_MS = 500;

export interface KafkaFeedOptions
  extends Pick<KafkaSourceOptions, 'decode' | 'schemas' | 'maxRecordBytes' | 'logger' | 'onProgress'> {
  listener: SourceListener;
  assignment: KafkaAssignment;
  fetchBounds: () => Promise<Map<number, LogBounds>>;
  onFailure: (error: unknown) => void;
  /** Whether the source waits for the listener no longer. */
  isAbandoned: () => boolean;
}

/** Hands batches over to the listener, in order, and none that is not the next one of its partition. */
export class KafkaFeed {
  readonly #options: KafkaFeedOptions;

  constructor(options: KafkaFeedOptions) {
    this.#options = options;
  }

  /**
   * Hands over a batch once the listener has taken all but one of those before: so kafkajs fetches the next while the
   * listener works, and a partition that is slow for a moment does not hold up the others, which are fetched together
   * with it. Rejects when membership is lost or a broker does not answer, for kafkajs to join or fetch
   * again; what the listener fails with is not kafkajs's matter.
   */
  async take({ batch, resolveOffset, heartbeat, isStale }: EachBatchPayload): Promise<void> {
    const partition = this.#options.assignment.partition(batch.partition);
    const last = batch.messages.at(-1);
    if (partition === undefined || last === undefined || isStale()) return;
    const { position } = partition;
    if (position === null) return;
    if (await this.#isElsewhere(batch, position)) {
      if (partition.position === position) this.#options.assignment.restart(partition);
      return;
    }
    await this.#untilHandedOver(partition, heartbeat);
    // While waiting the partition may have been taken away, or given again from another offset.
    if (partition.position !== position) return;
    partition.handedOverBefore = partition.handedOver;
    partition.handedOver = this.#handOver(partition, batch, position);
    // Past the last message there may be transaction markers, which are no messages; kafkajs resolves them with it.
    partition.position = Number(batch.lastOffset()) + 1;
    resolveOffset(last.offset);
  }

  /**
   * When the broker no longer has the offset that was asked for, kafkajs silently resumes at the log's start: before
   * the position if the topic was recreated, after it if retention was faster than we. A gap alone is no
   * proof: aborted transactions and compaction leave gaps too.
   */
  async #isElsewhere(batch: Batch, position: number): Promise<boolean> {
    if (lastOffsetOf(batch) < position) return true;
    if (firstOffsetOf(batch) <= position) return false;
    const bounds = (await this.#options.fetchBounds()).get(batch.partition);
    if (bounds === undefined) return true;
    // A log that ends before this batch is not the one that it was fetched from.
    return bounds.startOffset > position || bounds.endOffset <= lastOffsetOf(batch);
  }

  async #untilHandedOver(partition: KafkaPartition, heartbeat: () => Promise<void>): Promise<void> {
    const { isAbandoned } = this.#options;
    try {
      await heartbeatWhile(partition.handedOverBefore, {
        heartbeat,
        intervalMs: HEARTBEAT_CHECK_MS,
        isFatal: isMembershipLost,
        isAbandoned,
      });
    } catch (error) {
      partition.position = null;
      throw error;
    }
  }

  /** Never rejects: a failure takes the partition's position away. */
  async #handOver(partition: KafkaPartition, batch: Batch, position: number): Promise<void> {
    const { maxRecordBytes, onProgress } = this.#options;
    const records = readableRecordsOf(batch.messages, position, maxRecordBytes);
    const { startedAt } = partition;
    try {
      await partition.inTurn(() => this.#deliver(partition, records));
      if (partition.position === null) return;
      const { topic, partition: number, highWatermark } = batch;
      if (records.fault !== null) throw unreadableBatch(`${topic}-${number}`, records.fault);
      onProgress?.({
        topic,
        partition: number,
        offset: Number(batch.lastOffset()),
        highWatermark: Number(highWatermark),
      });
    } catch (error) {
      this.refused(partition, startedAt, error);
    }
  }

  /** All at once; or up to a record whose schema has to be learnt first, and then on from there. */
  async #deliver(partition: KafkaPartition, records: IterableIterator<LogRecord>): Promise<void> {
    const { listener, decode, schemas } = this.#options;
    // The batch before was refused, or the partition was taken away: this one is fetched again.
    const isOver = () => partition.position === null;
    if (schemas === undefined) {
      if (!isOver()) await listener.deliver(partition.log, records, decode, proofOfRecord);
      return;
    }
    const known = new KnownRecords(records, schemas);
    while (!isOver()) {
      await listener.deliver(partition.log, known, decode, proofOfRecord);
      if (known.missingId === null) return;
      await schemas.learn(known.missingId, isOver);
    }
  }

  /** The listener has lost what it had of a partition that it was given from `startedAt` on. */
  refused(partition: KafkaPartition, startedAt: number | null, error: unknown): void {
    const { assignment, logger, onFailure } = this.#options;
    const { topic, partition: number } = partition.log;
    if (partition.position === null) {
      // The partition's owner now resumes from the last committed offset.
      logger.warn({ err: error, topic, partition: number }, 'a batch was refused after its partition was taken away');
    } else if (isFenced(error) && partition.fencedAt !== startedAt) {
      // Two processes held the partition for a moment, as happens in a rebalance: the other's batch was
      // booked. If the journal has not moved since the last time there is no other, and waiting would not help.
      logger.warn({ err: error, topic, partition: number }, 'another process has booked; reading the journal again');
      partition.fencedAt = startedAt;
      assignment.restart(partition);
    } else {
      onFailure(error);
    }
  }
}

/** Returns the proof of a record of Kafka: over its key and its whole value, also where that is cut to the limit for a record. */
function proofOfRecord(record: LogRecord): SourceProof {
  const { octets, valueStart, valueEnd, oversizedOctets, key } = record;
  const value = octets.subarray(valueStart, oversizedOctets === 0 ? valueEnd : valueStart + oversizedOctets);
  const hash = createHash('sha256').update(`${key === null ? -1 : key.length}:`);
  if (key !== null) hash.update(key);
  return sourceProof(value.length, hash.update(value).digest('hex'));
}

const END: IteratorResult<LogRecord> = { done: true, value: undefined };

/**
 * Records up to the first whose schema has to be learnt. After that they continue from there, so that no reader of
 * records waits in the middle of them.
 */
export class KnownRecords implements IterableIterator<LogRecord> {
  readonly #records: Iterator<LogRecord>;
  readonly #schemas: Pick<SchemaLearner, 'missingIdOf'>;
  #held: IteratorResult<LogRecord> | null = null;
  /** The id that has to be learnt; null where the records are at their end. */
  missingId: number | null = null;

  constructor(records: Iterator<LogRecord>, schemas: Pick<SchemaLearner, 'missingIdOf'>) {
    this.#records = records;
    this.#schemas = schemas;
  }

  [Symbol.iterator](): this {
    return this;
  }

  next(): IteratorResult<LogRecord> {
    const next = this.#held ?? this.#records.next();
    this.#held = null;
    this.missingId = null;
    if (next.done === true) return next;
    const { octets, valueStart, valueEnd } = next.value;
    const id = this.#schemas.missingIdOf(octets, valueStart, valueEnd);
    if (id === NO_ID) return next;
    this.#held = next;
    this.missingId = id;
    return END;
  }
}

interface HeartbeatOptions {
  /** kafkajs's own: asks the broker only when a heartbeat is due. */
  heartbeat: () => Promise<void>;
  /** How often it is called. */
  intervalMs: number;
  /** Whether a heartbeat's error means that waiting has become pointless. */
  isFatal: (error: unknown) => boolean;
  /** Asked at every beat: true ends the waiting. */
  isAbandoned: () => boolean;
}

/**
 * Waits for work that may take longer than the group's session. Resolves when the work is done or abandoned; rejects with
 * the work's error or a heartbeat's fatal one. The work continues, whatever is thrown here.
 */
export async function heartbeatWhile(work: Promise<unknown>, options: HeartbeatOptions): Promise<void> {
  const { heartbeat, intervalMs, isFatal, isAbandoned } = options;
  while (!(await settlesWithin(work, intervalMs))) {
    if (isAbandoned()) return;
    try {
      await heartbeat();
    } catch (error) {
      // A broker that did not answer may answer the next beat; whether the session is lost only a broker can say.
      if (isFatal(error)) throw error;
    }
  }
}

/** How far one partition was handed over. */
export interface KafkaProgress {
  topic: string;
  partition: number;
  /** The last one handed over. */
  offset: number;
  /** The offset after the last record that the partition had when it was fetched: lag = highWatermark - offset - 1. */
  highWatermark: number;
}

export interface KafkaSourceOptions {
  kafka: Kafka;
  topic: string;
  groupId: string;
  decode: Decoder;
  /** Teaches `decode` the schemas that it does not know yet. Absent: there are none to be learnt. */
  schemas?: Pick<SchemaLearner, 'missingIdOf' | 'learn'>;
  /** A larger value is cut. */
  maxRecordBytes: number;
  sessionTimeoutMs: number;
  /** Default: a third of the session, at most 3 s. */
  heartbeatIntervalMs?: number;
  rebalanceTimeoutMs: number;
  /** Octets of one fetch from one partition. */
  maxBytesPerPartition: number;
  maxWaitTimeInMs: number;
  /** Default: as many as the topic has partitions when the source starts. */
  partitionsConsumedConcurrently?: number;
  logger: KafkaLogger;
  onProgress?: (progress: KafkaProgress) => void;
  /** Called whenever a broker has answered this client. */
  onAnswer?: () => void;
  /** Called whenever it changes: what keeps records from being read; null when they are, or when other members read them. */
  onProblem?: (problem: string | null) => void;
}
