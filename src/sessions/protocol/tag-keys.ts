import type { KeyObject } from 'node:crypto';
import type { Clock } from '../../platform/clock.ts';
import { type KeyLookup, sessionTagKeys } from './session-tag.ts';

/** An unknown key makes the keys be fetched again, once in so long however many tags name one. */
const ASK_AGAIN_MS = 5000;
/** After a fetch that failed; doubled with each further one, up to ASK_AGAIN_MS. */
const RETRY_MS = 250;
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
  #failures = 0;
  #isReachable = false;
  /** What continues after the next fetch. */
  #waiting: (() => void)[] = [];
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
    await this.#ask();
  }

  /** What waits for a key gets its answer after one last fetch. */
  stop(): void {
    this.#isStopped = true;
    this.#disarm();
    if (this.#waiting.length > 0) void this.#ask();
  }

  /**
   * Returns the key at once when it is known. Else resolves after the next fetch, which is at most ASK_AGAIN_MS away: that the last one
   * was a moment ago does not decide that the dispatch server has no such key.
   */
  readonly find = (keyHint: string): KeyLookup | Promise<KeyLookup> => {
    const known = this.#known(keyHint);
    if (typeof known !== 'string' || (this.#isStopped && this.#asking === null)) return known;
    if (this.#asking === null && this.#waiting.length === 0) this.#askWhenDue();
    return new Promise((resolve) => {
      this.#waiting.push(() => resolve(this.#known(keyHint)));
    });
  };

  #known(keyHint: string): KeyLookup {
    const isStale = this.#options.clock.monotonicMs() - this.#fetchedAtMs > STALE_AFTER_MS;
    if (isStale) return 'unreachable';
    return this.#keys.get(keyHint) ?? (this.#isReachable ? 'unknown' : 'unreachable');
  }

  #askWhenDue(): void {
    const dueInMs = this.#askedAtMs + this.#pauseMs() - this.#options.clock.monotonicMs();
    if (dueInMs > 0) this.#askIn(dueInMs);
    else void this.#ask();
  }

  #pauseMs(): number {
    return this.#failures === 0 ? ASK_AGAIN_MS : Math.min(ASK_AGAIN_MS, RETRY_MS * 2 ** (this.#failures - 1));
  }

  #askIn(ms: number): void {
    this.#disarm();
    this.#disarm = this.#options.clock.after(ms, () => void this.#ask());
  }

  #ask(): Promise<void> {
    this.#asking ??= this.#fetch().finally(() => {
      this.#asking = null;
      if (!this.#isStopped) this.#askIn(this.#isReachable ? REFRESH_MS : this.#pauseMs());
      for (const proceed of this.#waiting.splice(0)) proceed();
    });
    return this.#asking;
  }

  async #fetch(): Promise<void> {
    const { fetch, clock, onFailure } = this.#options;
    this.#disarm();
    this.#askedAtMs = clock.monotonicMs();
    try {
      this.#keys = sessionTagKeys(await fetch());
      this.#fetchedAtMs = clock.monotonicMs();
      this.#isReachable = true;
      this.#failures = 0;
    } catch (error) {
      this.#isReachable = false;
      this.#failures++;
      onFailure(error as Error);
    }
  }
}
