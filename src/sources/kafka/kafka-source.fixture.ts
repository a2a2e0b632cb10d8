import { randomUUID } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { Kafka, logLevel, Partitioners, type Producer } from 'kafkajs';
import { StoreError } from '../../platform/clickhouse/store.ts';
import { createKafka, type KafkaLogger } from '../../platform/kafka/kafka.ts';
import type { LogRecord } from '../../platform/kafka/log-record.ts';
import { decodeJson } from '../../rating/decode/decode-json.ts';
import type { TopicPartition } from '../../rating/lane.ts';
import type { LogBounds, SourceListener } from '../source.ts';
import type { KafkaSourceOptions } from './kafka-feed.ts';
import { kafkaSource } from './kafka-source.ts';

const silent: KafkaLogger = { debug() {}, info() {}, warn() {}, error() {} };

/** Set KAFKA_TEST_LOG to see what the client and the source say. */
export const testLogger: KafkaLogger = process.env.KAFKA_TEST_LOG
  ? {
      debug: (fields, message) => console.error('debug', message, JSON.stringify(fields)),
      info: (fields, message) => console.error('info', message, JSON.stringify(fields)),
      warn: (fields, message) => console.error('warn', message, JSON.stringify(fields)),
      error: (fields, message) => console.error('error', message, JSON.stringify(fields)),
    }
  : silent;

export function testKafka(brokers: readonly string[]): Kafka {
  return createKafka({ brokers, clientId: 'source-test', logger: testLogger });
}

export async function createTopic(kafka: Kafka, partitions: number): Promise<string> {
  const topic = `flows-${randomUUID()}`;
  const admin = kafka.admin();
  await admin.connect();
  await admin.createTopics({ topics: [{ topic, numPartitions: partitions }], waitForLeaders: true });
  await admin.disconnect();
  return topic;
}

export async function withProducer(
  kafka: Kafka,
  work: (producer: Producer) => Promise<void>,
  transactionalId?: string,
): Promise<void> {
  const producer = kafka.producer({
    createPartitioner: Partitioners.DefaultPartitioner,
    // A topic that has just been created may have no leader yet: what is then sent again must not be there twice.
    idempotent: true,
    maxInFlightRequests: 1,
    ...(transactionalId !== undefined && { transactionalId }),
  });
  await producer.connect();
  try {
    await work(producer);
  } finally {
    await producer.disconnect();
  }
}

/** Sends the texts `first`, `first + 1` ... to each of the partitions; a fetch returns whole batches, at least one. */
export function produceNumbers(
  kafka: Kafka,
  topic: string,
  partitions: number,
  first: number,
  count: number,
  batchRecords = 1000,
): Promise<void> {
  return withProducer(kafka, async (producer) => {
    for (let from = first; from < first + count; from += batchRecords) {
      const size = Math.min(batchRecords, first + count - from);
      const messages = Array.from({ length: partitions * size }, (_, index) => ({
        partition: index % partitions,
        value: String(from + Math.floor(index / partitions)),
      }));
      await producer.send({ topic, messages });
    }
  });
}

/** The journal that a group of listeners shares: what was booked of each partition, in order. */
export class MemoryJournal {
  readonly booked = new Map<number, LogRecord[]>();

  cursor(partition: number): number {
    return this.booked.get(partition)?.at(-1)?.offset ?? -1;
  }
  texts(partition: number): string[] {
    return (this.booked.get(partition) ?? []).map(({ value }) => Buffer.from(value).toString());
  }
  get size(): number {
    return [...this.booked.values()].reduce((sum, { length }) => sum + length, 0);
  }
}

/**
 * Books what it is given, with the same compare-and-swap as the engine: records that do not follow the cursor it knows are
 * a fault. Writes down every rule of the port that a source breaks.
 */
export class JournalListener implements SourceListener {
  readonly faults: string[] = [];
  readonly calls: string[] = [];
  readonly bounds: (LogBounds | null)[] = [];
  delayMs = 0;
  /** Where a partition begins that nothing is booked of. */
  startOffset = 0;
  /** Called before a batch is booked; throws to refuse it. */
  onDeliver: (log: TopicPartition, records: readonly LogRecord[]) => void = () => {};
  readonly #journal: MemoryJournal;
  readonly #cursors = new Map<number, number>();
  readonly #busy = new Set<number>();

