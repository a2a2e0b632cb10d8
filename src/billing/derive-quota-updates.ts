import type { Catalogue, Plan } from './catalogue.ts';
import type { FlowBatch } from './flow-batch.ts';
import type { Lane } from './lane.ts';
import { outcomeOf } from './outcome.ts';
import type { QuotaUpdate } from './quota-update.ts';

const WHOLE = 10_000; // basis points

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
  const { planPeriods, subscribers, counters, position } = lane;
  for (const { plan, periodStart } of moves) {
    planPeriods.newestVersionFrom(planPeriods.numberOf(plan.id, periodStart), plan.effectiveFromMs);
  }
  const announced = new AnnouncedPlans(lane, catalogue);
  const updates: QuotaUpdate[] = [];
  for (const { subscriber, plan: moved, periodStart, usedOctets, offset } of moves) {
    const { plan, applicationId, sponsorId, laterPeriods } = announced.of(moved, periodStart);
    if (laterPeriods.some((later) => counters.has(subscriber, later))) continue;
    const { quotaOctets, remainingOctets, thresholdReached } = remainingQuota(plan, usedOctets);
    updates.push({
      subscriber: subscribers.pseudonymHex(subscriber),
      sponsorId,
      applicationId,
      planId: plan.id,
      planVersion: plan.version,
      periodStart,
      quotaOctets,
      usedOctets,
      remainingOctets,
      thresholdReached,
      version: position,
      topic: log.topic,
      partition: log.partition,
      offset,
    });
  }
  return updates;
}

/** What an update says of a plan: the same for all subscribers. */
interface AnnouncedPlan {
  plan: Plan;
  applicationId: string;
  sponsorId: string;
  /** Numbers of the plan's periods that begin later. */
  laterPeriods: readonly number[];
}

/** Looked up once for a plan and a period, as a batch has thousands of subscribers of each. */
class AnnouncedPlans {
  readonly #lane: Lane;
  readonly #catalogue: Catalogue;
  readonly #known = new Map<Plan, Map<number, AnnouncedPlan>>();

  constructor(lane: Lane, catalogue: Catalogue) {
    this.#lane = lane;
    this.#catalogue = catalogue;
  }

  of(moved: Plan, periodStart: number): AnnouncedPlan {
    let byStart = this.#known.get(moved);
    if (byStart === undefined) {
      byStart = new Map();
      this.#known.set(moved, byStart);
    }
    let announced = byStart.get(periodStart);
    if (announced === undefined) {
      const plan = newestVersion(moved, periodStart, this.#lane, this.#catalogue);
      const application = this.#catalogue.applications[plan.application];
      announced = {
        plan,
        applicationId: application.id,
        sponsorId: this.#catalogue.sponsors[application.sponsor].id,
        laterPeriods: this.#lane.planPeriods.laterThan(moved.id, periodStart),
      };
      byStart.set(periodStart, announced);
    }
    return announced;
  }
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
  const rest = quotaOctets % WHOLE;
  const tenThousandth = (quotaOctets - rest) / WHOLE;
  // used >= quota x basis points / 10,000, cut so that no product leaves the exact integers.
  const isReached = (basisPoints: number) =>
    usedOctets >= tenThousandth * basisPoints + Math.ceil((rest * basisPoints) / WHOLE);
  return {
    quotaOctets,
    usedOctets,
    // A later version of the plan may have a smaller quota than was used already.
    remainingOctets: Math.max(0, quotaOctets - usedOctets),
    thresholdReached: plan.notifyAtBasisPoints.findLast(isReached) ?? 0,
  };
}
