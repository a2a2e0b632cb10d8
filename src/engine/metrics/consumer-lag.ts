import { Gauge, type Registry } from 'prom-client';
import type { BatchPlace } from '../../journal/block-rows.ts';
import type { Clock } from '../../platform/clock.ts';
import type { TopicPartition } from '../../rating/lane.ts';
import type { LogBounds } from '../../sources/source.ts';
import type { EngineEvents } from '../book-batch.ts';
import type { SourceGap } from '../resume-offset.ts';

/** Interval of queries for the ends of logs: an engine that books nothing does not learn them by reading. */
const QUERY_INTERVAL_MS = 5000;

interface HeldLog {
  partition: number;
  /** The last booked offset. */
  cursor: number;
}

export interface ConsumerLagOptions {
  registry: Registry;
  topic: string;
  fetchBounds: () => Promise<ReadonlyMap<number, LogBounds>>;
  clock: Pick<Clock, 'after'>;
  onProblem: (error: unknown) => void;
}

/**
 * The lag of the journal behind its topic, by partition that this engine holds: the offsets of the log past the cursor.
 * Inert until `start`.
 */
export class ConsumerLag implements Pick<EngineEvents, 'onAssigned' | 'onReleased' | 'onJournaled' | 'onGap'> {
  readonly #options: ConsumerLagOptions;
  /** By lane: a recreated topic is booked under another name, in the same lane. */
  readonly #held = new Map<string, HeldLog>();
  #bounds: ReadonlyMap<number, LogBounds> = new Map();
  #disarm: (() => void) | null = null;
  #isStopped = false;

  constructor(options: ConsumerLagOptions) {
    this.#options = options;
    const { registry, topic } = options;
    const each = (gauge: Gauge<'topic' | 'partition'>, of: (cursor: number, bounds: LogBounds) => number) => {
      gauge.reset();
      for (const { partition, cursor } of this.#held.values()) {
        const bounds = this.#bounds.get(partition);
        if (bounds !== undefined) gauge.set({ topic, partition: String(partition) }, of(cursor, bounds));
      }
    };
    const shape = { labelNames: ['topic', 'partition'] as const, registers: [registry] };
    new Gauge({
      ...shape,
      name: 'zerorate_consumer_lag_records',
      help: 'offsets of the partition past the last one booked (high watermark - 1 - cursor)',
      collect() {
        each(this, (cursor, { startOffset, endOffset }) => Math.max(0, endOffset - Math.max(startOffset, cursor + 1)));
      },
    });
    new Gauge({
      ...shape,
      name: 'zerorate_source_lost_records',
      help: 'offsets past the last one booked that the partition no longer has',
      collect() {
        each(this, (cursor, { startOffset }) => (cursor < 0 ? 0 : Math.max(0, startOffset - (cursor + 1))));
      },
    });
  }

  start(): void {
    void this.#ask();
  }

  /** Resets for a new engine, which holds nothing yet. */
  begin(): void {
    this.#held.clear();
  }

  stop(): void {
    this.#isStopped = true;
    this.#disarm?.();
  }

  onAssigned({ lane, partition }: TopicPartition, cursor: number): void {
    this.#held.set(lane, { partition, cursor });
  }

  onReleased({ lane }: TopicPartition): void {
    this.#held.delete(lane);
  }

  /** A booking by the engine that had the lane before may be reported late. */
  onJournaled({ log, lastOffset }: BatchPlace): void {
    const { cursor = -1 } = this.#held.get(log.lane) ?? {};
    this.#moveTo(log, Math.max(cursor, lastOffset));
  }

  onGap({ log, lastOffset }: SourceGap): void {
    this.#moveTo(log, lastOffset);
  }

  #moveTo({ lane, partition }: TopicPartition, cursor: number): void {
    if (this.#held.has(lane)) this.#held.set(lane, { partition, cursor });
  }

  async #ask(): Promise<void> {
    const { fetchBounds, clock, onProblem } = this.#options;
    try {
      this.#bounds = await fetchBounds();
    } catch (error) {
      onProblem(error);
    }
    if (!this.#isStopped) this.#disarm = clock.after(QUERY_INTERVAL_MS, () => void this.#ask());
  }
}
