import type { Journal, QuotaPublisher } from '../journal/journal.ts';
import type { Clock } from '../platform/clock.ts';
import { isFenced } from '../platform/fenced.ts';
import type { Health } from '../platform/http/health.ts';

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

/** A fence is an answer: the store works. */
const isProblem = (error: unknown) => !isFenced(error);

/** The journal, reporting its calls to `health`, and to `outage` when they begin to fail and when they work again. */
export function watchedJournal(journal: Journal, health: Health, outage?: StoreOutage): Journal {
  const watchAs =
    (kind: CallKind) =>
    <T>(call: () => Promise<T>) =>
      health.watch('store', outage === undefined ? call : () => outage.watch(kind, call), isProblem);
  const watch = watchAs('read');
  return {
    insert: (block, deadTokens) => watchAs('insert')(() => journal.insert(block, deadTokens)),
    digestAt: (lane, laneSequence) => watch(() => journal.digestAt(lane, laneSequence)),
    head: (lane) => watch(() => journal.head(lane)),
    cursor: (log) => watch(() => journal.cursor(log)),
    counters: (lane, fromDay, toDay) => journal.counters(lane, fromDay, toDay),
    seen: (lane, fromOrdinal, toOrdinal) => journal.seen(lane, fromOrdinal, toOrdinal),
    seenByEarlier: (lane, topic, beforeSequence) => journal.seenByEarlier(lane, topic, beforeSequence),
    moves: (lane, after, through) => watch(() => journal.moves(lane, after, through)),
    facts: () => watch(() => journal.facts()),
    keepCatalogue: (catalogue) => watch(() => journal.keepCatalogue(catalogue)),
  };
}

/** The publisher, reporting its calls to `health`. */
export function watchedPublisher(publisher: QuotaPublisher, health: Health): QuotaPublisher {
  const watch = <T>(call: () => Promise<T>, signal?: AbortSignal) =>
    health.watch('quota updates', call, (error) => isProblem(error) && signal?.aborted !== true);
  return {
    start: () => watch(() => publisher.start()),
    claim: (lane, signal) => watch(() => publisher.claim(lane, signal), signal),
    publish: (lane, updates) => watch(() => publisher.publish(lane, updates)),
    stop: () => publisher.stop(),
  };
}
