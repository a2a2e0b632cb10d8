import { setTimeout as pause } from 'node:timers/promises';
import type { Consumer } from 'kafkajs';
import type { KafkaLogger } from '../../platform/kafka/kafka.ts';
import { isTopicMissing } from '../../platform/kafka/kafka-failure.ts';
import type { TopicPartition } from '../../rating/lane.ts';
import type { LogBounds, SourceListener } from '../source.ts';
import { kafkaFault } from './kafka-fault.ts';

const BOUNDS_RETRY_MS = 1000;

export interface KafkaAssignmentOptions {
  consumer: Pick<Consumer, 'pause' | 'resume' | 'seek'>;
  topic: string;
  listener: SourceListener;
  fetchBounds: () => Promise<Map<number, LogBounds>>;
  onFailure: (error: unknown) => void;
  onProblem?: ((problem: string | null) => void) | undefined;
  logger: KafkaLogger;
}

/**
 * The partitions that the group gave to this process. A partition is paused from the moment it is given until the listener
 * has returned the offset to resume from: Kafka's committed offset is never read from. One that stays over a rebalance is revoked and
 * assigned again too, as another process may have had it in between.
 */
export class KafkaAssignment {
  readonly #options: KafkaAssignmentOptions;
  readonly #held = new Map<number, KafkaPartition>();
  /** Grows whenever all that was given before no longer counts. */
  #round = 0;
  #turn: Promise<void> = Promise.resolve();
  /** Fetches the bounds of all partitions at once; calls that wait together share an answer. */
  readonly #fetchBounds: () => Promise<Map<number, LogBounds>>;

  constructor(options: KafkaAssignmentOptions) {
    this.#options = options;
    this.#fetchBounds = shared(options.fetchBounds);
  }

  partition(number: number): KafkaPartition | undefined {
    return this.#held.get(number);
  }

