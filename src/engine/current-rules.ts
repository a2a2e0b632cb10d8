import type { Catalogue } from '../billing/catalogue.ts';
import { Evidence } from '../billing/classify.ts';
import { type Facts, NO_FACTS, Rules } from '../billing/rules.ts';
import type { WordMaps } from '../billing/word-maps.ts';
import type { Journal } from '../journal/journal.ts';
import type { Clock } from '../platform/clock.ts';

/** How old the engine's look at suspensions and closings may be: it bounds what a suspended sponsor still pays for. */
export const FACTS_MAX_AGE_MS = 1000;

/** The rules that the next batch is rated with, whichever lane it is of: the catalogue of now, and the facts of just now. */
export class CurrentRules {
  readonly #journal: Pick<Journal, 'facts' | 'keepCatalogue'>;
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  #rules: Rules;
  #facts: Facts = NO_FACTS;
  #factsAtMs = Number.NEGATIVE_INFINITY;
  /** A look that is under way: whoever asks meanwhile waits for it too. */
  #looking: Promise<void> | null = null;

  constructor(
    catalogue: Catalogue,
    journal: Pick<Journal, 'facts' | 'keepCatalogue'>,
    clock: Pick<Clock, 'monotonicMs'>,
  ) {
    this.#rules = new Rules(catalogue);
    this.#journal = journal;
    this.#clock = clock;
  }

  get catalogue(): Catalogue {
    return this.#rules.catalogue;
  }

  async now(): Promise<Rules> {
    if (this.#clock.monotonicMs() - this.#factsAtMs > FACTS_MAX_AGE_MS) {
      this.#looking ??= this.#look().finally(() => {
        this.#looking = null;
      });
      await this.#looking;
    }
    return this.#rules;
  }

  /**
   * Keeps the catalogue in the store; the next batches are rated with it. `prefixMaps`: the catalogue's. Rejects with a
   * StoreError.
   */
  async take(catalogue: Catalogue, prefixMaps: WordMaps): Promise<void> {
    await this.#journal.keepCatalogue(catalogue);
    this.#rules = new Rules(catalogue, this.#facts, { evidence: new Evidence(catalogue, prefixMaps) });
  }

  async #look(): Promise<void> {
    const askedAtMs = this.#clock.monotonicMs();
    this.#facts = await this.#journal.facts();
    this.#factsAtMs = askedAtMs;
    this.#rules = this.#rules.with(this.#facts);
  }
}
