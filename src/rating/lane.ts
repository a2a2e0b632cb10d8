import { PlanPeriods } from './catalogue/plan-periods.ts';
import { Names } from './classify/names.ts';
import { DuplicateWindow } from './duplicate-window.ts';
import { CounterTable } from './quota/counter-table.ts';
import { rewrittenName } from './record/topic-partition.ts';
import type { RestoredCounters, RestoredIdentities } from './restored-columns.ts';
import { PSEUDONYM_WORDS, type PseudonymKey } from './subscriber/pseudonym.ts';
import { SubscriberTable } from './subscriber/subscriber-table.ts';

/**
 * All that rating remembers from record to record: the open counters, the identities seen, and the small integers that
 * are used for subscribers and nodes. It is a copy of what the journal holds, and can be thrown away at any time.
 */
export class Lane {
  readonly subscribers: SubscriberTable;
  readonly nodes = new Names();
  readonly planPeriods = new PlanPeriods();
  readonly counters = new CounterTable();
  readonly duplicates: DuplicateWindow;
  /** Identities of the earlier generations of the rewritten file that is read now; null for any other log. */
  earlier: DuplicateWindow | null = null;
  #earlierTopic = '';
  /** Records read in this lane up to the end of the last batch. */
  position = 0;

  constructor(options: { pseudonymKey: PseudonymKey; duplicateWindowRecords: number }) {
    this.subscribers = new SubscriberTable((msisdn) => options.pseudonymKey.pseudonymOf(msisdn));
    this.duplicates = new DuplicateWindow(options.duplicateWindowRecords);
  }

  async restoreCounters(chunks: AsyncIterable<RestoredCounters>): Promise<void> {
    const [knownCounters, knownSubscribers] = [this.counters.count, this.subscribers.count];
    for await (const chunk of chunks) {
      const { count, subscriber, plan, planIds, periodStart, usedOctets, carry, about } = chunk;
      this.counters.reserve(knownCounters + about.counters);
      this.subscribers.reserve(knownSubscribers + about.subscribers);
      for (let at = 0; at < count; at++) {
        const planPeriod = this.planPeriods.numberOf(planIds[plan[at]], periodStart[at]);
        const counter = this.counters.open(
          this.subscribers.ofPseudonymWords(subscriber, at * PSEUDONYM_WORDS),
          planPeriod,
        );
        this.counters.set(counter, usedOctets[at], carry[at]);
      }
    }
  }

  /** Before records of a log: reads the identities of the earlier generations of a rewritten file. */
  async recallEarlier(topic: string, read: () => AsyncIterable<RestoredIdentities>): Promise<void> {
    if (topic === this.#earlierTopic) return;
    this.earlier = rewrittenName(topic) === null ? null : await this.#identitiesOf(read());
    this.#earlierTopic = topic;
  }

  async #identitiesOf(chunks: AsyncIterable<RestoredIdentities>): Promise<DuplicateWindow> {
    const all: RestoredIdentities[] = [];
    for await (const chunk of chunks) all.push(chunk);
    const known = new DuplicateWindow(
      Math.max(
        1,
        all.reduce((sum, { count }) => sum + count, 0),
      ),
    );
    let ordinal = 0;
    for (const { count, node, nodeIds, sequence, fingerprint } of all) {
      for (let at = 0; at < count; at++) {
        known.see(ordinal++, this.nodes.numberOf(nodeIds[node[at]]), sequence[at], fingerprint[at]);
      }
    }
    return known;
  }

  /** In the order in which they were read, those of ordinals from `fromOrdinal` to the lane's position. */
  async restoreIdentities(chunks: AsyncIterable<RestoredIdentities>, fromOrdinal: number): Promise<void> {
    this.duplicates.reserve(fromOrdinal, this.position);
    for await (const { count, ordinal, node, nodeIds, sequence, fingerprint } of chunks) {
      for (let at = 0; at < count; at++) {
        this.duplicates.see(ordinal[at], this.nodes.numberOf(nodeIds[node[at]]), sequence[at], fingerprint[at]);
      }
    }
  }
}
