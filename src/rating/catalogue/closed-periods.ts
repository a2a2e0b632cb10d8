import { type Plan, periodEndMs } from '../catalogue.ts';

const DAY_MS = 86_400_000;
const DAYS_OF_WEEK = 7;
/** Day 0, 1970-01-01, was a Thursday: three days after a Monday. */
const DAY_0_OF_WEEK = 3;

/** The last month of a sponsor that finance has closed. Months of a sponsor are closed in order. */
export interface LastClosing {
  /** Its first day, days since 1970-01-01. */
  month: number;
  /** A period that was not over at this instant stays open. Milliseconds since 1970-01-01T00:00Z; Infinity: none stays open. */
  endedByMs: number;
}

const monthStarts = new Map<number, number>();

/**
 * First day of the month that a period belongs to, by the period's first day: the month that it begins in, on the plan's
 * calendar. Both are days since 1970-01-01.
 */
export function monthOfPeriod(periodStart: number): number {
  let start = monthStarts.get(periodStart);
  if (start === undefined) {
    const date = new Date(periodStart * DAY_MS);
    start = Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), 1) / DAY_MS;
    monthStarts.set(periodStart, start);
  }
  return start;
}

/** First day of the month after the one that begins on `month`. */
export function monthAfterDay(month: number): number {
  const date = new Date(month * DAY_MS);
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1) / DAY_MS;
}

type PlanTime = Pick<Plan, 'period' | 'timeZone' | 'effectiveFromMs' | 'effectiveToMs'>;

/**
 * Is a period closed to a plan's records? It is when finance has closed the month that it belongs to, and the period was over
 * by then, in the plan's time zone. What decides whether a month may be closed (`monthOverMs`) uses the same end of a period.
 */
export function isPeriodClosed(plan: PlanTime, periodStart: number, last: LastClosing | undefined): boolean {
  if (last === undefined || monthOfPeriod(periodStart) > last.month) return false;
  return last.endedByMs === Number.POSITIVE_INFINITY || periodOverMs(plan, periodStart) <= last.endedByMs;
}

/**
 * First instant at which a plan's month is over: the month itself and every period of the plan that begins in it. Null where
 * the plan is not in force in any of them. `month`: first day of the month, days since 1970-01-01.
 */
export function monthOverMs(plan: PlanTime, month: number): number | null {
  const lastStart = lastPeriodStart(plan, month);
  const beginsMs = month === 0 ? 0 : periodEndMs(month - 1, 'day', plan.timeZone);
  if (plan.effectiveToMs <= beginsMs) return null;
  if (plan.effectiveFromMs >= periodEndMs(lastStart, plan.period, plan.timeZone)) return null;
  return Math.max(periodEndMs(month, 'month', plan.timeZone), periodOverMs(plan, lastStart));
}

/** First day of the plan's last period that begins in a month. */
export function lastPeriodStart({ period }: Pick<Plan, 'period'>, month: number): number {
  const lastDay = monthAfterDay(month) - 1;
  return { day: lastDay, week: lastDay - ((lastDay + DAY_0_OF_WEEK) % DAYS_OF_WEEK), month }[period];
}

/** First instant at which no record of a plan can begin in a period: its end, or that of the plan. */
function periodOverMs({ period, timeZone, effectiveToMs }: PlanTime, periodStart: number): number {
  return Math.min(periodEndMs(periodStart, period, timeZone), effectiveToMs);
}
