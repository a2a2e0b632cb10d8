import { CounterTable } from './counter-table.ts';
import { DuplicateWindow } from './duplicate-window.ts';
import { Names } from './names.ts';
import { PlanPeriods } from './plan-periods.ts';
import { pseudonymOf } from './pseudonym.ts';
import { SubscriberTable } from './subscriber-table.ts';

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
}
