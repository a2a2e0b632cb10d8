import type { Clock } from '../platform/clock.ts';
import { isFenced } from '../platform/fenced.ts';

/** Reads may work while inserts fail: on a full disk. */
export type CallKind = 'insert' | 'read';

export interface OutageLog {
  warn(fields: object, message: string): void;
  info(fields: object, message: string): void;
}

/** Logs one line when the store begins to fail in a way that may pass, at once, and one when it works again. */
export class StoreOutage {
  readonly #logger: OutageLog;
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #sinceMs = new Map<CallKind, number>();

  constructor(logger: OutageLog, clock: Pick<Clock, 'monotonicMs'>) {
    this.#logger = logger;
    this.#clock = clock;
  }

  async watch<T>(kind: CallKind, call: () => Promise<T>): Promise<T> {
    try {
      const answer = await call();
      this.#works(kind);
      return answer;
    } catch (error) {
      if (isFenced(error)) this.#works(kind);
      else this.#fails(kind, error);
      throw error;
    }
  }

  #fails(kind: CallKind, error: unknown): void {
    // What cannot pass ends the run, which says why.
    if ((error as { canRetry?: boolean }).canRetry !== true || this.#sinceMs.has(kind)) return;
    this.#sinceMs.set(kind, this.#clock.monotonicMs());
    const what = kind === 'insert' ? 'the store does not take a batch' : 'the store does not answer';
    this.#logger.warn({ err: error }, `${what}; retrying until it does`);
  }

  #works(kind: CallKind): void {
    const sinceMs = this.#sinceMs.get(kind);
    if (sinceMs === undefined) return;
    this.#sinceMs.delete(kind);
    const outageMs = Math.round(this.#clock.monotonicMs() - sinceMs);
    this.#logger.info({ outageMs }, kind === 'insert' ? 'the store takes batches again' : 'the store answers again');
  }
}
