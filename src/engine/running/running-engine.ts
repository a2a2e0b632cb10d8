import type { Catalogue } from '../../rating/catalogue.ts';
import type { WordMaps } from '../../rating/word-maps.ts';
import type { Engine } from '../engine.ts';

/** The engine of now, and the catalogue that it and those after it work with. */
export class RunningEngine {
  #engine: Engine | null = null;
  #catalogue: Catalogue;

  constructor(catalogue: Catalogue) {
    this.#catalogue = catalogue;
  }

  begin(makeEngine: (catalogue: Catalogue) => Engine): Engine {
    this.#engine = makeEngine(this.#catalogue);
    return this.#engine;
  }

  /** Resolves when the engine of now has it, also when that is another one than at the call. Rejects with a StoreError. */
  async take(catalogue: Catalogue, prefixMaps: WordMaps): Promise<void> {
    for (let engine: Engine | null = null; engine !== this.#engine; ) {
      engine = this.#engine;
      await engine?.take(catalogue, prefixMaps);
    }
    this.#catalogue = catalogue;
  }
}
