import type { Batch, Consumer, EachBatchPayload, Kafka } from 'kafkajs';
import { isTopicMissing } from '../../../platform/kafka/kafka-failure.ts';
import { recordsOfBatch } from '../../../platform/kafka/patches/patch-record-sets.ts';
import type { QuotaUpdate } from '../../../rating/quota-updates.ts';
import type { UpdateBatch } from './take-updates.ts';

export interface QuotaTopicOptions {
  kafka: Kafka;
  topic: string;
  /** Of this dispatch server alone, as it has to read every partition. */
  groupId: string;
  /** Throws on bytes that are no quota update. */
  decode: (value: Uint8Array) => QuotaUpdate;
  /** The offset to resume from; undefined: the log's start. */
  nextOffset: (partition: number) => number | undefined;
  take: (batch: UpdateBatch) => Promise<void>;
  /** What keeps the topic from being read, or null. */
  onProblem: (problem: string | null) => void;
}

/** What `onProblem` is called with while the topic is read for the first time. */
export const READING = 'reading what the topic holds';

/**
 * Reads what is committed of the topic, from where it was read up to: the offsets are kept with what was read, and not in
 * Kafka. Inert until `start`.
 */
export class QuotaTopicReader {
  readonly #options: QuotaTopicOptions;
  readonly #consumer: Consumer;
  /** The partitions that were behind at the start, with the offset that each ended before. */
  #left: ReadonlyMap<number, number> = new Map();
  #isStopping = false;
  /** The batch that cannot be read, until it can: the consumer joins again and again meanwhile. */
  #unreadable: string | null = null;
  #arrive: () => void = () => {};
  readonly #arrived = new Promise<void>((resolve) => {
    this.#arrive = resolve;
  });

  constructor(options: QuotaTopicOptions) {
    this.#options = options;
    this.#consumer = options.kafka.consumer({
      groupId: options.groupId,
      readUncommitted: false,
      allowAutoTopicCreation: false,
      maxWaitTimeInMs: 500,
      retry: { restartOnFailure: async () => !this.#isStopping },
    });
    this.#listen();
  }

  #listen(): void {
    const { topic, onProblem } = this.#options;
    const { events } = this.#consumer;
    this.#consumer.on(events.GROUP_JOIN, ({ payload }) => this.#joined(payload.memberAssignment[topic] ?? []));
    this.#consumer.on(events.CRASH, ({ payload }) => onProblem(payload.error.message));
    // A batch of an aborted transaction or of markers alone is seen here only.
    this.#consumer.on(events.END_BATCH_PROCESS, ({ payload: { partition, lastOffset } }) =>
      this.#reached(partition, Number(lastOffset) + 1),
    );
  }

  /** Resolves when the topic is being read; what it holds by then has been taken when `caughtUp` resolves. */
  async start(): Promise<void> {
    const { topic, onProblem } = this.#options;
    const consumer = this.#consumer;
    onProblem(READING);
    try {
      this.#left = await this.#openEnds();
      await consumer.connect();
      await consumer.subscribe({ topic, fromBeginning: true });
      await consumer.run({ autoCommit: false, eachBatch: (payload) => this.#take(payload) });
    } catch (cause) {
      if (isTopicMissing(cause)) {
        throw new QuotaTopicError(
          'topic_missing',
          `${topic}: no such topic; the engine makes it when it starts`,
          cause,
        );
      }
      throw new QuotaTopicError(
        'kafka_unreachable',
        `${topic}: ${(cause as Error).message}; are the brokers up?`,
        cause,
      );
    }
    this.#reached();
  }

  get caughtUp(): Promise<void> {
    return this.#arrived;
  }

  get isStopping(): boolean {
    return this.#isStopping;
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#consumer.disconnect();
  }

  async #openEnds(): Promise<Map<number, number>> {
    const { kafka, topic, nextOffset } = this.#options;
    const admin = kafka.admin();
    try {
      await admin.connect();
      const offsets = await admin.fetchTopicOffsets(topic);
      const behind = offsets.filter(
        ({ partition, low, high }) => Number(high) > Number(low) && (nextOffset(partition) ?? 0) < Number(high),
      );
      return new Map(behind.map(({ partition, high }) => [partition, Number(high)]));
    } finally {
      await admin.disconnect();
    }
  }

  #joined(partitions: readonly number[]): void {
    const { topic, nextOffset } = this.#options;
    for (const partition of partitions) {
      const offset = nextOffset(partition);
      if (offset !== undefined) this.#consumer.seek({ topic, partition, offset: String(offset) });
    }
    if (this.#left.size === 0) this.#options.onProblem(this.#unreadable);
  }

  async #take({ batch, resolveOffset, heartbeat }: EachBatchPayload): Promise<void> {
    const { take } = this.#options;
    const updates = this.#updatesOf(batch);
    const nextOffset = Number(batch.lastOffset()) + 1;
    await take({ partition: batch.partition, nextOffset, updates });
    resolveOffset(batch.lastOffset());
    await heartbeat();
  }

  #updatesOf(batch: Batch): QuotaUpdate[] {
    const { decode, onProblem } = this.#options;
    const updates: QuotaUpdate[] = [];
    try {
      for (const { value } of recordsOfBatch(batch)) {
        // A record without a value is a tombstone: the counter that it was of is long over.
        if (value.length > 0) updates.push(decode(value));
      }
    } catch (error) {
      this.#unreadable = (error as Error).message;
      onProblem(this.#unreadable);
      throw error;
    }
    this.#unreadable = null;
    return updates;
  }

  #reached(partition?: number, offset = 0): void {
    if (partition !== undefined && offset >= (this.#left.get(partition) ?? Number.POSITIVE_INFINITY)) {
      this.#left = new Map([...this.#left].filter(([each]) => each !== partition));
    }
    if (this.#left.size > 0) return;
    this.#options.onProblem(this.#unreadable);
    this.#arrive();
  }
}

/** The topic of quota updates cannot be read. */
class QuotaTopicError extends Error {
  readonly code: 'topic_missing' | 'kafka_unreachable';
  readonly canRetry: boolean;

  constructor(code: QuotaTopicError['code'], message: string, cause: unknown) {
    super(message, { cause });
    this.name = 'QuotaTopicError';
    this.code = code;
    this.canRetry = code === 'kafka_unreachable';
  }
}
