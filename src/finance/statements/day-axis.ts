import { dayText } from '../calendar-day.ts';
import { endOfMonthMs, type Month, startOfMonthMs } from '../month.ts';

const DAY_MS = 86_400_000;

/** Sums by day along the days of a month: those on the axis, and those of other months. */
export interface DayAxis<T> {
  /** Every day of the month, those without usage too. */
  days: readonly { day: string; usage: T | null }[];
  /** Days of other months: of periods that reach over the month's end, or of records that came too early for it. */
  others: readonly T[];
}

/** Returns sums by day, laid out on the days of `month`. */
export function dayAxis<T extends { day: string }>(byDay: readonly T[], month: Month): DayAxis<T> {
  const known = new Map(byDay.map((usage) => [usage.day, usage]));
  return {
    days: daysOf(month).map((day) => ({ day, usage: known.get(day) ?? null })),
    others: byDay.filter(({ day }) => !day.startsWith(month)),
  };
}

/** Returns the days of a month, as `2026-10-01`. */
export function daysOf(month: Month): string[] {
  const first = startOfMonthMs(month) / DAY_MS;
  return Array.from({ length: endOfMonthMs(month) / DAY_MS - first }, (_, at) => dayText(first + at));
}
