import { Gauge, type Registry } from 'prom-client';
import type { Clock } from '../../platform/clock.ts';

export interface SequenceWatchOptions {
  registry: Registry;
  /** Resolves with the number of missing sequence numbers now. */
  look: () => Promise<number>;
  intervalMs: number;
  clock: Pick<Clock, 'after'>;
  onProblem: (error: unknown) => void;
}

/** Counts the records that never arrived, by the gaps in their numbers, at intervals. Inert until `start`. */
export class SequenceWatch {
  readonly #options: SequenceWatchOptions;
  readonly #missing: Gauge;
  #disarm: (() => void) | null = null;
  #isStopped = false;
  #looking: Promise<void> = Promise.resolve();

  constructor(options: SequenceWatchOptions) {
    this.#options = options;
    this.#missing = new Gauge({
      name: 'zerorate_sequence_numbers_missing',
      help: 'sequence numbers of the whole journal without a readable record, as `zerorate gaps` lists them',
      registers: [options.registry],
    });
  }

  start(): void {
    const { look, intervalMs, clock, onProblem } = this.#options;
    this.#looking = look().then((missing) => this.#missing.set(missing), onProblem);
    void this.#looking.then(() => {
      if (!this.#isStopped) this.#disarm = clock.after(intervalMs, () => this.start());
    });
  }

  /** Resolves when no look is running, and none will start. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#disarm?.();
    await this.#looking;
  }
}
