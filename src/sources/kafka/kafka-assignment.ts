import type { Consumer } from 'kafkajs';
import { type Clock, systemClock } from '../../platform/clock.ts';
import { isFenced } from '../../platform/fenced.ts';
import type { KafkaLogger } from '../../platform/kafka/kafka.ts';
import { isTopicMissing } from '../../platform/kafka/kafka-failure.ts';
import type { TopicPartition } from '../../rating/lane.ts';
import type { LogBounds, SourceListener } from '../source.ts';
import { kafkaFault } from './kafka-fault.ts';

const BOUNDS_RETRY_MS = 1000;
/** So many times another process may fence a partition while it is assigned; after that the run ends. */
const MAX_FENCED_ASSIGNMENTS = 6;
/** Times the attempt. */
const FENCED_RETRY_MS = 500;

export interface KafkaAssignmentOptions {
  consumer: Pick<Consumer, 'pause' | 'resume' | 'seek'>;
  topic: string;
  listener: SourceListener;
  fetchBounds: () => Promise<Map<number, LogBounds>>;
  onFailure: (error: unknown) => void;
  onProblem?: ((problem: string | null) => void) | undefined;
  logger: KafkaLogger;
  clock?: Pick<Clock, 'sleep'>;
}

/**
 * The partitions that the group gave to this process. A partition is paused from the moment it is given until the listener
 * has returned the offset to resume from: Kafka's committed offset is never read from. One that stays over a rebalance is revoked and
 * assigned again too, as another process may have had it in between.
 */
export class KafkaAssignment {
  readonly #options: KafkaAssignmentOptions;
  readonly #clock: Pick<Clock, 'sleep'>;
  readonly #held = new Map<number, KafkaPartition>();
  /** What the group gave last. */
  #given: ReadonlySet<number> = new Set();
  /** Aborted whenever all that was given before no longer counts. */
  #round = new AbortController();
  /** By partition, its revocations and assignments one after the other: one that is slow delays no other partition. None rejects. */
  readonly #turns = new Map<number, Promise<void>>();
  /** Fetches the bounds of all partitions at once; calls that wait together share an answer. */
  readonly #fetchBounds: () => Promise<Map<number, LogBounds>>;

  constructor(options: KafkaAssignmentOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#fetchBounds = shared(options.fetchBounds);
  }

  partition(number: number): KafkaPartition | undefined {
    return this.#held.get(number);
  }

  /** To be called inside of the join event: the next fetch comes after it, and so finds the partitions paused. */
  replace(partitions: readonly number[]): void {
    const round = this.suspend();
    this.#pause(partitions);
    this.#given = new Set(partitions);
    for (const number of new Set([...this.#turns.keys(), ...partitions])) this.#begin(number, round);
    this.#sayWhetherAssigned();
  }

  /** Revokes one partition and assigns it again. */
  restart(partition: KafkaPartition): void {
    partition.position = null;
    this.#options.onProblem?.(`partition ${partition.log.partition} is being assigned again`);
    this.#pause([partition.log.partition]);
    this.#begin(partition.log.partition, this.#round.signal, partition);
  }

  /** Nothing more is taken until the group gives partitions again. Returns the new round. */
  suspend(): AbortSignal {
    for (const partition of this.#held.values()) partition.position = null;
    this.#options.onProblem?.('waiting for the group to give out the partitions');
    this.#round.abort(new Error(`${this.#options.topic}: the group reassigned the partitions`));
    this.#round = new AbortController();
    return this.#round.signal;
  }

  /** Lets the listener book what it has, if `flush`, and gives up all partitions. Rejects with the first failure. */
  async finish({ flush }: { flush: boolean }): Promise<void> {
    this.suspend();
    this.#pause([...this.#held.keys()]);
    await Promise.all(this.#turns.values());
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

  /** Revokes a partition that is held, and assigns it if it is given; `again`: it is the same one, with its past. */
  #begin(number: number, round: AbortSignal, again?: KafkaPartition): void {
    const work = async () => {
      const held = this.#held.get(number);
      if (held !== undefined) await this.#release(held);
      const next = again ?? new KafkaPartition(this.#options.topic, number);
      if (this.#given.has(number)) await this.#start(next, round);
    };
    const failed = (error: unknown) => {
      // What a former round failed at is for the next one, or for another process, to find again.
      if (!round.aborted) this.#options.onFailure(error);
      else this.#options.logger.warn({ err: error }, 'a partition was taken away while it was being assigned');
    };
    const before = this.#turns.get(number) ?? Promise.resolve();
    this.#turns.set(number, before.then(work).catch(failed));
  }

  async #start(partition: KafkaPartition, round: AbortSignal): Promise<void> {
    if (round.aborted) return;
    const { log } = partition;
    this.#held.set(log.partition, partition);
    const offset = await this.#assign(partition, round);
    if (round.aborted) return;
    this.#fetchFrom(partition, offset);
    this.#options.logger.info({ topic: log.topic, partition: log.partition, offset }, 'partition assigned');
    this.#sayWhetherAssigned();
  }

  /**
   * Returns the offset to resume from. Another process that has the partition for a moment longer may fence this one while it reads
   * the journal: the partition is assigned again, and the others, which are not concerned, continue.
   */
  async #assign(partition: KafkaPartition, round: AbortSignal): Promise<number> {
    const { listener, logger } = this.#options;
    const { log } = partition;
    const bounds = async () => (await this.#bounds(round)).get(log.partition) ?? null;
    for (let attempt = 1; ; attempt++) {
      try {
        return await partition.inTurn(() => listener.assign(log, bounds, round));
      } catch (error) {
        if (round.aborted || !isFenced(error) || attempt === MAX_FENCED_ASSIGNMENTS) throw error;
        const { topic, partition: number } = log;
        logger.warn(
          { err: error, topic, partition: number },
          'another process has fenced the partition; assigning it again',
        );
        await this.#clock.sleep(FENCED_RETRY_MS * attempt);
        round.throwIfAborted();
      }
    }
  }

  #sayWhetherAssigned(): void {
    const isAssigned = (number: number) => (this.#held.get(number)?.position ?? null) !== null;
    if ([...this.#given].every(isAssigned)) this.#options.onProblem?.(null);
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
  async #bounds(round: AbortSignal): Promise<Map<number, LogBounds>> {
    const { topic, logger } = this.#options;
    for (;;) {
      round.throwIfAborted();
      try {
        return await this.#fetchBounds();
      } catch (error) {
        if (isTopicMissing(error)) throw kafkaFault(error, topic);
        logger.debug({ err: error, topic }, 'the brokers do not say what the partitions hold; asking again');
        await this.#clock.sleep(BOUNDS_RETRY_MS);
      }
    }
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
