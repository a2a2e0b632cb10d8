import type { Month } from '../month.ts';
import { daysOf } from './day-axis.ts';
import { type AgreedTerms, type BilledUsage, billTerms } from './monthly-terms.ts';

interface DayUse {
  day: string;
  chargeMicros: bigint;
  sponsoredOctets: bigint;
}

export interface Forecast {
  /** Charged for the month's days of use until now. */
  soFarMicros: bigint;
  /** Charge of the whole month, if its other days are like the complete ones. */
  wholeMicros: bigint;
  /** Sponsored octets of the whole month, computed likewise. */
  wholeOctets: bigint;
  /** Days that it is computed from. */
  completeDays: number;
}

/**
 * Returns a month's charge at its end: the mean of its complete days times its days. The last day with usage is taken for
 * incomplete. Null for a month that is over on `today` (`2026-11-30`), and where no day is complete.
 */
export function forecastOf(byDay: readonly DayUse[], month: Month, today: string): Forecast | null {
  const days = daysOf(month);
  if (today > days[days.length - 1]) return null;
  const own = byDay.filter(({ day }) => day.startsWith(month)).sort((a, b) => (a.day < b.day ? -1 : 1));
  const last = own[own.length - 1]?.day;
  if (last === undefined) return null;
  const completeDays = days.indexOf(last);
  if (completeDays < 1) return null;
  const soFar = (amountOf: (day: DayUse) => bigint) => own.reduce((sum, day) => sum + amountOf(day), 0n);
  const whole = (amountOf: (day: DayUse) => bigint) => {
    const complete = own.filter(({ day }) => day < last).reduce((sum, day) => sum + amountOf(day), 0n);
    const mean = (complete * BigInt(days.length)) / BigInt(completeDays);
    return mean > soFar(amountOf) ? mean : soFar(amountOf);
  };
  const micros = ({ chargeMicros }: DayUse) => chargeMicros;
  return {
    soFarMicros: soFar(micros),
    wholeMicros: whole(micros),
    wholeOctets: whole(({ sponsoredOctets }) => sponsoredOctets),
    completeDays,
  };
}

/**
 * Returns what the terms of a forecast month would bill. An application has the share of the whole month's charges and octets that it has
 * of those so far.
 */
export function forecastTerms(
  agreed: readonly AgreedTerms[],
  { wholeMicros, wholeOctets }: Forecast,
  byApplication: readonly (BilledUsage & { name: string })[],
): bigint {
  const sum = (amountOf: (usage: BilledUsage) => bigint) =>
    byApplication.reduce((total, usage) => total + amountOf(usage), 0n);
  const share = (whole: bigint, own: bigint, all: bigint) => (all === 0n ? 0n : (whole * own) / all);
  const [allMicros, allOctets] = [
    sum(({ chargeMicros }) => chargeMicros),
    sum(({ sponsoredOctets }) => sponsoredOctets),
  ];
  const billed = billTerms(agreed, (applicationId) => {
    if (applicationId === null) return { chargeMicros: wholeMicros, sponsoredOctets: wholeOctets };
    const own = byApplication.find(({ name }) => name === applicationId);
    return {
      chargeMicros: share(wholeMicros, own?.chargeMicros ?? 0n, allMicros),
      sponsoredOctets: share(wholeOctets, own?.sponsoredOctets ?? 0n, allOctets),
    };
  });
  return billed.reduce((total, { amountMicros }) => total + amountMicros, 0n);
}

/** Returns the change in tenths of a percent, rounded towards zero; null where there was nothing before. */
export function changeOf(now: bigint, before: bigint): number | null {
  return before <= 0n ? null : Number(((now - before) * 1000n) / before);
}
