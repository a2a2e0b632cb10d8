import type { JournalEvidence } from '../../journal/evidence/evidence.ts';
import { catalogueFromCanonicalJson } from '../../rating/catalogue/catalogue-compile.ts';
import type { QuotaUpdate } from '../../rating/quota-updates.ts';
import type { AuditFault } from './invariants.ts';

/**
 * Checks the final state of a consumer of the quota updates, by `subscriber|planId`: for every plan with a quota the newest
 * period, and its used octets. `catalogues` are the canonical documents that the journal names.
 */
export async function* auditQuotas(
  evidence: Pick<JournalEvidence, 'newestCounters'>,
  published: ReadonlyMap<string, QuotaUpdate>,
  catalogues: readonly string[],
): AsyncGenerator<AuditFault> {
  const hasQuota = plansWithQuota(catalogues);
  const expected = new Map<string, string[]>();
  for await (const { subscriber, planId, periodStart, usedOctets } of evidence.newestCounters()) {
    if (!hasQuota.has(planId)) continue;
    const key = `${subscriber}|${planId}`;
    // A subscriber with records in two lanes has a counter in each, and either may have been published last.
    expected.set(key, [...(expected.get(key) ?? []), `${usedOctets} used since day ${periodStart}`]);
  }
  const fault = (message: string): AuditFault => ({ invariant: 'quotas', lane: '', laneSequence: 0, message });
  for (const [key, journal] of expected) {
    const update = published.get(key);
    const consumer = update === undefined ? 'nothing' : `${update.usedOctets} used since day ${update.periodStart}`;
    if (!journal.includes(consumer)) {
      yield fault(`${key}: the journal has ${journal.join(' or ')}, the consumer ${consumer}`);
    } else if (update !== undefined && update.remainingOctets !== Math.max(0, update.quotaOctets - update.usedOctets)) {
      yield fault(`${key}: ${update.remainingOctets} left of ${update.quotaOctets} with ${update.usedOctets} used`);
    }
  }
  for (const [key, { planId }] of published) {
    if (hasQuota.has(planId) && !expected.has(key)) yield fault(`${key}: published, and not in the journal`);
  }
}

/**
 * Returns the plans that have a quota in every version, and the further quotas: a version without one publishes nothing, whatever
 * other versions published.
 */
function plansWithQuota(catalogues: readonly string[]): Set<string> {
  const compiled = catalogues.map((json) => catalogueFromCanonicalJson(json));
  const plans = compiled.flatMap(({ plans, furtherQuotas }) => [...plans, ...furtherQuotas]);
  const isWithout = ({ quotaOctets }: { quotaOctets: number }) => quotaOctets === Number.POSITIVE_INFINITY;
  const without = new Set(plans.filter(isWithout).map(({ id }) => id));
  return new Set(plans.map(({ id }) => id).filter((id) => !without.has(id)));
}
