import { type Catalogue, type FurtherQuota, PeriodCalendar } from './catalogue.ts';
import type { FlowBatch } from './flow-record.ts';
import type { Lane } from './lane.ts';

/** A further quota, made ready for counting. */
interface ReadyQuota extends FurtherQuota {
  /** Index into the catalogue's further quotas. */
  index: number;
  calendar: PeriodCalendar;
}

/** The further quotas of a catalogue by plan, made ready for counting. */
export class QuotaBook {
  readonly #ofPlans: readonly (readonly ReadyQuota[])[];

  constructor({ plans, furtherQuotas }: Pick<Catalogue, 'plans' | 'furtherQuotas'>) {
    const calendars = new Map<string, PeriodCalendar>();
    const ready = furtherQuotas.map((quota, index): ReadyQuota => {
      const key = `${quota.period} ${quota.timeZone}`;
      const calendar = calendars.get(key) ?? new PeriodCalendar(quota.period, quota.timeZone);
      calendars.set(key, calendar);
      return { ...quota, index, calendar };
    });
    this.#ofPlans = plans.map((plan) => plan.furtherQuotas.map((index) => ready[index]));
  }

  /** Returns the quotas that count a record of a plan, by the record's start. */
  countedBy(plan: number, timeMs: number): readonly ReadyQuota[] {
    const quotas = this.#ofPlans[plan];
    const isInForce = ({ effectiveFromMs, effectiveToMs }: ReadyQuota) =>
      timeMs >= effectiveFromMs && timeMs < effectiveToMs;
    return quotas.every(isInForce) ? quotas : quotas.filter(isInForce);
  }
}

/** The quotas that count one record, with their counters. */
interface CountedRecord {
  quotas: readonly ReadyQuota[];
  counters: number[];
}

/**
 * Counts a batch's records in the further quotas of their plans, beside the plans' own counters. A further quota's counter holds
 * what was sponsored of all that count in it, and no carry: the share's belongs to the plan.
 */
export class QuotaCounting {
  readonly #book: QuotaBook;
  readonly #batch: FlowBatch;
  readonly #lane: Lane;
  readonly #current: CountedRecord = { quotas: [], counters: [] };

  constructor(book: QuotaBook, batch: FlowBatch, lane: Lane) {
    this.#book = book;
    this.#batch = batch;
    this.#lane = lane;
    batch.quotaMoves.clear();
  }

  /** Returns the octets that all further quotas leave a record; Infinity where none counts it. Not above 0: nothing. */
  left(row: number): number {
    const { plan, startTimeMs, subscriber } = this.#batch;
    const { counters, planPeriods } = this.#lane;
    const current = this.#current;
    current.quotas = this.#book.countedBy(plan[row], startTimeMs[row]);
    current.counters.length = 0;
    let left = Number.POSITIVE_INFINITY;
    for (const { id, quotaOctets, calendar } of current.quotas) {
      const period = planPeriods.numberOf(id, calendar.startDay(startTimeMs[row]));
      const counter = counters.open(subscriber[row], period);
      current.counters.push(counter);
      left = Math.min(left, quotaOctets - counters.usedOctets(counter));
    }
    return left;
  }

  /** Counts what was sponsored of the record that `left` was called for last. */
  count(row: number): void {
    const { counters, planPeriods } = this.#lane;
    const { sponsoredOctets, quotaMoves } = this.#batch;
    const { quotas, counters: opened } = this.#current;
    for (let at = 0; at < opened.length; at++) {
      const counter = opened[at];
      const usedOctets = counters.usedOctets(counter) + sponsoredOctets[row];
      counters.set(counter, usedOctets, 0);
      planPeriods.noteVersionFrom(counters.planPeriod(counter), quotas[at].effectiveFromMs);
      quotaMoves.note(counter, quotas[at].index, row, usedOctets);
    }
  }
}
