import type { Store } from '../../platform/clickhouse/store.ts';
import { lastPeriodStart, monthOverMs } from '../../rating/catalogue/closed-periods.ts';
import { dayText } from '../calendar-day.ts';
import { dateLiteral, endOfMonthMs, type Month, startOfMonthMs } from '../month.ts';
import { readSponsorPlans, type SponsorPlan } from './sponsor-plans.ts';

const DAY_MS = 86_400_000;

/** When a sponsor's month is over, and by which plan. */
export interface MonthOver {
  overMs: number;
  /** The plan whose month is over last; null: no plan is in force in the month, and it is over by UTC. */
  plan: SponsorPlan | null;
}

/** Returns when every statistics period that begins in a sponsor's month is over, each in its plan's time zone. */
export async function readMonthOver(store: Store, sponsorId: string, month: Month): Promise<MonthOver> {
  const plans = await readSponsorPlans(store, sponsorId, catalogueInUse(month));
  const day = startOfMonthMs(month) / DAY_MS;
  let last: MonthOver | null = null;
  for (const plan of plans) {
    const overMs = monthOverMs(plan, day);
    if (overMs !== null && (last === null || overMs > last.overMs)) last = { overMs, plan };
  }
  return last ?? { overMs: endOfMonthMs(month), plan: null };
}

/** Returns what ends last in a month, in words. */
export function runsLast({ overMs, plan }: MonthOver, month: Month): string {
  const until = `until ${new Date(overMs).toISOString()}`;
  if (plan === null) return `it runs ${until}`;
  const start = dayText(lastPeriodStart(plan, startOfMonthMs(month) / DAY_MS));
  return `the ${plan.period} of plan ${plan.planId} that begins on ${start} runs ${until} (${plan.timeZone})`;
}

/**
 * Returns a condition on `catalogues`: those that records of a month may still be rated with. A lane that has booked since
 * the month began continues with the catalogue of its last batch, or with the newest one.
 */
function catalogueInUse(month: Month): string {
  return (
    "hash IN (SELECT argMax(catalogue_hash, lane_sequence) FROM journal WHERE kind = 'batch' " +
    `AND booking_date >= ${dateLiteral(month)} GROUP BY lane) ` +
    'OR hash = (SELECT argMax(hash, first_used_at) FROM catalogues)'
  );
}
