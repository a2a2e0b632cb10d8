import { type Catalogue, type FurtherQuota, PeriodCalendar } from './catalogue.ts';
import type { FlowBatch } from './flow-record.ts';
import type { Lane } from './lane.ts';

/** A further quota, made ready for counting. */
interface ReadyQuota extends FurtherQuota {
  /** Index into the catalogue's further quotas. */
  index: number;
  calendar: PeriodCalendar;
}

/** The further quotas of one plan. */
interface QuotasOfPlan {
  quotas: readonly ReadyQuota[];
  /** All of them are in force as long as the plan is. */
  isAlways: boolean;
}

/** The further quotas of a catalogue by plan, made ready for counting. */
export class QuotaBook {
  readonly #ofPlans: readonly QuotasOfPlan[];
  /** Whether any quota counts the use of accounts: batches then say whose account each record counts for. */
  readonly countsAccounts: boolean;

  constructor({ plans, furtherQuotas }: Pick<Catalogue, 'plans' | 'furtherQuotas'>) {
    this.countsAccounts = furtherQuotas.some(({ per }) => per === 'account');
    const calendars = new Map<string, PeriodCalendar>();
    const ready = furtherQuotas.map((quota, index): ReadyQuota => {
      const key = `${quota.period} ${quota.timeZone}`;
      const calendar = calendars.get(key) ?? new PeriodCalendar(quota.period, quota.timeZone);
      calendars.set(key, calendar);
      return { ...quota, index, calendar };
    });
    this.#ofPlans = plans.map((plan) => {
      const quotas = plan.furtherQuotas.map((index) => ready[index]);
      const isAlways = quotas.every(
        ({ effectiveFromMs, effectiveToMs }) =>
          effectiveFromMs <= plan.effectiveFromMs && effectiveToMs >= plan.effectiveToMs,
      );
      return { quotas, isAlways };
    });
  }

  /** Returns the quotas that count a record of a plan, by the record's start. */
  countedBy(plan: number, timeMs: number): readonly ReadyQuota[] {
    const { quotas, isAlways } = this.#ofPlans[plan];
    if (isAlways) return quotas;
    return quotas.filter(({ effectiveFromMs, effectiveToMs }) => timeMs >= effectiveFromMs && timeMs < effectiveToMs);
  }
}

/**
 * Counts a batch's records in the further quotas of their plans, beside the plans' own counters. A further quota's counter holds
 * what was sponsored of all that count in it, and no carry: the share's belongs to the plan.
 */
export class QuotaCounting {
  readonly #book: QuotaBook;
  readonly #batch: FlowBatch;
  readonly #lane: Lane;
  /** By further quota, the period before: nearly always it is the next one too. */
  readonly #periodStarts: number[] = [];
  readonly #periods: number[] = [];
  /** Of the record that `left` was called for last. */
  #quotas: readonly ReadyQuota[] = [];
  readonly #counters: number[] = [];

  constructor(book: QuotaBook, batch: FlowBatch, lane: Lane) {
    this.#book = book;
    this.#batch = batch;
    this.#lane = lane;
    batch.quotaMoves.clear();
  }

  /** Returns the octets that all further quotas leave a record; Infinity where none counts it. Not above 0: nothing. */
  left(row: number): number {
    const { plan, startTimeMs, subscriber, account } = this.#batch;
    const { counters } = this.#lane;
    const quotas = this.#book.countedBy(plan[row], startTimeMs[row]);
    this.#quotas = quotas;
    let left = Number.POSITIVE_INFINITY;
    for (let at = 0; at < quotas.length; at++) {
      const quota = quotas[at];
      const holder = quota.per === 'account' ? account[row] : subscriber[row];
      const counter = counters.open(holder, this.#periodOf(quota, startTimeMs[row]));
      this.#counters[at] = counter;
      left = Math.min(left, quota.quotaOctets - counters.usedOctets(counter));
    }
    return left;
  }

  /** Counts what was sponsored of the record that `left` was called for last. */
  count(row: number): void {
    const { counters } = this.#lane;
    const { sponsoredOctets, quotaMoves } = this.#batch;
    const quotas = this.#quotas;
    for (let at = 0; at < quotas.length; at++) {
      const counter = this.#counters[at];
      const usedOctets = counters.usedOctets(counter) + sponsoredOctets[row];
      counters.set(counter, usedOctets, 0);
      quotaMoves.note(counters, counter, quotas[at].index, row, usedOctets);
    }
  }

  /** Returns the number of the quota's period that holds an instant. */
  #periodOf(quota: ReadyQuota, timeMs: number): number {
    const { index, id, calendar, effectiveFromMs } = quota;
    const periodStart = calendar.startDay(timeMs);
    if (this.#periodStarts[index] !== periodStart) {
      const { planPeriods } = this.#lane;
      const period = planPeriods.numberOf(id, periodStart);
      planPeriods.noteVersionFrom(period, effectiveFromMs);
      this.#periodStarts[index] = periodStart;
      this.#periods[index] = period;
    }
    return this.#periods[index];
  }
}
