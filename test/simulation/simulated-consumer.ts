import type { Consumer, EachBatchPayload, KafkaMessage } from 'kafkajs';
import type { LogRecord } from '../../src/platform/kafka/log-record.ts';
import type { SimulatedGroup } from './simulated-group.ts';
import { never, type SimulatedProcess } from './simulated-process.ts';
import type { FetchedBatch, SimulatedTopic } from './simulated-topic.ts';

const IDLE_MS = 250;

export interface ConsumerOptions {
  process: SimulatedProcess;
  topic: SimulatedTopic;
  group: SimulatedGroup;
  /** Most records of one fetch: it differs between processes. */
  fetchRecords: number;
  take: (payload: EachBatchPayload) => Promise<void>;
  /** Sabotage: continues at the group's position, when that is further than the requested one. */
  trustsPosition: boolean;
}

interface Fetching {
  offset: number;
  isPaused: boolean;
  /** Grows with every seek: records fetched before are stale. */
  epoch: number;
}

/** The fetching part of kafkajs: batches of the partitions that are not paused, one after the other. */
export class SimulatedConsumer implements Pick<Consumer, 'pause' | 'resume' | 'seek'> {
  readonly #options: ConsumerOptions;
  readonly #partitions = new Map<number, Fetching>();
  #isClosed = false;

  constructor(options: ConsumerOptions) {
    this.#options = options;
  }

  /** Replaces the assignment: records fetched before no longer count. */
  assign(partitions: readonly number[]): void {
    for (const fetching of this.#partitions.values()) fetching.epoch++;
    const known = [...this.#partitions.keys()].filter((partition) => !partitions.includes(partition));
    for (const partition of known) this.#partitions.delete(partition);
  }

  pause(topics: { partitions?: number[] }[]): void {
    for (const partition of numbersOf(topics)) this.#fetching(partition).isPaused = true;
  }

  resume(topics: { partitions?: number[] }[]): () => void {
    for (const partition of numbersOf(topics)) {
      const fetching = this.#fetching(partition);
      fetching.isPaused = false;
      void this.#fetch(partition, fetching, fetching.epoch);
    }
    return () => {};
  }

  seek({ partition, offset }: { partition: number; offset: string }): void {
    const { trustsPosition, group } = this.#options;
    const fetching = this.#fetching(partition);
    const position = trustsPosition ? (group.positions.get(partition) ?? 0) : 0;
    fetching.offset = Math.max(Number(offset), position);
    fetching.epoch++;
  }

  close(): void {
    this.#isClosed = true;
  }

  async #fetch(partition: number, fetching: Fetching, epoch: number): Promise<void> {
    const { process, topic, group, take } = this.#options;
    const isStale = () => this.#isClosed || fetching.isPaused || fetching.epoch !== epoch;
    while (!isStale()) {
      const batch = this.#next(partition, fetching.offset);
      await process.latency(batch === null ? 'fetch of nothing' : 'fetch', batch === null ? IDLE_MS * 2 : 30);
      if (batch === null || isStale()) continue;
      let isResolved = false;
      await take({
        batch: {
          topic: topic.name,
          partition,
          highWatermark: String(batch.highWatermark),
          messages: batch.records.map(messageOf),
          firstOffset: () => String(batch.records[0].offset),
          lastOffset: () => String(batch.lastOffset),
        },
        resolveOffset: () => {
          isResolved = true;
        },
        heartbeat: () => (process.isDead ? never() : Promise.resolve()),
        isStale,
      } as unknown as EachBatchPayload);
      if (!isResolved || isStale()) continue;
      fetching.offset = batch.lastOffset + 1;
      group.positions.set(partition, fetching.offset);
    }
  }

  /** Returns the next fetch. A fetch of compressed batches begins before the requested offset. */
  #next(partition: number, offset: number): FetchedBatch | null {
    const { topic, fetchRecords, process } = this.#options;
    const { random, faults } = process.world;
    const most = random.integer(1, fetchRecords);
    const batch = topic.fetch(partition, offset, most);
    if (batch === null || batch.records[0].offset < offset || !faults.strikes('fetch_reaches_back')) return batch;
    const { startOffset } = topic.bounds().get(partition) ?? { startOffset: offset };
    const earlier = topic.fetch(partition, Math.max(startOffset, offset - random.integer(1, 3)), most);
    // It still contains the requested offset.
    return earlier !== null && earlier.lastOffset >= offset ? earlier : batch;
  }

  #fetching(partition: number): Fetching {
    const known = this.#partitions.get(partition) ?? { offset: 0, isPaused: false, epoch: 0 };
    this.#partitions.set(partition, known);
    return known;
  }
}

function numbersOf(topics: { partitions?: number[] }[]): number[] {
  return topics.flatMap(({ partitions }) => partitions ?? []);
}

/** Returns a record in kafkajs's form. */
export function messageOf({ offset, timestampMs, key, value }: LogRecord): KafkaMessage {
  return {
    offset: String(offset),
    timestamp: String(timestampMs),
    key: key as Buffer | null,
    value: value as Buffer,
    attributes: 0,
    headers: {},
  };
}
