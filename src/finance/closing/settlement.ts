import { literal, type Store } from '../../platform/clickhouse/store.ts';
import { monthOverMs } from '../../rating/catalogue/closed-periods.ts';
import { SETTLEMENT_DAYS } from '../../rating/catalogue.ts';
import { dayText, parseDay } from '../calendar-day.ts';
import { dateLiteral, endOfMonthMs, type Month, startOfMonthMs } from '../month.ts';
import type { Settlement, StatementLine } from '../statements/statement-document.ts';
import { type Coverage, withinCursors } from './coverage.ts';
import { readSponsorPlans, type SponsorPlan } from './sponsor-plans.ts';

const DAY_MS = 86_400_000;
/** The last day that a Date of ClickHouse can name. */
const LAST_DAY = 65_535;

type SettledLine = Pick<StatementLine, 'planId' | 'planVersion' | 'usageMonth'>;

/**
 * Returns for each plan version and month of use of a statement the last booking date on which its records are not late: the
 * day on which the month is over, in the plan's time zone, plus the plan's settlement time. From the newest catalogue.
 */
export async function readSettlements(
  store: Store,
  coverage: Coverage,
  lines: readonly SettledLine[],
): Promise<Settlement[]> {
  const inUse = `hash IN (SELECT catalogue_hash FROM journal WHERE kind = 'batch' AND ${withinCursors(coverage)})`;
  const plans = await readSponsorPlans(store, coverage.sponsorId, inUse);
  const newest = new Map(plans.map((plan) => [nameOf(plan.planId, plan.version), plan]));
  const settlements = new Map<string, Settlement>();
  for (const { planId, planVersion, usageMonth } of lines) {
    const plan = newest.get(nameOf(planId, planVersion));
    const settledOn = dayText(Math.min(LAST_DAY, settledOnDay(plan, usageMonth)));
    settlements.set(`${nameOf(planId, planVersion)} ${usageMonth}`, { planId, planVersion, usageMonth, settledOn });
  }
  return [...settlements.values()];
}

/**
 * Returns the settlement of statements from before there was a settlement time: records booked after the calendar month
 * (UTC) were late.
 */
export function settledAtMonthEnd({ planId, planVersion, usageMonth }: SettledLine): Settlement {
  return { planId, planVersion, usageMonth, settledOn: dayText(endOfMonthMs(usageMonth) / DAY_MS - 1) };
}

/**
 * Returns whether a charge is late: its month was closed before the statement's, or it was booked after its settlement time.
 */
export function isLate(
  charge: SettledLine & { bookingDate: string },
  month: Month,
  settlements: readonly Settlement[],
): boolean {
  if (charge.usageMonth < month) return true;
  const settlement = settlements.find(
    ({ planId, planVersion, usageMonth }) =>
      planId === charge.planId && planVersion === charge.planVersion && usageMonth === charge.usageMonth,
  );
  return settlement !== undefined && Number(parseDay(charge.bookingDate)) > Number(parseDay(settlement.settledOn));
}

/** Returns the same condition on rows of `bookings`, in SQL. */
export function lateExpression(month: Month, settlements: readonly Settlement[]): string {
  const booked = settlements.map(
    ({ planId, planVersion, usageMonth, settledOn }) =>
      `(plan_id = ${literal(planId)} AND plan_version = ${planVersion} AND month = ${dateLiteral(usageMonth)} ` +
      `AND booking_date > toDate('${settledOn}'))`,
  );
  return `(${[`month < ${dateLiteral(month)}`, ...booked].join(' OR ')})`;
}

function settledOnDay(plan: SponsorPlan | undefined, usageMonth: Month): number {
  const overMs = plan === undefined ? null : monthOverMs(plan, startOfMonthMs(usageMonth) / DAY_MS);
  const lastDay = Math.ceil((overMs ?? endOfMonthMs(usageMonth)) / DAY_MS) - 1;
  return lastDay + (plan?.settlementDays ?? SETTLEMENT_DAYS);
}

function nameOf(planId: string, version: number): string {
  return `${planId} ${version}`;
}
