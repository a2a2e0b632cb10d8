import { setTimeout as pause } from 'node:timers/promises';
import { type Kafka, Partitioners, type Producer, type ProducerRecord, type RecordMetadata } from 'kafkajs';
import type { GenerateOptions } from '../../src/generator/generate-options.ts';
import { produceRecords } from '../../src/generator/produce-records.ts';
import { Random } from '../../src/generator/random.ts';

const RECORDS_PER_SEND = 60;
const RETRY_MS = 300;
const DAY_MS = 86_400_000;

export interface TrafficOptions {
  kafka: Kafka;
  topic: string;
  seed: number;
  targets: GenerateOptions['targets'];
  recordsPerSecond: number;
}

class Stopped extends Error {}

/**
 * Produces synthetic records continuously, keyed by MSISDN: some of them malformed, duplicate, conflicting or late. Now and
 * then a transaction is aborted, so that offsets have gaps. A failed send is repeated by a new producer, and may then be in
 * the log twice: the log is the reference.
 */
export class Traffic {
  readonly #options: TrafficOptions;
  readonly #random: Random;
  #producers: { plain: Producer; transactional: Producer } | null = null;
  #isStopping = false;
  #running: Promise<void> = Promise.resolve();
  readonly counts = { records: 0, aborted: 0, retries: 0 };

  constructor(options: TrafficOptions) {
    this.#options = options;
    this.#random = new Random(options.seed);
  }

  start(): void {
    const { topic, seed, targets } = this.#options;
    const nowMs = Date.now();
    this.#running = produceRecords({
      producer: { send: (record) => this.#send(record) },
      topic,
      recordsPerBatch: RECORDS_PER_SEND,
      options: {
        seed,
        records: Number.MAX_SAFE_INTEGER,
        subscribers: 400,
        targets,
        startTimeMs: nowMs - 3 * DAY_MS,
        endTimeMs: nowMs,
        malformed: 0.01,
        duplicate: 0.02,
        conflicting: 0.002,
        late: 0.01,
        gaps: 0.002,
        duplicateWindow: 5000,
      },
    }).then(
      () => undefined,
      (error) => {
        if (!(error instanceof Stopped)) throw error;
      },
    );
    // The caller of `stop` gets a failure.
    this.#running.catch(() => {});
  }

  /** Ends after the current send, and puts one last, unreadable record into each partition. */
  async stop(partitions: number): Promise<void> {
    this.#isStopping = true;
    await this.#running;
    const messages = Array.from({ length: partitions }, (_, partition) => ({ partition, value: 'the end' }));
    await this.#untilSent({ topic: this.#options.topic, messages, acks: -1 }, 'plain');
    await this.close();
  }

  async close(): Promise<void> {
    this.#isStopping = true;
    await this.#disconnect();
  }

  async #disconnect(): Promise<void> {
    const old = this.#producers;
    this.#producers = null;
    await Promise.all([old?.plain.disconnect(), old?.transactional.disconnect()].map((end) => end?.catch(() => {})));
  }

  async #send(record: ProducerRecord): Promise<RecordMetadata[]> {
    if (this.#isStopping) throw new Stopped();
    const startedAtMs = performance.now();
    const [aborted, committed, plain] = [0.06, 0.06, 0.88];
    const kind = (['aborted', 'committed', 'plain'] as const)[this.#random.weighted([aborted, committed, plain])];
    // Aborted records are sent again, and must then be new to the engine.
    if (kind === 'aborted') await this.#untilSent(record, 'aborted');
    await this.#untilSent(record, kind === 'committed' ? 'committed' : 'plain');
    this.counts.records += record.messages.length;
    const dueMs = (record.messages.length / this.#options.recordsPerSecond) * 1000;
    await pause(Math.max(0, dueMs - (performance.now() - startedAtMs)));
    return [];
  }

  async #untilSent(record: ProducerRecord, kind: 'plain' | 'committed' | 'aborted'): Promise<void> {
    for (;;) {
      try {
        const { plain, transactional } = await this.#connected();
        if (kind === 'plain') await plain.send(record);
        else await this.#transact(transactional, record, kind);
        return;
      } catch {
        this.counts.retries++;
        await this.#disconnect();
        await pause(RETRY_MS);
      }
    }
  }

  async #transact(producer: Producer, record: ProducerRecord, end: 'committed' | 'aborted'): Promise<void> {
    const transaction = await producer.transaction();
    await transaction.send(record);
    if (end === 'committed') await transaction.commit();
    else await transaction.abort();
    if (end === 'aborted') this.counts.aborted += record.messages.length;
  }

  async #connected(): Promise<{ plain: Producer; transactional: Producer }> {
    if (this.#producers === null) {
      const { kafka, topic } = this.#options;
      const shared = {
        idempotent: true,
        maxInFlightRequests: 1,
        allowAutoTopicCreation: false,
        createPartitioner: Partitioners.DefaultPartitioner,
      };
      const plain = kafka.producer(shared);
      // The same name again ends the open transaction of the last producer of this name, which would block every reader.
      const transactional = kafka.producer({ ...shared, transactionalId: `${topic}-traffic` });
      this.#producers = { plain, transactional };
      await Promise.all([plain.connect(), transactional.connect()]);
    }
    return this.#producers;
  }
}
