import type { Plan } from './catalogue.ts';
import type { CounterTable } from './counter-table.ts';
import type { FlowBatch } from './flow-batch.ts';
import type { Reason } from './outcome.ts';
import { cumulativeChargeMicros } from './price.ts';

const WHOLE = 10_000; // basis points

/**
 * Content, share, quota, price (rules 2, 3, 4, 6): fills what is sponsored, what it costs and the counter after it, and
 * moves the counter. A counter is canonical: its carry is 0 once the quota is used up, so that however the
 * traffic was cut into records the same sum leaves the same counter.
 */
export function rate(batch: FlowBatch, row: number, plan: Plan, counters: CounterTable, counter: number): Reason {
  const usedBefore = counters.usedOctets(counter);
  const carryBefore = counters.carry(counter);
  const octets = batch.octets(row);
  const left = plan.quotaOctets - usedBefore;
  if (left <= 0) {
    settle(batch, row, 0, 0, usedBefore, carryBefore);
    return 'quota_exhausted';
  }

  // share: x = octets * share + carry, cut so that no product leaves the exact integers
  const share = plan.shareBasisPoints[batch.contentType[row]];
  const rest = octets % WHOLE;
  const restShare = rest * share + carryBefore;
  const bySharing = ((octets - rest) / WHOLE) * share + Math.floor(restShare / WHOLE);

  const reached = bySharing >= left;
  const sponsored = reached ? left : bySharing;
  const usedAfter = usedBefore + sponsored;
  const carryAfter = reached ? 0 : restShare % WHOLE;

  const chargedAfter = cumulativeChargeMicros(plan.tiers, usedAfter);
  if (usedAfter > Number.MAX_SAFE_INTEGER || chargedAfter > Number.MAX_SAFE_INTEGER) return 'charge_out_of_range';
  const charge = chargedAfter - cumulativeChargeMicros(plan.tiers, usedBefore);

  settle(batch, row, sponsored, charge, usedAfter, carryAfter);
  counters.set(counter, usedAfter, carryAfter);
  return reached ? 'quota_reached' : 'sponsored';
}

function settle(batch: FlowBatch, row: number, sponsored: number, charge: number, used: number, carry: number): void {
  batch.sponsoredOctets[row] = sponsored;
  batch.chargeMicros[row] = charge;
  batch.usedOctetsAfter[row] = used;
  batch.carryAfter[row] = carry;
}
