import type { Consumer } from 'kafkajs';
import { isFenced } from '../../platform/fenced.ts';
import type { KafkaLogger } from '../../platform/kafka/kafka.ts';
import { isTopicMissing } from '../../platform/kafka/kafka-failure.ts';
import { settlesWithin } from '../../platform/settles-within.ts';
import type { Source, SourceListener } from '../source.ts';
import { isUnreadable } from '../source-error.ts';
import { KafkaAssignment } from './kafka-assignment.ts';
import { kafkaFault } from './kafka-fault.ts';
import { KafkaFeed, type KafkaSourceOptions } from './kafka-feed.ts';
import { countPartitions, fetchLogBounds } from './kafka-log.ts';

// Together below the time in which a signal ends the process.
const FLUSH_MS = 6000;
const LAST_COMMIT_MS = 500;
const DISCONNECT_MS = 1500;
/** Partitions that are added to the topic are seen within this time. */
const METADATA_MAX_AGE_MS = 10_000;
const MAX_HEARTBEAT_INTERVAL_MS = 3000;
/** Of one broker's answer to one fetch. */
const MAX_FETCH_OCTETS = 64 * 2 ** 20;

/** One stay in the consumer group, from joining to leaving. */
class KafkaRun {
  readonly #options: KafkaSourceOptions;
  readonly #consumer: Consumer;
  readonly #assignment: KafkaAssignment;
  readonly #commits: KafkaCommits;
  readonly #feed: KafkaFeed;
  readonly #ended: Promise<void>;
  #end: () => void = () => {};
  #isEnding = false;
  #isAbandoned = false;
  #failure: { error: unknown } | null = null;

