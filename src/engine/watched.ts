import type { Journal } from '../journal/journal.ts';
import { isFenced } from '../platform/fenced.ts';
import type { Health } from '../platform/health.ts';
import type { QuotaPublisher } from '../quota-updates/quota-publisher.ts';
import type { CallKind, StoreOutage } from './store-outage.ts';

/** A fence is an answer: whoever gives it works. */
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
    moves: (lane, laneSequence) => watch(() => journal.moves(lane, laneSequence)),
    facts: () => watch(() => journal.facts()),
    keepCatalogue: (catalogue) => watch(() => journal.keepCatalogue(catalogue)),
  };
}

/** The publisher, telling of its calls to `health`. */
export function watchedPublisher(publisher: QuotaPublisher, health: Health): QuotaPublisher {
  const watch = <T>(call: () => Promise<T>) => health.watch('quota updates', call, isProblem);
  return {
    start: () => watch(() => publisher.start()),
    claim: (lane) => watch(() => publisher.claim(lane)),
    publish: (lane, updates) => watch(() => publisher.publish(lane, updates)),
    stop: () => publisher.stop(),
  };
}
