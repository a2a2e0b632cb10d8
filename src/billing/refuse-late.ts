import type { FlowBatch } from './flow-batch.ts';
import type { Lane } from './lane.ts';
import type { Reason } from './outcome.ts';
import type { Rules } from './rules.ts';

const DAY_MS = 24 * 60 * 60 * 1000;

/**
 * The late policy `refuse` (rule 9): once finance has closed a month, the periods that begin in it and were over by then take
 * no more records. A record that is refused gives its identity back: corrected, it may come again.
 */
export function refuseLate(batch: FlowBatch, row: number, lane: Lane, rules: Rules): Reason | null {
  const plan = batch.plan[row];
  const periodStart = batch.periodStart[row];
  if (!rules.refusesLate(plan, periodStart)) return null;
  lane.duplicates.forget(lane.position + row);
  const reason = 'period_closed';
  const detail = `the period began on ${dayName(periodStart)}, and what began before ${dayName(rules.openFromDay[plan])} is closed`;
  batch.reject(row, { reason, detail });
  return reason;
}

function dayName(day: number): string {
  return new Date(day * DAY_MS).toISOString().slice(0, 10);
}
