import type { Journal } from '../../journal/journal.ts';
import type { RunTotals } from '../engine.ts';
import type { PackedCatalogue } from '../reload/packed-catalogue.ts';

/** An engine of this thread, or one in a thread of its own. */
export interface RunnableEngine {
  /** What was booked so far; after a failed run too. */
  readonly totals: RunTotals;
  /** Resolves when the source has ended or was stopped; rejects with the error that halted it. Runs once. */
  run(): Promise<unknown>;
  /** Every lane's next batch is rated with this catalogue, which the store keeps already. */
  take(catalogue: PackedCatalogue): void | Promise<void>;
  /** Takes no more records and books what it has. Never rejects. */
  stop(): Promise<void>;
}

/** The current engine of a thread, and the catalogue that it and those after it work with. */
export class RunningEngine {
  #engine: RunnableEngine | null = null;
  #catalogue: PackedCatalogue;

  constructor(catalogue: PackedCatalogue) {
    this.#catalogue = catalogue;
  }

  begin(makeEngine: (catalogue: PackedCatalogue) => RunnableEngine): RunnableEngine {
    this.#engine = makeEngine(this.#catalogue);
    return this.#engine;
  }

  /** Resolves when the current engine has it, also when that is another one than at the call. */
  async take(catalogue: PackedCatalogue): Promise<void> {
    for (let engine: RunnableEngine | null = null; engine !== this.#engine; ) {
      engine = this.#engine;
      await engine?.take(catalogue);
    }
    this.#catalogue = catalogue;
  }
}

/**
 * Keeps the catalogue in the store and gives it to all engines. Rejects with a StoreError when it could not be kept: then every
 * engine works with the one that it had.
 */
export async function giveCatalogue(
  engines: readonly RunningEngine[],
  journal: Pick<Journal, 'keepCatalogue'>,
  catalogue: PackedCatalogue,
): Promise<void> {
  await journal.keepCatalogue(catalogue.head);
  await Promise.all(engines.map((engine) => engine.take(catalogue)));
}
