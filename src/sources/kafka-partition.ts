import type { TopicPartition } from '../billing/topic-partition.ts';

/** The log of a partition. Each has a lane of its own. */
export function kafkaLog(topic: string, partition: number): TopicPartition {
  return { topic, partition, lane: `${topic}-${partition}` };
}

/** A partition that was given to this process, and how far the listener has it. */
export class KafkaPartition {
  readonly log: TopicPartition;
  /** The offset that the next batch goes on from; null while no batch may be taken. */
  position: number | null = null;
  /** Settled when the listener is done with the last batch. It never rejects. */
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
