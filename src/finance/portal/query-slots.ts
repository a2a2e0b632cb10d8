import { exception } from '../../platform/clickhouse/clickhouse-exception.ts';
import { MAX_WAITING } from './query-limits.ts';

interface Waiting {
  start(): void;
}

/** Lets a number of queries run at once; further ones wait in order, and one too many is refused. */
export class QuerySlots {
  readonly #slots: number;
  readonly #waitTimeoutMs: number;
  readonly #waiting = new Set<Waiting>();
  #running = 0;

  constructor(slots: number, waitTimeoutMs: number) {
    this.#slots = slots;
    this.#waitTimeoutMs = waitTimeoutMs;
  }

  /** Resolves when a slot is free; it must be given back by `release`. Rejects with the reason of `signal`, or with ClickHouse's error 202. */
  async take(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#running < this.#slots) {
      this.#running++;
      return;
    }
    if (this.#waiting.size >= MAX_WAITING) throw this.#busy('the queue is full');
    await new Promise<void>((resolve, reject) => {
      const leave = (error: unknown) => {
        clearTimeout(timer);
        this.#waiting.delete(waiting);
        signal.removeEventListener('abort', aborted);
        if (error === undefined) resolve();
        else reject(error);
      };
      const aborted = () => leave(signal.reason);
      const waiting = { start: () => leave(undefined) };
      const timer = setTimeout(() => leave(this.#busy('it waited too long')), this.#waitTimeoutMs);
      signal.addEventListener('abort', aborted, { once: true });
      this.#waiting.add(waiting);
    });
  }

  /** Passes the slot to the query that has waited longest. */
  release(): void {
    const [next] = this.#waiting;
    if (next === undefined) this.#running--;
    else next.start();
  }

  #busy(why: string): Error {
    const state = `${this.#running} queries are running and ${this.#waiting.size} are waiting`;
    return exception(
      202,
      'TOO_MANY_SIMULTANEOUS_QUERIES',
      `Too many simultaneous queries: ${state}, and ${why}; retry later`,
    );
  }
}
