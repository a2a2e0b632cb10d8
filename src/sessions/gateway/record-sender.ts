import { setTimeout as pause } from 'node:timers/promises';
import avro from 'avsc';
import { type Kafka, Partitioners, type Producer } from 'kafkajs';
import { isTopicMissing } from '../../platform/kafka/kafka-failure.ts';
import type { Logger } from '../../platform/telemetry/logger.ts';
import { ProblemLog } from '../../platform/telemetry/problem-log.ts';
import type { FlowRecord } from '../../rating/flow-record.ts';
import type { RecordSpool } from './record-spool.ts';

const BATCH_RECORDS = 500;
/** After a failed attempt. */
const RETRY_MS = 1000;

export interface RecordSenderOptions {
  spool: Pick<RecordSpool, 'oldest' | 'remove' | 'size'>;
  kafka: Kafka;
  /** For messages. */
  brokers: readonly string[];
  topic: string;
  /** `schemas/flow-record.avsc` */
  schema: avro.Schema;
  logger: Logger;
}

/**
 * Takes records from the spool to Kafka, oldest first, keyed by MSISDN, and takes them off the spool when all replicas have them. A batch
 * whose acknowledgement was lost is sent again as it was: the engine drops what it has seen.
 */
export class RecordSender {
  readonly #options: RecordSenderOptions;
  readonly #type: avro.Type;
  readonly #problems: ProblemLog;
  #producer: Producer | null = null;
  #running: Promise<void> | null = null;
  #isStopping = false;
  #hasGivenUp = false;
  #wake: () => void = () => {};
  #endPause: () => void = () => {};

  constructor(options: RecordSenderOptions) {
    this.#options = options;
    this.#problems = new ProblemLog('kafka', options.logger);
    this.#type = avro.Type.forSchema(options.schema);
  }

  /** What keeps records from Kafka; null when nothing does. */
  get problem(): string | null {
    return this.#problems.problem;
  }

  start(): void {
    this.#running = this.#run();
  }

  /** There is something new on the spool. */
  wake(): void {
    this.#wake();
  }

  /** Sends what waits, for at most `graceMs`; the rest stays on the spool. Resolves with how many that are. */
  async stop(graceMs: number): Promise<number> {
    this.#isStopping = true;
    this.#wake();
    this.#endPause();
    const ended = Promise.resolve(this.#running).then(() => this.#disconnect());
    const grace = new AbortController();
    await Promise.race([ended, pause(graceMs, undefined, { signal: grace.signal })]);
    grace.abort();
    this.#hasGivenUp = true;
    void this.#disconnect();
    return this.#options.spool.size;
  }

  async #run(): Promise<void> {
    // Before there is a record, so that what is wrong with the brokers or the topic is known from the start.
    while (!this.#isStopping && !(await this.#tryAsk()));
    while (!this.#hasGivenUp) {
      const woken = new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      const records = await this.#options.spool.oldest(BATCH_RECORDS);
      if (records.length > 0) await this.#trySend(records);
      else if (!this.#isStopping) await woken;
      // A record that was appended while the spool was read is not among what was read.
      else if (this.#options.spool.size === 0) return;
    }
  }

  #trySend(records: readonly FlowRecord[]): Promise<boolean> {
    return this.#try(() => this.#send(records));
  }

  /** Whether the brokers take this client and have the topic. */
  #tryAsk(): Promise<boolean> {
    return this.#try(async () => {
      const admin = this.#options.kafka.admin();
      try {
        await admin.connect();
        await admin.fetchTopicMetadata({ topics: [this.#options.topic] });
      } finally {
        await admin.disconnect().catch(() => {});
      }
    });
  }

  async #try(work: () => Promise<void>): Promise<boolean> {
    const { topic, brokers } = this.#options;
    if (this.#hasGivenUp) return false;
    try {
      await work();
      this.#problems.over('Kafka takes records');
      return true;
    } catch (error) {
      const problem = isTopicMissing(error)
        ? `${topic}: the brokers have no such topic; create it, or correct kafka.topic`
        : `${brokers.join(', ')}: ${(error as Error).message} (kafka.brokers)`;
      if (!this.#hasGivenUp) this.#problems.report(problem, 'Kafka takes no records; they wait on disk');
      await this.#disconnect();
      if (!this.#hasGivenUp) await this.#pause();
      return false;
    }
  }

  async #pause(): Promise<void> {
    const woken = new Promise<void>((resolve) => {
      this.#endPause = resolve;
    });
    await Promise.race([woken, pause(RETRY_MS)]);
  }

  async #send(records: readonly FlowRecord[]): Promise<void> {
    const { spool, topic } = this.#options;
    const producer = await this.#connected();
    const messages = records.map((record) => ({ key: record.servedMsisdn, value: this.#type.toBuffer(record) }));
    await producer.send({ topic, messages, acks: -1 });
    // The spool is closed by now, and they are sent again by the next start.
    if (!this.#hasGivenUp) await spool.remove(records);
  }

  /** A producer that has failed has lost count of what it sent: the next attempt has another. */
  async #connected(): Promise<Producer> {
    if (this.#producer !== null) return this.#producer;
    const producer = this.#options.kafka.producer({
      idempotent: true,
      maxInFlightRequests: 1,
      allowAutoTopicCreation: false,
      createPartitioner: Partitioners.DefaultPartitioner,
    });
    this.#producer = producer;
    await producer.connect();
    if (!this.#hasGivenUp) return producer;
    await producer.disconnect();
    throw new Error('the gateway has stopped');
  }

  async #disconnect(): Promise<void> {
    const producer = this.#producer;
    this.#producer = null;
    await producer?.disconnect().catch(() => {});
  }
}
