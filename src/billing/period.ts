import { DateTime } from 'luxon';
import type { StatisticsPeriod } from './catalogue.ts';

const QUARTER_HOUR_MS = 15 * 60 * 1000;
const DAY_MS = 24 * 60 * 60 * 1000;

/** First day of the period that holds an instant: days since 1970-01-01, of the local calendar. Weeks begin on Monday (ISO 8601). */
export function periodStartDay(timeMs: number, period: StatisticsPeriod, timeZone: string): number {
  const start = DateTime.fromMillis(timeMs, { zone: timeZone }).startOf(period);
  // The first week of 1970 begins in 1969: a Date cannot say so, and it is the epoch's week all the same.
  return Math.max(0, Date.UTC(start.year, start.month - 1, start.day) / DAY_MS);
}

/**
 * The same, remembered: clocks change at quarters of an hour in every time zone since 1972, so one answer holds for all
 * instants of a quarter.
 */
export class PeriodCalendar {
  readonly #period: StatisticsPeriod;
  readonly #timeZone: string;
  readonly #dayOfQuarter = new Map<number, number>();

  constructor(period: StatisticsPeriod, timeZone: string) {
    this.#period = period;
    this.#timeZone = timeZone;
  }

  startDay(timeMs: number): number {
    const quarter = Math.floor(timeMs / QUARTER_HOUR_MS);
    const known = this.#dayOfQuarter.get(quarter);
    if (known !== undefined) return known;
    // Ten years of quarters; a stream of absurd times cannot fill the memory.
    if (this.#dayOfQuarter.size > 350_000) this.#dayOfQuarter.clear();
    const day = periodStartDay(timeMs, this.#period, this.#timeZone);
    this.#dayOfQuarter.set(quarter, day);
    return day;
  }
}
