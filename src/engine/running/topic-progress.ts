import type { ProgressState } from '../../platform/telemetry/terminal-output.ts';
import type { KafkaProgress } from '../../sources/kafka/kafka-feed.ts';

interface Position {
  /** The offset that was read first. */
  first: number;
  offset: number;
  lag: number;
}

/** The progress of a run that reads a topic, whichever of its engines reads a partition. */
export class TopicProgress {
  readonly #positions = new Map<number, Position>();
  readonly #onProgress: (state: ProgressState) => void;

  constructor(onProgress: (state: ProgressState) => void) {
    this.#onProgress = onProgress;
  }

  read({ partition, offset, highWatermark }: KafkaProgress): void {
    const first = this.#positions.get(partition)?.first ?? offset;
    this.#positions.set(partition, { first, offset, lag: Math.max(0, highWatermark - 1 - offset) });
    const records = this.#sum(({ first, offset }) => offset - first);
    this.#onProgress({ label: 'reading', records, fraction: null, note: `lag ${this.#sum(({ lag }) => lag)}` });
  }

  #sum(of: (position: Position) => number): number {
    return [...this.#positions.values()].reduce((total, position) => total + of(position), 0);
  }
}
