import type { KeyObject } from 'node:crypto';
import { KeyRefresh, type KeyRefreshOptions } from './key-refresh.ts';
import { type KeyLookup, sessionTagKeys } from './session-tag.ts';

/** Keys that could not be refreshed for so long verify nothing any more. */
const STALE_AFTER_MS = 3_600_000;

export interface TagKeysOptions extends Pick<KeyRefreshOptions, 'clock' | 'onFailure'> {
  /** Returns the dispatch server's JWK set. Rejects when it cannot be fetched. */
  fetch: () => Promise<unknown>;
}

/** The dispatch server's public keys, as a verifier of session tags keeps them. Inert until `start`. */
export class TagKeys {
  readonly #options: TagKeysOptions;
  readonly #refresh: KeyRefresh;
  #keys: ReadonlyMap<string, KeyObject> = new Map();
  #fetchedAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: TagKeysOptions) {
    this.#options = options;
    this.#refresh = new KeyRefresh({ ...options, fetch: () => this.#fetch() });
  }

  /** Whether the last fetch succeeded. */
  get areReachable(): boolean {
    return this.#refresh.isReachable;
  }

  /** Resolves after the first attempt to fetch the keys, whether it succeeds or not. */
  start(): Promise<void> {
    return this.#refresh.start();
  }

  /** What waits for a key gets its answer after one last fetch. */
  stop(): void {
    this.#refresh.stop();
  }

  /** Returns the key at once when it is known. Else resolves after the next fetch. */
  readonly find = (keyHint: string): KeyLookup | Promise<KeyLookup> => {
    const known = this.#known(keyHint);
    return typeof known === 'string' ? this.#refresh.next().then(() => this.#known(keyHint)) : known;
  };

  #known(keyHint: string): KeyLookup {
    const isStale = this.#options.clock.monotonicMs() - this.#fetchedAtMs > STALE_AFTER_MS;
    if (isStale) return 'unreachable';
    return this.#keys.get(keyHint) ?? (this.#refresh.isReachable ? 'unknown' : 'unreachable');
  }

  async #fetch(): Promise<void> {
    this.#keys = sessionTagKeys(await this.#options.fetch());
    this.#fetchedAtMs = this.#options.clock.monotonicMs();
  }
}
