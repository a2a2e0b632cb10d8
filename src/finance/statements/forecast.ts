import type { Month } from '../month.ts';
import { daysOf } from './day-axis.ts';

export interface Forecast {
  /** Charged for the month's days of use until now. */
  soFarMicros: bigint;
  /** Charge of the whole month, if its other days are like the complete ones. */
  wholeMicros: bigint;
  /** Days that it is computed from. */
  completeDays: number;
}

/**
 * Returns a month's charge at its end: the mean of its complete days times its days. The last day with usage is taken for
 * incomplete. Null for a month that is over on `today` (`2026-11-30`), and where no day is complete.
 */
export function forecastOf(
  byDay: readonly { day: string; chargeMicros: bigint }[],
  month: Month,
  today: string,
): Forecast | null {
  const days = daysOf(month);
  if (today > days[days.length - 1]) return null;
  const own = byDay.filter(({ day }) => day.startsWith(month)).sort((a, b) => (a.day < b.day ? -1 : 1));
  const last = own[own.length - 1]?.day;
  if (last === undefined) return null;
  const completeDays = days.indexOf(last);
  if (completeDays < 1) return null;
  const soFarMicros = own.reduce((sum, { chargeMicros }) => sum + chargeMicros, 0n);
  const complete = own.filter(({ day }) => day < last).reduce((sum, { chargeMicros }) => sum + chargeMicros, 0n);
  const mean = (complete * BigInt(days.length)) / BigInt(completeDays);
  return { soFarMicros, wholeMicros: mean > soFarMicros ? mean : soFarMicros, completeDays };
}

/** Returns the change in tenths of a percent, rounded towards zero; null where there was nothing before. */
export function changeOf(now: bigint, before: bigint): number | null {
  return before <= 0n ? null : Number(((now - before) * 1000n) / before);
}
