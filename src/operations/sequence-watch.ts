import { Gauge, type Registry } from 'prom-client';
import type { Clock } from '../platform/clock.ts';

export interface SequenceWatchOptions {
  registry: Registry;
  /** How many sequence numbers are missing now. */
  look: () => Promise<number>;
  intervalMs: number;
  clock: Pick<Clock, 'after'>;
  onProblem: (error: unknown) => void;
}

/** Looks at intervals how many records never arrived, by the gaps in their numbers. Inert until `start`. */
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
      help: 'sequence numbers of the whole journal that no readable record of a node had, as `zerorate gaps` lists them',
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

  /** Resolves when no look is under way, and none will be. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#disarm?.();
    await this.#looking;
  }
}