  constructor(journal: MemoryJournal) {
    this.#journal = journal;
  }

  assign: SourceListener['assign'] = (log, bounds) =>
    this.#alone('assign', log, async () => {
      if (this.#cursors.has(log.partition)) this.faults.push(`partition ${log.partition} assigned twice`);
      const cursor = this.#journal.cursor(log.partition);
      this.bounds.push(await bounds());
      this.#cursors.set(log.partition, cursor);
      return cursor === -1 ? this.startOffset : cursor + 1;
    });

  deliver: SourceListener['deliver'] = (log, delivered) =>
    this.#alone('deliver', log, async () => {
      const records = [...delivered];
      const cursor = this.#cursors.get(log.partition);
      if (cursor === undefined) this.faults.push(`partition ${log.partition} is not assigned`);
      this.onDeliver(log, records);
      if (this.delayMs > 0) await pause(this.delayMs);
      if (this.#journal.cursor(log.partition) !== cursor) {
        throw new StoreError('batch_fenced', `partition ${log.partition} was booked by another`, { canRetry: true });
      }
      const offsets = [cursor, ...records.map(({ offset }) => offset)];
      if (offsets.some((offset, index) => index > 0 && offset <= (offsets[index - 1] ?? 0))) {
        this.faults.push(`partition ${log.partition}: ${records[0]?.offset} after ${cursor}`);
      }
      this.#journal.booked.set(log.partition, [...(this.#journal.booked.get(log.partition) ?? []), ...records]);
      this.#cursors.set(log.partition, this.#journal.cursor(log.partition));
    });

  flush: SourceListener['flush'] = (log) => this.#alone('flush', log, async () => {});

  revoke: SourceListener['revoke'] = (log) =>
    this.#alone('revoke', log, async () => {
      this.#cursors.delete(log.partition);
    });

  async #alone<T>(name: string, log: TopicPartition, call: () => Promise<T>): Promise<T> {
    this.calls.push(`${name} ${log.partition}`);
    if (this.#busy.has(log.partition)) this.faults.push(`${name} ${log.partition} overlaps another call`);
    this.#busy.add(log.partition);
    try {
      return await call();
    } finally {
      this.#busy.delete(log.partition);
    }
  }
}

export function testSource(options: Pick<KafkaSourceOptions, 'kafka' | 'topic'> & Partial<KafkaSourceOptions>) {
  return kafkaSource({
    groupId: `group-${options.topic}`,
    decode: decodeJson,
    maxRecordBytes: 1000,
    sessionTimeoutMs: 10_000,
    rebalanceTimeoutMs: 20_000,
    maxBytesPerPartition: 2 ** 20,
    maxWaitTimeInMs: 50,
    logger: testLogger,
    ...options,
  });
}

/** Resolves when the condition holds; rejects as soon as one of the runs ends before. */
export async function until(condition: () => boolean, ...runs: Promise<void>[]): Promise<void> {
  let ended = false;
  const end = Promise.race(runs).then(() => {
    ended = true;
    if (!condition()) throw new Error('the source ended too soon');
  });
  const holds = async () => {
    while (!ended && !condition()) await pause(10);
  };
  await (runs.length > 0 ? Promise.race([holds(), end]) : holds());
}

/** Brokers that can be cut off from this client, whatever cluster they are. */
export class BreakableNetwork {
  #isDown = false;
  readonly #sockets = new Set<Socket>();

  kafka(brokers: readonly string[]): Kafka {
    return new Kafka({
      brokers: [...brokers],
      clientId: 'source-test',
      logLevel: logLevel.NOTHING,
      retry: { retries: 2, initialRetryTime: 50, maxRetryTime: 200 },
      socketFactory: ({ host, port, onConnect }) => {
        // Nothing listens on port 1.
        const socket = connect({ host, port: this.#isDown ? 1 : port }, onConnect);
        this.#sockets.add(socket);
        return socket;
      },
    });
  }
  cut(): void {
    this.#isDown = true;
    for (const socket of this.#sockets) socket.destroy(new Error('cut off'));
    this.#sockets.clear();
  }
  restore(): void {
    this.#isDown = false;
  }
}