  constructor(options: KafkaSourceOptions, listener: SourceListener) {
    const { kafka, topic, logger } = options;
    this.#options = options;
    this.#ended = new Promise((resolve) => {
      this.#end = resolve;
    });
    this.#consumer = this.#createConsumer();
    const fetchBounds = () => fetchLogBounds(kafka, topic);
    const onFailure = (error: unknown) => this.#fail(error);
    const shared = { topic, listener, logger, fetchBounds, onFailure };
    const { onProblem } = options;
    onProblem?.('joining the consumer group');
    const assignment = new KafkaAssignment({ ...shared, onProblem, consumer: this.#consumer });
    this.#assignment = assignment;
    this.#feed = new KafkaFeed({ ...options, ...shared, assignment, isAbandoned: () => this.#isAbandoned });
    this.#commits = new KafkaCommits(this.#consumer, topic, logger);
  }

  /** Resolves after `end`, when the group is left; rejects with what failed for good. */
  async untilEnd(): Promise<void> {
    try {
      // A group that is being joined without a broker is waited for no longer than until the end.
      const joined = this.#join();
      joined.catch(() => {});
      await Promise.race([joined, this.#ended]);
      await this.#ended;
    } catch (error) {
      this.#fail(kafkaFault(error, this.#options.topic));
    }
    await this.#leave();
    if (this.#failure !== null) throw this.#failure.error;
  }

  end(): void {
    this.#isEnding = true;
    this.#end();
  }

  reassign(number: number, error: unknown): void {
    const partition = this.#assignment.partition(number);
    if (partition !== undefined) this.#feed.refused(partition, partition.startedAt, error);
  }

  acknowledge(partition: number, lastOffset: number): void {
    this.#commits.acknowledge(partition, lastOffset);
  }

  #createConsumer(): Consumer {
    const { kafka, groupId, sessionTimeoutMs, rebalanceTimeoutMs, maxBytesPerPartition, maxWaitTimeInMs } =
      this.#options;
    const heartbeatInterval = Math.min(MAX_HEARTBEAT_INTERVAL_MS, Math.floor(sessionTimeoutMs / 3));
    return kafka.consumer({
      groupId,
      sessionTimeout: sessionTimeoutMs,
      rebalanceTimeout: rebalanceTimeoutMs,
      heartbeatInterval: this.#options.heartbeatIntervalMs ?? heartbeatInterval,
      maxBytesPerPartition,
      maxBytes: Math.max(MAX_FETCH_OCTETS, maxBytesPerPartition),
      maxWaitTimeInMs,
      metadataMaxAge: METADATA_MAX_AGE_MS,
      allowAutoTopicCreation: false,
      // An outage is waited out, however long: nothing is lost meanwhile.
      retry: { restartOnFailure: async (error) => !this.#isEnding && !isTopicMissing(error) },
    });
  }

  async #join(): Promise<void> {
    const { kafka, topic, partitionsConsumedConcurrently, onAnswer } = this.#options;
    const partitions = await countPartitions(kafka, topic);
    const consumer = this.#consumer;
    consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => this.#joined(payload.memberAssignment[topic] ?? []));
    consumer.on(consumer.events.CRASH, ({ payload }) => this.#crashed(payload.error, payload.restart));
    if (onAnswer !== undefined) consumer.on(consumer.events.REQUEST, onAnswer);
    await consumer.connect();
    // Where kafkajs goes when an offset is out of range: from the log's start the feed notices it at the next batch.
    await consumer.subscribe({ topic, fromBeginning: true });
    await consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      partitionsConsumedConcurrently: partitionsConsumedConcurrently ?? partitions,
      eachBatch: (payload) => this.#feed.take(payload),
    });
  }

  #joined(partitions: readonly number[]): void {
    if (!this.#isEnding) this.#assignment.replace(partitions);
    // A consumer that was joining again when it was disconnected would stay in the group for ever.
    else if (this.#isAbandoned) setImmediate(() => this.#disconnect());
  }

  #crashed(error: Error, restarts: boolean): void {
    this.#assignment.suspend();
    if (!restarts && !this.#isEnding) this.#fail(kafkaFault(error, this.#options.topic));
  }

  #fail(error: unknown): void {
    this.#failure ??= { error };
    this.end();
  }

  async #leave(): Promise<void> {
    const { logger, topic } = this.#options;
    this.#isEnding = true;
    try {
      const flush = this.#failure === null || isUnreadable(this.#failure.error);
      const finished = this.#assignment.finish({ flush });
      if (!(await settlesWithin(finished, FLUSH_MS))) {
        finished.catch((error) => logger.warn({ err: error, topic }, 'booking failed after the source had stopped'));
        logger.warn({ topic }, 'what is not booked yet is left to the next run: the store takes too long');
      }
    } catch (error) {
      if (isFenced(error)) logger.warn({ err: error, topic }, 'another process has booked what was left');
      else this.#fail(error);
    }
    this.#isAbandoned = true;
    await settlesWithin(this.#commits.committed(), LAST_COMMIT_MS);
    await this.#disconnect();
  }

  async #disconnect(): Promise<void> {
    try {
      // kafkajs waits for every answer it is owed, which a broker that has gone silent never gives.
      await settlesWithin(this.#consumer.disconnect(), DISCONNECT_MS);
    } catch (error) {
      this.#options.logger.debug({ err: error }, 'the consumer did not disconnect cleanly');
    }
  }
}

/**
 * Commits to the group how far the journal is, for lag monitors. Nothing depends on it, so a commit that fails is only logged;
 * while one is under way the next ones gather, the last of each partition counts.
 */
export class KafkaCommits {
  readonly #consumer: Pick<Consumer, 'commitOffsets'>;
  readonly #topic: string;
  readonly #logger: KafkaLogger;
  readonly #waiting = new Map<number, number>();
  #running: Promise<void> | null = null;

  constructor(consumer: Pick<Consumer, 'commitOffsets'>, topic: string, logger: KafkaLogger) {
    this.#consumer = consumer;
    this.#topic = topic;
    this.#logger = logger;
  }

  /** `lastOffset` is booked; Kafka commits the offset that comes next. */
  acknowledge(partition: number, lastOffset: number): void {
    this.#waiting.set(partition, lastOffset + 1);
    this.#running ??= this.#commitWaiting();
  }

  /** Resolves when all that was acknowledged is committed, or could not be. */
  async committed(): Promise<void> {
    await this.#running;
  }

  async #commitWaiting(): Promise<void> {
    while (this.#waiting.size > 0) {
      const offsets = [...this.#waiting].map(([partition, offset]) => ({
        topic: this.#topic,
        partition,
        offset: String(offset),
      }));
      this.#waiting.clear();
      try {
        await this.#consumer.commitOffsets(offsets);
      } catch (error) {
        this.#logger.debug({ err: error, offsets }, 'offsets were not committed');
      }
    }
    this.#running = null;
  }
}

/**
 * Reads a topic as a member of a consumer group, committed transactions only. The listener says where each partition goes
 * on; the group's committed offsets are for lag monitors. While the listener works on a batch, the next one is fetched.
 */
export function kafkaSource(options: KafkaSourceOptions): Source {
  let run: KafkaRun | null = null;
  let running: Promise<void> | null = null;
  let stopped = false;
  return {
    run(listener) {
      if (stopped) return Promise.resolve();
      run = new KafkaRun(options, listener);
      running = run.untilEnd();
      return running;
    },
    async stop() {
      stopped = true;
      run?.end();
      // The caller of `run` gets its failure.
      await running?.catch(() => {});
    },
    reassign({ partition }, error) {
      run?.reassign(partition, error);
    },
    acknowledge({ partition }, lastOffset) {
      run?.acknowledge(partition, lastOffset);
    },
  };
}
