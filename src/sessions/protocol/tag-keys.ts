import type { KeyObject } from 'node:crypto';
import type { Clock } from '../../platform/clock.ts';
import { type KeyLookup, sessionTagKeys } from './session-tag.ts';

/** An unknown key makes the keys be fetched again, once in so long however many tags name one. */
const ASK_AGAIN_MS = 5000;
const REFRESH_MS = 300_000;
/** Keys that could not be refreshed for so long verify nothing any more. */
const STALE_AFTER_MS = 3_600_000;

export interface TagKeysOptions {
  /** Returns the dispatch server's JWK set. Rejects when it cannot be fetched. */
  fetch: () => Promise<unknown>;
  clock: Clock;
  /** Called when a fetch fails. */
  onFailure: (error: Error) => void;
}

/** The dispatch server's public keys, as a verifier of session tags keeps them. Inert until `start`. */
export class TagKeys {
  readonly #options: TagKeysOptions;
  #keys: ReadonlyMap<string, KeyObject> = new Map();
  #fetchedAtMs = Number.NEGATIVE_INFINITY;
  #askedAtMs = Number.NEGATIVE_INFINITY;
  #asking: Promise<void> | null = null;
  #isReachable = false;
  #disarm: () => void = () => {};
  #isStopped = false;

  constructor(options: TagKeysOptions) {
    this.#options = options;
  }

  /** Whether the last fetch succeeded. */
  get areReachable(): boolean {
    return this.#isReachable;
  }

  /** Resolves after the first attempt to fetch the keys, whether it succeeds or not. */
  async start(): Promise<void> {
    await this.#refresh();
  }

  stop(): void {
    this.#isStopped = true;
    this.#disarm();
  }

  /** Returns the key at once when it is known; else asks the dispatch server, once in ASK_AGAIN_MS. */
  readonly find = (keyHint: string): KeyLookup | Promise<KeyLookup> => {
    const known = this.#known(keyHint);
    if (typeof known !== 'string') return known;
    const isTooSoon = this.#options.clock.monotonicMs() - this.#askedAtMs < ASK_AGAIN_MS;
    if (this.#asking === null && isTooSoon) return known;
    return this.#ask().then(() => this.#known(keyHint));
  };

  #known(keyHint: string): KeyLookup {
    const isStale = this.#options.clock.monotonicMs() - this.#fetchedAtMs > STALE_AFTER_MS;
    if (isStale) return 'unreachable';
    return this.#keys.get(keyHint) ?? (this.#isReachable ? 'unknown' : 'unreachable');
  }

  async #refresh(): Promise<void> {
    await this.#ask();
    if (this.#isStopped) return;
    this.#disarm = this.#options.clock.after(this.#isReachable ? REFRESH_MS : ASK_AGAIN_MS, () => void this.#refresh());
  }

  #ask(): Promise<void> {
    this.#asking ??= this.#fetch().finally(() => {
      this.#asking = null;
    });
    return this.#asking;
  }

  async #fetch(): Promise<void> {
    const { fetch, clock, onFailure } = this.#options;
    this.#askedAtMs = clock.monotonicMs();
    try {
      this.#keys = sessionTagKeys(await fetch());
      this.#fetchedAtMs = clock.monotonicMs();
      this.#isReachable = true;
    } catch (error) {
      this.#isReachable = false;
      onFailure(error as Error);
    }
  }
}
