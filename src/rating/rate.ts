import type { Plan, PriceTier } from './catalogue/catalogue.ts';
import type { Reason } from './outcome.ts';
import type { CounterTable } from './quota/counter-table.ts';
import type { FlowBatch } from './record/flow-batch.ts';

const WHOLE = 10_000; // basis points
const OCTETS_PER_MIB = 2 ** 20;
const HALF_MIB = 2 ** 19;

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

/**
 * F(u): what `octets` sponsored octets of one subscriber and period cost in all, in micro-units:
 * floor((sum over tiers of octets in tier x price in micros per MiB + 2^19) / 2^20). Design section 2, rule 6.
 *
 * Whole MiB and the rest are summed apart, with prices below 2^32, so every product stays below 2^53 and doubles are exact.
 * A result above 2^53 - 1 is not exact; `rate` refuses it.
 */
export function cumulativeChargeMicros(tiers: readonly PriceTier[], octets: number): number {
  let wholeMicros = 0;
  let fraction = 0; // in 2^-20 micros, below 2^20
  let tierStart = 0;
  for (const { upToOctets, pricePerMiBMicros } of tiers) {
    const inTier = Math.min(octets, upToOctets) - tierStart;
    if (inTier <= 0) break;
    const restOctets = inTier % OCTETS_PER_MIB;
    const rest = fraction + restOctets * pricePerMiBMicros;
    fraction = rest % OCTETS_PER_MIB;
    wholeMicros += ((inTier - restOctets) / OCTETS_PER_MIB) * pricePerMiBMicros + (rest - fraction) / OCTETS_PER_MIB;
    tierStart = upToOctets;
  }
  return fraction >= HALF_MIB ? wholeMicros + 1 : wholeMicros;
}
