import { CounterTable } from './counter-table.ts';
import { DuplicateWindow } from './duplicate-window.ts';
import { Names } from './names.ts';
import { PlanPeriods } from './plan-periods.ts';
import { pseudonymOf } from './pseudonym.ts';
import { SubscriberTable } from './subscriber-table.ts';

export interface RestoredCounter {
  /** Pseudonym, 16 octets. */
  subscriber: Uint8Array;
  planId: string;
  /** First day of the statistics period, days since 1970-01-01. */
  periodStart: number;
  usedOctets: number;
  carry: number;
}

export interface RestoredIdentity {
  /** The record's ordinal in its lane. */
  ordinal: number;
  nodeId: string;
  sequence: number;
  fingerprint: number;
}

/**
 * All that rating remembers from record to record: the open counters, the identities seen, and the small integers that
 * stand for subscribers and nodes. It is a copy of what the journal holds, and can be thrown away at any time.
 */
export class Lane {
  readonly subscribers: SubscriberTable;
  readonly nodes = new Names();
  readonly planPeriods = new PlanPeriods();
  readonly counters = new CounterTable();
  readonly duplicates: DuplicateWindow;
  readonly pseudonymKey: Uint8Array;
  /** Records read in this lane up to the end of the last batch. */
  position = 0;

  constructor(options: { pseudonymKey: Uint8Array; duplicateWindowRecords: number }) {
    this.pseudonymKey = options.pseudonymKey;
    this.subscribers = new SubscriberTable((msisdn) => pseudonymOf(msisdn, options.pseudonymKey));
    this.duplicates = new DuplicateWindow(options.duplicateWindowRecords);
  }

  async restoreCounters(counters: AsyncIterable<RestoredCounter>): Promise<void> {
    for await (const { subscriber, planId, periodStart, usedOctets, carry } of counters) {
      const planPeriod = this.planPeriods.numberOf(planId, periodStart);
      const counter = this.counters.open(this.subscribers.ofPseudonym(subscriber), planPeriod);
      this.counters.set(counter, usedOctets, carry);
    }
  }

  /** In the order in which they were read. */
  async restoreIdentities(seen: AsyncIterable<RestoredIdentity>): Promise<void> {
    for await (const { ordinal, nodeId, sequence, fingerprint } of seen) {
      this.duplicates.see(ordinal, this.nodes.numberOf(nodeId), sequence, fingerprint);
    }
  }
}
