import type { QuotaUpdate } from '../../../rating/quota-updates.ts';

/** What a subscriber has used of a plan in one statistics period, by two meters of the same traffic. */
interface PeriodUse {
  /** First day, days since 1970-01-01. */
  periodStart: number;
  /** By the engine's newest update; 0 before the first. */
  engineUsedOctets: number;
  /** Of that update; -1 before the first. */
  engineVersion: number;
  /** By the proxies' reports. */
  reportedOctets: number;
}

/** Of one subscriber and plan: the periods that may still count. */
export type QuotaAccount = readonly PeriodUse[];

/** No period that began longer ago than a month has can hold an instant of today. */
const LONGEST_PERIOD_DAYS = 31;

/**
 * The account with the engine's update, if that is the newest of its period: each period has its own highest version, so
 * the highest (`periodStart`, `version`) is what the newest period shows, and a late record's update changes no other one.
 */
export function withUpdate(account: QuotaAccount, update: QuotaUpdate, today: number): QuotaAccount {
  const { periodStart, usedOctets, version } = update;
  return change(account, periodStart, today, (use) =>
    version > use.engineVersion ? { ...use, engineUsedOctets: usedOctets, engineVersion: version } : use,
  );
}

/** The account with sponsored octets that a proxy has reported of the period. */
export function withReported(
  account: QuotaAccount,
  { periodStart, sponsoredOctets }: { periodStart: number; sponsoredOctets: number },
  today: number,
): QuotaAccount {
  return change(account, periodStart, today, (use) => ({
    ...use,
    reportedOctets: use.reportedOctets + sponsoredOctets,
  }));
}

/** What counts as used of the period until the engine and the proxies agree: both meter the same, so the larger one. */
export function provisionalUse(account: QuotaAccount, periodStart: number): number {
  const use = account.find((each) => each.periodStart === periodStart);
  return use === undefined ? 0 : Math.max(use.engineUsedOctets, use.reportedOctets);
}

function change(
  account: QuotaAccount,
  periodStart: number,
  today: number,
  to: (use: PeriodUse) => PeriodUse,
): QuotaAccount {
  const blank = { periodStart, engineUsedOctets: 0, engineVersion: -1, reportedOctets: 0 };
  const use = account.find((each) => each.periodStart === periodStart) ?? blank;
  const others = account.filter((each) => each.periodStart !== periodStart);
  return [...others, to(use)].filter((each) => each.periodStart >= today - LONGEST_PERIOD_DAYS);
}
