import type { Catalogue } from '../../src/rating/catalogue.ts';
import type { QuotaUpdate } from '../../src/rating/quota-updates.ts';
import type { CounterRow } from '../../src/rating/restored-columns.ts';
import { countedOf, hex, type SimulatedJournal } from './simulated-journal.ts';

/**
 * Returns which updates of a batch that was just reported as booked its consumer lacks, of those that say that a quota is used up
 * or a threshold reached. `catalogues`: all of the run; `consumer`: the newest update of each `subscriber|planId`.
 */
export function lateUpdates(
  journal: SimulatedJournal,
  lane: string,
  laneSequence: number,
  catalogues: readonly Catalogue[],
  consumer: ReadonlyMap<string, QuotaUpdate>,
): string[] {
  const parts = journal.parts.filter((part) => part.lane === lane && part.numbers.lane_sequence <= laneSequence);
  const counters = journal.countersOf(parts);
  const batch = parts.filter(({ numbers }) => numbers.lane_sequence === laneSequence);
  const catalogue = catalogues.find(({ hash }) => hash === batch[0]?.texts.catalogue_hash);
  const countersBefore = journal.countersOf(parts.filter((part) => !batch.includes(part)));
  return batch.flatMap(countedOf).flatMap((row) => {
    const [planId, periodStart] = [String(row.plan_id), Number(row.period_start)];
    const [used, subscriber] = [Number(row.used_octets_after), hex(row.subscriber as Uint8Array)];
    const moved = Number(row.plan_version ?? row.quota_version);
    const plan = [...(catalogue?.plans ?? []), ...(catalogue?.furtherQuotas ?? [])].find(
      ({ id, version }) => id === planId && version === moved,
    );
    if (plan === undefined || plan.quotaOctets === Number.POSITIVE_INFINITY) return [];
    const isSame = (other: CounterRow) =>
      other.planId === planId && other.periodStart === periodStart && hex(other.subscriber) === subscriber;
    // A charge row says what it added, a move of a further quota where it ended.
    const added = row.sponsored_octets;
    const before = added === undefined ? (countersBefore.find(isSame)?.usedOctets ?? 0) : used - Number(added);
    const reaches = [...plan.notifyAtBasisPoints, 10_000].some((basisPoints) => {
      const bound = (plan.quotaOctets * basisPoints) / 10_000;
      return before < bound && used >= bound;
    });
    // A late record of an earlier period announces nothing.
    const isLate = counters.some(
      (other) => other.planId === planId && other.periodStart > periodStart && hex(other.subscriber) === subscriber,
    );
    if (!reaches || isLate) return [];
    const known = consumer.get(`${subscriber}|${planId}`);
    const isNewer = (known?.periodStart ?? 0) > periodStart;
    const knows = isNewer || (known?.periodStart === periodStart && known.usedOctets >= used);
    return knows
      ? []
      : [`${subscriber}|${planId} has used ${used}, and the consumer knows ${known?.usedOctets ?? 'nothing'}`];
  });
}
