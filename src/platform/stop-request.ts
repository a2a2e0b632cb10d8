/** After the first signal the process ends within this time, whatever it waits for. */
const STOP_WITHIN_MS = 9000;

/** Whether work is to end, once it is raised. */
export class StopFlag {
  readonly #listeners = new Set<() => void>();
  #isRaised = false;

  get isRequested(): boolean {
    return this.#isRaised;
  }

  raise(): void {
    if (this.#isRaised) return;
    this.#isRaised = true;
    for (const listener of [...this.#listeners]) listener();
  }

  /** Calls `listener` when it is raised, or now if it is. Returns a function that takes it off again. */
  onRequest(listener: () => void): () => void {
    if (this.isRequested) listener();
    else this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Resolves after `ms`, or when it is raised. */
  async sleep(ms: number): Promise<void> {
    if (this.isRequested) return;
    let timer: NodeJS.Timeout | undefined;
    let forget = () => {};
    await new Promise<void>((resolve) => {
      timer = setTimeout(resolve, ms);
      forget = this.onRequest(resolve);
    });
    clearTimeout(timer);
    forget();
  }
}

/**
 * The wish of an operator that the process ends: SIGINT or SIGTERM. At a second signal it ends at once, with 130 or 143. When
 * the work has not ended within `withinMs`, `onOverdue` has the last word and the process ends with code 0: what is not in the
 * journal by then is read again by the next run.
 */
export class StopRequest extends StopFlag {
  /** Called when the time is over; replaced by the one who knows what was done. */
  onOverdue: () => void = () => {};
  readonly #withinMs: number;
  readonly #handle = (signal: NodeJS.Signals) => this.#take(signal);
  #deadline: NodeJS.Timeout | null = null;

  constructor(withinMs: number = STOP_WITHIN_MS) {
    super();
    this.#withinMs = withinMs;
    process.on('SIGINT', this.#handle);
    process.on('SIGTERM', this.#handle);
  }

  /** The work is over: signals end the process as they do by default. */
  close(): void {
    if (this.#deadline !== null) clearTimeout(this.#deadline);
    process.off('SIGINT', this.#handle);
    process.off('SIGTERM', this.#handle);
  }

  #take(signal: NodeJS.Signals): void {
    if (this.isRequested) process.exit(signal === 'SIGINT' ? 130 : 143);
    // Not unref'd: a process that waits for what never comes ends here, with the code that is documented.
    this.#deadline = setTimeout(() => {
      try {
        this.onOverdue();
      } finally {
        process.exit(0);
      }
    }, this.#withinMs);
    this.raise();
  }
}
