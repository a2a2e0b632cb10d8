import type { Catalogue, Plan } from './catalogue.ts';
import type { FlowBatch } from './flow-batch.ts';
import type { Lane } from './lane.ts';
import { outcomeOf } from './outcome.ts';
import type { QuotaUpdate } from './quota-update.ts';

type Log = Pick<QuotaUpdate, 'topic' | 'partition'>;

/** The counter that an update tells of, after the record that moved it last. */
export interface CounterMove {
  /** Index in the lane. */
  subscriber: number;
  plan: Plan;
  periodStart: number;
  usedOctets: number;
  offset: number;
}

/**
 * One update for each quota counter that the batch touched, with the state after the batch's last record, to be published
 * once the batch is booked.
 */
export function deriveQuotaUpdates(batch: FlowBatch, lane: Lane, catalogue: Catalogue, log: Log): QuotaUpdate[] {
  const moves: CounterMove[] = [];
  const told = new Set<number>();
  for (let row = batch.count - 1; row >= 0; row--) {
    if (outcomeOf(batch.reason[row]) !== 'charged') continue;
    const plan = catalogue.plans[batch.plan[row]];
    const periodStart = batch.periodStart[row];
    const subscriber = batch.subscriber[row];
    const planPeriod = lane.planPeriods.numberOf(plan.id, periodStart);
    lane.planPeriods.newestVersionFrom(planPeriod, plan.effectiveFromMs);
    const counter = planPeriod * 2 ** 32 + subscriber;
    if (plan.quotaOctets === Number.POSITIVE_INFINITY || told.has(counter)) continue;
    told.add(counter);
    moves.push({ subscriber, plan, periodStart, usedOctets: batch.usedOctetsAfter[row], offset: batch.offset[row] });
  }
  return quotaUpdates(moves.reverse(), lane, catalogue, log);
}

/**
 * Updates for counters that moved. One of an earlier period, moved by a late record, announces nothing: the quota that a
 * subscriber has now is the current period's.
 */
export function quotaUpdates(moves: readonly CounterMove[], lane: Lane, catalogue: Catalogue, log: Log): QuotaUpdate[] {
  const isCurrent = ({ subscriber, plan, periodStart }: CounterMove) =>
    !lane.planPeriods.laterThan(plan.id, periodStart).some((later) => lane.counters.has(subscriber, later));
  return moves.filter(isCurrent).map(({ subscriber, plan: moved, periodStart, usedOctets, offset }) => {
    const plan = newestVersion(moved, periodStart, lane, catalogue);
    const application = catalogue.applications[plan.application];
    return {
      subscriber: Buffer.from(lane.subscribers.pseudonym(subscriber)).toString('hex'),
      sponsorId: catalogue.sponsors[application.sponsor].id,
      applicationId: application.id,
      planId: plan.id,
      planVersion: plan.version,
      periodStart,
      ...remainingQuota(plan, usedOctets),
      version: lane.position,
      topic: log.topic,
      partition: log.partition,
      offset,
    };
  });
}

/** A late record of a version that was replaced within the period does not take back the quota of the one after it. */
function newestVersion(moved: Plan, periodStart: number, { planPeriods }: Lane, { plans }: Catalogue): Plan {
  const fromMs = planPeriods.newestVersionFrom(planPeriods.numberOf(moved.id, periodStart), moved.effectiveFromMs);
  const newest = plans.find(({ id, effectiveFromMs }) => id === moved.id && effectiveFromMs === fromMs) ?? moved;
  return newest.quotaOctets === Number.POSITIVE_INFINITY ? moved : newest;
}

/** What a plan with a quota leaves after `usedOctets`. */
export function remainingQuota(plan: Pick<Plan, 'quotaOctets' | 'notifyAtBasisPoints'>, usedOctets: number) {
  const { quotaOctets } = plan;
  const isReached = (basisPoints: number) => BigInt(usedOctets) * 10_000n >= BigInt(quotaOctets) * BigInt(basisPoints);
  return {
    quotaOctets,
    usedOctets,
    // A later version of the plan may have a smaller quota than was used already.
    remainingOctets: Math.max(0, quotaOctets - usedOctets),
    thresholdReached: plan.notifyAtBasisPoints.findLast(isReached) ?? 0,
  };
}
