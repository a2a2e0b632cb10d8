import type { Clock } from '../../platform/clock.ts';

/** An unknown key makes the keys be fetched again, once in so long however many tokens and tags name one. */
const ASK_AGAIN_MS = 5000;
/** After a fetch that failed; doubled with each further one, up to ASK_AGAIN_MS. */
const RETRY_MS = 250;
/** A key that the dispatch server no longer has is accepted for so long. */
const REFRESH_MS = 300_000;

export interface KeyRefreshOptions {
  /** Fetches the dispatch server's keys and takes them. Rejects when they cannot be fetched, or are no keys. */
  fetch: () => Promise<void>;
  clock: Clock;
  /** Called when a fetch fails. */
  onFailure: (error: Error) => void;
}

/** Fetches the dispatch server's public keys: at the start, from time to time, and for a key that is not known. Inert until `start`. */
export class KeyRefresh {
  readonly #options: KeyRefreshOptions;
  #askedAtMs = Number.NEGATIVE_INFINITY;
  #asking: Promise<void> | null = null;
  #failures = 0;
  #isReachable = false;
  /** What continues after the next fetch. */
  #waiting: (() => void)[] = [];
  #disarm: () => void = () => {};
  #isStopped = false;

  constructor(options: KeyRefreshOptions) {
    this.#options = options;
  }

  /** Whether the last fetch succeeded. */
  get isReachable(): boolean {
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
   * Resolves after the next fetch, at most ASK_AGAIN_MS from now: that the last one was a moment ago does not decide that the dispatch
   * server has no such key. Resolves at once after `stop`.
   */
  next(): Promise<void> {
    if (this.#isStopped && this.#asking === null) return Promise.resolve();
    if (this.#asking === null && this.#waiting.length === 0) this.#askWhenDue();
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
    });
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
      await fetch();
      this.#isReachable = true;
      this.#failures = 0;
    } catch (error) {
      this.#isReachable = false;
      this.#failures++;
      onFailure(error as Error);
    }
  }
}
