import type { Clock } from '../platform/clock.ts';

export interface RepeatedCheckOptions {
  clock: Pick<Clock, 'after'>;
  checkIntervalMs: number;
  /** Called after every check of `start`: with the error, or null. */
  onChecked?: (problem: unknown) => void;
}

/** Checks at intervals, one interval after the end of the previous check. Inert until `start`. */
export class RepeatedCheck {
  readonly #options: RepeatedCheckOptions;
  readonly #check: () => Promise<unknown>;
  #disarm: (() => void) | null = null;
  #checking: Promise<void> = Promise.resolve();

  constructor(options: RepeatedCheckOptions, check: () => Promise<unknown>) {
    this.#options = options;
    this.#check = check;
  }

  start(): void {
    const { clock, checkIntervalMs, onChecked = () => {} } = this.#options;
    this.#disarm = clock.after(checkIntervalMs, () => {
      this.#checking = this.#check().then(() => onChecked(null), onChecked);
      void this.#checking.then(() => {
        if (this.#disarm !== null) this.start();
      });
    });
  }

  /** Resolves when no check is running, and none will start. */
  async stop(): Promise<void> {
    this.#disarm?.();
    this.#disarm = null;
    await this.#checking;
  }
}
