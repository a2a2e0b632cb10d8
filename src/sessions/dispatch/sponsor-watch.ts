import type { SuspensionFacts } from '../../platform/clickhouse/suspension-facts.ts';
import type { Clock } from '../../platform/clock.ts';
import type { DispatchStore } from './dispatch-store.ts';

export interface SponsorWatchOptions {
  store: DispatchStore;
  clock: Clock;
  intervalMs: number;
  /** Asks the engine's store; rejects when that cannot be asked. */
  read: () => Promise<SuspensionFacts>;
  /** Called when the suspended sponsors are other ones than before. */
  onChanged: () => Promise<void>;
  /** Called after every look: with what went wrong, or null. */
  onLooked: (problem: string | null) => void;
}

/** How often a store is asked that has never answered. */
const WAITING_MS = 1000;

/**
 * Looks at intervals who is suspended. What was read last is kept: it counts while the store cannot be asked, also over a
 * restart. Inert until `start`.
 */
export class SponsorWatch {
  readonly #options: SponsorWatchOptions;
  #isStopped = false;
  #disarm: (() => void) | null = null;
  #looking: Promise<void> = Promise.resolve();

  constructor(options: SponsorWatchOptions) {
    this.#options = options;
  }

  /** Resolves after the first look, whether the store could be asked or not. */
  async start(): Promise<void> {
    this.#looking = this.#checkAndNotify();
    await this.#looking;
    if (!this.#isStopped) this.#arm();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
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

  #checkAndNotify(): Promise<void> {
    const { onLooked } = this.#options;
    return this.look().then(
      () => onLooked(null),
      (error) => onLooked((error as Error).message),
    );
  }

  #arm(): void {
    const { store, clock, intervalMs } = this.#options;
    const isKnown = store.fact('suspendedSponsors') !== undefined;
    this.#disarm = clock.after(isKnown ? intervalMs : Math.min(intervalMs, WAITING_MS), () => {
      this.#looking = this.#checkAndNotify();
      void this.#looking.then(() => {
        if (this.#disarm !== null) this.#arm();
      });
    });
  }
}