  /** To be called inside of the join event: the next fetch comes after it, and so finds the partitions paused. */
  replace(partitions: readonly number[]): void {
    const round = this.suspend();
    this.#pause(partitions);
    this.#inTurn(round, async () => {
      await Promise.all([...this.#held.values()].map((partition) => this.#release(partition)));
      const { topic } = this.#options;
      await this.#start(
        partitions.map((number) => new KafkaPartition(topic, number)),
        round,
      );
    });
  }

  /** Revokes one partition and assigns it again. */
  restart(partition: KafkaPartition): void {
    partition.position = null;
    this.#options.onProblem?.(`partition ${partition.log.partition} is being assigned again`);
    this.#pause([partition.log.partition]);
    const round = this.#round;
    this.#inTurn(round, async () => {
      await this.#release(partition);
      await this.#start([partition], round);
    });
  }

  /** Nothing more is taken until the group gives partitions again. Returns the new round. */
  suspend(): number {
    for (const partition of this.#held.values()) partition.position = null;
    this.#options.onProblem?.('waiting for the group to give out the partitions');
    this.#round++;
    return this.#round;
  }

  /** Lets the listener book what it has, if `flush`, and gives up all partitions. Rejects with the first failure. */
  async finish({ flush }: { flush: boolean }): Promise<void> {
    this.suspend();
    this.#pause([...this.#held.keys()]);
    await this.#turn;
    await Promise.all(
      [...this.#held.values()].map(async (partition) => {
        try {
          if (flush) await partition.inTurn(() => this.#options.listener.flush(partition.log));
        } finally {
          await this.#release(partition);
        }
      }),
    );
  }

  #inTurn(round: number, work: () => Promise<void>): void {
    this.#turn = this.#turn.then(work).catch((error) => {
      // What a former round failed at is for the next one, or for another process, to find again.
      if (round === this.#round) this.#options.onFailure(error);
      else this.#options.logger.warn({ err: error }, 'a partition was taken away while it was being assigned');
    });
  }

  async #start(partitions: readonly KafkaPartition[], round: number): Promise<void> {
    await Promise.all(partitions.map((partition) => this.#startOne(partition, round)));
    if (round === this.#round) this.#options.onProblem?.(null);
  }

  async #startOne(partition: KafkaPartition, round: number): Promise<void> {
    if (round !== this.#round) return;
    const { listener, logger } = this.#options;
    const { log } = partition;
    this.#held.set(log.partition, partition);
    const bounds = async () => (await this.#bounds(round)).get(log.partition) ?? null;
    const offset = await partition.inTurn(() => listener.assign(log, bounds));
    if (round !== this.#round) return;
    this.#fetchFrom(partition, offset);
    logger.info({ topic: log.topic, partition: log.partition, offset }, 'partition assigned');
  }

  #fetchFrom(partition: KafkaPartition, offset: number): void {
    const { consumer, topic, logger } = this.#options;
    const { partition: number } = partition.log;
    try {
      consumer.seek({ topic, partition: number, offset: String(offset) });
      consumer.resume([{ topic, partitions: [number] }]);
    } catch (error) {
      // The consumer has just lost its brokers; it rejoins the group, which reassigns all partitions.
      logger.debug({ err: error }, 'the consumer is not running');
      return;
    }
    partition.startedAt = offset;
    partition.position = offset;
  }

  async #release(partition: KafkaPartition): Promise<void> {
    const { listener, logger } = this.#options;
    const { log } = partition;
    await partition.inTurn(() => listener.revoke(log));
    this.#held.delete(log.partition);
    logger.info({ topic: log.topic, partition: log.partition }, 'partition revoked');
  }

  /** As they are after the call. Rejects when the round is over before the brokers answered. */
  async #bounds(round: number): Promise<Map<number, LogBounds>> {
    const { topic, logger } = this.#options;
    while (round === this.#round) {
      try {
        return await this.#fetchBounds();
      } catch (error) {
        if (isTopicMissing(error)) throw kafkaFault(error, topic);
        logger.debug({ err: error, topic }, 'the brokers do not say what the partitions hold; asking again');
        await pause(BOUNDS_RETRY_MS);
      }
    }
    throw new Error(`${topic}: the group reassigned the partitions`);
  }

  #pause(partitions: readonly number[]): void {
    const { consumer, topic, logger } = this.#options;
    if (partitions.length === 0) return;
    try {
      consumer.pause([{ topic, partitions: [...partitions] }]);
    } catch (error) {
      logger.debug({ err: error }, 'the consumer is not running');
    }
  }
}

/**
 * Returns a function that fetches once for all calls that come while the fetch before is under way. A call always gets an
 * answer whose fetch began after the call: the one under way began too early.
 */
export function shared<T>(fetch: () => Promise<T>): () => Promise<T> {
  let running: Promise<unknown> = Promise.resolve();
  let next: Promise<T> | null = null;
  return () => {
    next ??= running
      .catch(() => {})
      .then(() => {
        const answer = fetch();
        running = answer;
        next = null;
        return answer;
      });
    return next;
  };
}

/** The log of a partition. Each has a lane of its own. */
export function kafkaLog(topic: string, partition: number): TopicPartition {
  return { topic, partition, lane: `${topic}-${partition}` };
}

/** A partition that was given to this process, and how far the listener has it. */
export class KafkaPartition {
  readonly log: TopicPartition;
  /** The offset that the next batch resumes from; null while no batch may be taken. */
  position: number | null = null;
  /** Resolves when the listener has taken the last batch. It never rejects. */
  handedOver: Promise<void> = Promise.resolve();
  /** The same of the batch before the last. */
  handedOverBefore: Promise<void> = Promise.resolve();
  /** What the listener said at the last assignment. */
  startedAt: number | null = null;
  /** `startedAt` when another writer was last found in this partition. */
  fencedAt: number | null = null;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(topic: string, partition: number) {
    this.log = kafkaLog(topic, partition);
  }

  /** Calls of the listener for one log never overlap: each waits for the one before, however that ended. */
  inTurn<T>(call: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(call);
    this.#turn = turn.catch(() => undefined);
    return turn;
  }
}
