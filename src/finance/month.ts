/** A calendar month as `2026-11`. Months sort as texts do. */
export type Month = string;

const MONTH_TEXT = /^(19[7-9]\d|20\d\d|21[0-3]\d|214[0-8])-(0[1-9]|1[0-2])$/;
/** English, independent of the language and the version of the runtime. */
const MONTH_NAMES = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
];

/** Null unless the text is a month from 1970-01 to 2148-12: a ClickHouse Date ends in 2149. */
export function parseMonth(text: string): Month | null {
  return MONTH_TEXT.test(text) ? text : null;
}

export function monthAfter(month: Month): Month {
  return monthOf(endOfMonthMs(month));
}

export function monthBefore(month: Month): Month {
  return monthOf(startOfMonthMs(month) - 1);
}

/** Returns the month that holds an instant, in UTC. */
export function monthOf(timeMs: number): Month {
  return new Date(timeMs).toISOString().slice(0, 7);
}

/** Returns the first instant of the month, in UTC. */
export function startOfMonthMs(month: Month): number {
  return Date.parse(`${month}-01T00:00:00Z`);
}

/** Returns the first instant after the month, in UTC. */
export function endOfMonthMs(month: Month): number {
  const [year, number] = month.split('-').map(Number);
  return Date.UTC(year, number);
}

/** Returns `2026-10` as `October 2026`. */
export function monthName(month: Month): string {
  const [year, number] = month.split('-');
  return `${MONTH_NAMES[Number(number) - 1]} ${year}`;
}

/** Returns an instant's day in UTC: `5 October 2026`. */
export function dayName(timeMs: number): string {
  const date = new Date(timeMs);
  return `${date.getUTCDate()} ${monthName(monthOf(timeMs))}`;
}

/** Returns `1–31 October 2026`. */
export function daysOfMonth(month: Month): string {
  return `1–${dayName(endOfMonthMs(month) - 1)}`;
}

/** Returns the first day of the month, as ClickHouse writes a Date. */
export function dateLiteral(month: Month): string {
  return `toDate('${month}-01')`;
}
