import type { Clock } from '../platform/clock.ts';
import type { SuspensionFacts } from '../platform/suspension-facts.ts';
import type { DispatchStore } from './dispatch-store.ts';

export interface SponsorWatchOptions {
  store: DispatchStore;
  clock: Clock;
  everyMs: number;
  /** Asks the engine's store; rejects when that cannot be asked. */
  read: () => Promise<SuspensionFacts>;
  /** Called when the suspended sponsors are other ones than before. */
  onChanged: () => Promise<void>;
  /** Called after every look: with what went wrong, or null. */
  onLooked: (problem: string | null) => void;
}

/**
 * Looks at intervals who is suspended. What was read last is kept: it counts while the store cannot be asked, also over a
 * restart. Inert until `start`.
 */
export class SponsorWatch {
  readonly #options: SponsorWatchOptions;
  #disarm: (() => void) | null = null;
  #looking: Promise<void> = Promise.resolve();

  constructor(options: SponsorWatchOptions) {
    this.#options = options;
  }

  /** Rejects when the store cannot be asked and never was: then nobody knows who is suspended. */
  async start(): Promise<void> {
    const { store, onLooked } = this.#options;
    try {
      await this.look();
      onLooked(null);
    } catch (error) {
      if (store.fact('suspendedSponsors') === undefined) throw error;
      onLooked((error as Error).message);
    }
    this.#arm();
  }

  async stop(): Promise<void> {
    this.#disarm?.();
    this.#disarm = null;
    await this.#looking;
  }

  async look(): Promise<void> {
    const { store, read, onChanged } = this.#options;
    const { sponsorIds } = await read();
    const suspended = [...sponsorIds].sort();
    const before = store.fact('suspendedSponsors');
    if (before?.join('\n') === suspended.join('\n')) return;
    await store.transaction(() => store.putFact('suspendedSponsors', suspended));
    if (before !== undefined || suspended.length > 0) await onChanged();
  }

  #arm(): void {
    const { clock, everyMs, onLooked } = this.#options;
    this.#disarm = clock.after(everyMs, () => {
      this.#looking = this.look().then(
        () => onLooked(null),
        (error) => onLooked((error as Error).message),
      );
      void this.#looking.then(() => {
        if (this.#disarm !== null) this.#arm();
      });
    });
  }
}
