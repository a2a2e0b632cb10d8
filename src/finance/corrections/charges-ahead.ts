import type { BatchRow } from '../../journal/evidence/evidence.ts';
import type { Store } from '../../platform/clickhouse/store.ts';
import type { SubscriberTable } from '../../rating/subscribers.ts';
import { CurrentCharges } from './current-charges.ts';
import { readCurrentCharges } from './read-current-charges.ts';
import type { PeriodRange } from './rerate-lane.ts';

/** Most records that are read at once: a query for each batch would take hours. */
const AHEAD_RECORDS = 20_000;
const NO_APPLICATIONS = new Map<string, number>();

/** The current charges of all sponsors in the batches of one lane, read several batches at a time. */
export class ChargesAhead {
  readonly #store: Store;
  readonly #range: PeriodRange;
  readonly #subscribers: SubscriberTable;
  #charges: CurrentCharges;
  #batches: ReadonlySet<BatchRow> = new Set();

  /** `sharing`: rows whose codes mean the same. */
  constructor(store: Store, range: PeriodRange, subscribers: SubscriberTable, sharing: CurrentCharges) {
    this.#store = store;
    this.#range = range;
    this.#subscribers = subscribers;
    this.#charges = new CurrentCharges(1, sharing);
  }

  /** Returns the charges of a batch, among those of others of its log. `next`: the batches that come after it in the lane. */
  async of(batch: BatchRow, next: Iterable<BatchRow>): Promise<CurrentCharges> {
    if (this.#batches.has(batch)) return this.#charges;
    const ahead = [batch];
    let records = batch.numbers.records_read;
    for (const later of next) {
      records += later.numbers.records_read;
      if (later.topic !== batch.topic || later.partition !== batch.partition || records > AHEAD_RECORDS) break;
      ahead.push(later);
    }
    const capacity = ahead.reduce((sum, { numbers }) => sum + numbers.records_read, 0);
    if (capacity > this.#charges.records.capacity) this.#charges = new CurrentCharges(capacity, this.#charges);
    const { lane, topic, partition, numbers } = batch;
    const last = ahead[ahead.length - 1];
    const span = { lane, topic, partition, firstOffset: numbers.first_offset, lastOffset: last.lastOffset };
    const readFor = { applicationIndex: NO_APPLICATIONS, subscribers: this.#subscribers };
    await readCurrentCharges(
      this.#store,
      { charged: 'true', range: this.#range, isOfAnyTime: true },
      span,
      readFor,
      this.#charges,
    );
    this.#batches = new Set(ahead);
    return this.#charges;
  }
}
