/**
 * Passes items from a side that pushes to one that pulls. `give` resolves when its item was taken: this is the
 * back-pressure.
 */
export class Handover<T> {
  readonly #items: { item: T; taken: () => void }[] = [];
  #isEnded = false;
  #isAbandoned = false;
  #failure: { error: unknown } | null = null;
  #wake: () => void = () => {};

  give(item: T): Promise<void> {
    if (this.#isAbandoned) return Promise.resolve();
    return new Promise((taken) => {
      this.#items.push({ item, taken });
      this.#wake();
    });
  }

  end(): void {
    this.#isEnded = true;
    this.#wake();
  }

  fail(error: unknown): void {
    this.#failure = { error };
    this.end();
  }

  /** Stops the handover: givers no longer wait. */
  abandon(): void {
    this.#isAbandoned = true;
    for (const { taken } of this.#items.splice(0)) taken();
  }

  async *items(): AsyncGenerator<T> {
    for (;;) {
      const next = this.#items.shift();
      if (next !== undefined) {
        try {
          yield next.item;
        } finally {
          // Also where the reader gives up at this item: a giver that waits for it could not be stopped.
          next.taken();
        }
      } else if (this.#isEnded) {
        if (this.#failure !== null) throw this.#failure.error;
        return;
      } else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
  }
}
