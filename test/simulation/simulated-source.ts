import { isFenced } from '../../src/platform/fenced.ts';
import type { KafkaLogger } from '../../src/platform/kafka/kafka.ts';
import { decodeJson } from '../../src/rating/decode/decode-json.ts';
import type { TopicPartition } from '../../src/rating/lane.ts';
import { KafkaAssignment } from '../../src/sources/kafka/kafka-assignment.ts';
import { KafkaFeed } from '../../src/sources/kafka/kafka-feed.ts';
import type { Source, SourceListener } from '../../src/sources/source.ts';
import { SimulatedConsumer } from './simulated-consumer.ts';
import type { Member, SimulatedGroup } from './simulated-group.ts';
import type { SimulatedProcess } from './simulated-process.ts';
import type { SimulatedTopic } from './simulated-topic.ts';

const FLUSH_MS = 8000;
export const MAX_RECORD_OCTETS = 600;

export interface SimulatedSourceOptions {
  process: SimulatedProcess;
  topic: SimulatedTopic;
  group: SimulatedGroup;
  fetchRecords: number;
  trustsPosition: boolean;
}

const nothing = () => {};
const SILENT = { debug: nothing, info: nothing, warn: nothing, error: nothing } as unknown as KafkaLogger;

/**
 * The Kafka source over a simulated broker: assignment and feed are the real ones; the group and kafkajs's fetching are
 * simulated. It joins and leaves as KafkaRun does.
 */
export class SimulatedSource implements Source, Member {
  readonly process: SimulatedProcess;
  readonly #options: SimulatedSourceOptions;
  readonly #ended: Promise<void>;
  #end: () => void = nothing;
  #isEnding = false;
  #isAbandoned = false;
  #failure: { error: unknown } | null = null;
  #parts: { consumer: SimulatedConsumer; assignment: KafkaAssignment; feed: KafkaFeed } | null = null;
  #running: Promise<void> = Promise.resolve();

  constructor(options: SimulatedSourceOptions) {
    this.#options = options;
    this.process = options.process;
    this.#ended = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  run(listener: SourceListener): Promise<void> {
    this.#running = this.#untilEnd(listener);
    return this.#running;
  }

  async stop(): Promise<void> {
    this.#isEnding = true;
    this.#end();
    await this.#running.catch(nothing);
  }

  reassign({ partition: number }: TopicPartition, error: unknown): void {
    const partition = this.#parts?.assignment.partition(number);
    if (partition !== undefined) this.#parts?.feed.refused(partition, partition.startedAt, error);
  }

  acknowledge(): void {}

  joined(partitions: readonly number[]): void {
    if (this.#isEnding) return;
    this.#parts?.consumer.assign(partitions);
    this.#parts?.assignment.replace(partitions);
  }

  async #untilEnd(listener: SourceListener): Promise<void> {
    const { process, topic, group } = this.#options;
    const fetchBounds = () =>
      process.call(async () => {
        await process.latency('bounds leave');
        const bounds = topic.bounds();
        await process.latency('bounds are answered');
        return bounds;
      });
    const onFailure = (error: unknown) => {
      this.#failure ??= { error };
      this.#isEnding = true;
      this.#end();
    };
    const consumer = new SimulatedConsumer({ ...this.#options, take: (payload) => feed.take(payload) });
    const shared = { topic: topic.name, listener, logger: SILENT, fetchBounds, onFailure };
    const assignment = new KafkaAssignment({ ...shared, consumer, clock: process.clock });
    const feed = new KafkaFeed({
      ...shared,
      assignment,
      decode: decodeJson,
      maxRecordBytes: MAX_RECORD_OCTETS,
      isAbandoned: () => this.#isAbandoned || process.isDead,
    });
    this.#parts = { consumer, assignment, feed };
    await process.latency('joins the group', 200);
    if (!this.#isEnding) group.join(this);
    await this.#ended;
    await this.#leave(assignment);
    consumer.close();
    group.forget(this);
    if (this.#failure !== null) throw this.#failure.error;
  }

  async #leave(assignment: KafkaAssignment): Promise<void> {
    try {
      const finished = assignment.finish({ flush: this.#failure === null });
      finished.catch(nothing);
      await Promise.race([finished, this.process.clock.sleep(FLUSH_MS)]);
    } catch (error) {
      if (!isFenced(error)) this.#failure ??= { error };
    }
    this.#isAbandoned = true;
  }
}
