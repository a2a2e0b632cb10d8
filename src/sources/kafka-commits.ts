import type { Consumer } from 'kafkajs';
import type { KafkaLogger } from '../platform/kafka.ts';

/**
 * Tells the group how far the journal is, for lag monitors. Nothing depends on it, so a commit that fails is only logged;
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
  async settled(): Promise<void> {
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
