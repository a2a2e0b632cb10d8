/** An asynchronous step of a batch while the next one fills. Its failure goes to the call that waits for it, or to `onLost`. */
export class Step {
  readonly done: Promise<void>;
  #isAwaited = false;
  #hasEnded = false;

  constructor(done: Promise<void>, onLost: (error: unknown) => void) {
    this.done = done;
    done
      .catch((error) => {
        if (!this.#isAwaited) onLost(error);
      })
      .finally(() => {
        this.#hasEnded = true;
      });
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** From now on a failure is the caller's, who waits for `done`. */
  expect(): void {
    this.#isAwaited = true;
  }

  /** Waits for the end; rejects with the step's failure, unless the step had ended before. */
  async wait(): Promise<void> {
    if (this.#hasEnded) return;
    this.#isAwaited = true;
    await this.done;
  }
}
