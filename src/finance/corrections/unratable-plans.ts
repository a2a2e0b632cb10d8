import type { Store } from '../../platform/clickhouse/store.ts';
import { timesOf } from './log-spans.ts';
import type { PeriodRange } from './rerate-lane.ts';

/** Conditions on what charge rows do not keep of a record. Nor do they keep its account. */
const NOT_KEPT = ['roaming', 'servingPlmns', 'ratTypes', 'locations'] as const;

interface Document {
  applications: { id: string; sponsor: string }[];
  plans: {
    id: string;
    application: string;
    effectiveFrom: string;
    effectiveTo: string | null;
    conditions?: Partial<Record<(typeof NOT_KEPT)[number], unknown>>;
  }[];
  quotas?: { id: string; per?: string; effectiveFrom: string; effectiveTo: string | null; plans: string[] }[];
}

/** How records are rated again of which charge rows alone do not say enough. */
export const FROM_SOURCE = 'rate the booked records themselves again with `rerate --from-source`';

/** An application whose charges rows alone cannot rate again, and why. */
export interface Unratable {
  sponsorId: string;
  applicationId: string;
  /** What charge rows do not keep, in words. */
  reason: string;
}

/**
 * Returns the applications that have a plan in force in the range with conditions on the network, in the catalogue given or in one that
 * the store was booked with; or, in the catalogue given, one that a quota by account counts.
 */
export async function readUnratable(store: Store, canonicalJson: string, range: PeriodRange): Promise<Unratable[]> {
  const booked = await store.query<{ document: string }>(
    `SELECT document FROM catalogues WHERE position(document, '"conditions"') > 0 ORDER BY hash LIMIT 1 BY hash`,
  );
  const { fromMs, toMs } = timesOf(range);
  const found = new Map<string, Unratable>();
  for (const text of [canonicalJson, ...booked.map(({ document }) => document)]) {
    const { applications, plans } = JSON.parse(text) as Document;
    for (const { id, application, effectiveFrom, effectiveTo, conditions = {} } of plans) {
      const names = NOT_KEPT.filter((name) => conditions[name] !== undefined);
      if (names.length === 0 || !isInForce({ effectiveFrom, effectiveTo }, fromMs, toMs)) continue;
      const sponsorId = applications.find((each) => each.id === application)?.sponsor ?? '';
      const reason = `plan ${id} of application ${application} has the conditions ${names.join(', ')}, and charge rows do not keep where the terminal was`;
      found.set(`${sponsorId} ${application}`, { sponsorId, applicationId: application, reason });
    }
  }
  for (const unratable of countedByAccount(JSON.parse(canonicalJson), fromMs, toMs)) {
    found.set(`${unratable.sponsorId} ${unratable.applicationId}`, unratable);
  }
  return [...found.values()];
}

function countedByAccount({ applications, plans, quotas = [] }: Document, fromMs: number, toMs: number): Unratable[] {
  const byAccount = quotas.filter((quota) => quota.per === 'account' && isInForce(quota, fromMs, toMs));
  return byAccount.flatMap(({ id: quotaId, plans: members }) =>
    plans
      .filter((plan) => members.includes(plan.id) && isInForce(plan, fromMs, toMs))
      .map(({ id, application }) => ({
        sponsorId: applications.find((each) => each.id === application)?.sponsor ?? '',
        applicationId: application,
        reason:
          `quota ${quotaId} counts plan ${id} of application ${application} by account, and charge rows do not keep whose account a ` +
          'record is of',
      })),
  );
}

function isInForce(
  { effectiveFrom, effectiveTo }: { effectiveFrom: string; effectiveTo: string | null },
  fromMs: number,
  toMs: number,
): boolean {
  return (effectiveTo === null || Date.parse(effectiveTo) > fromMs) && Date.parse(effectiveFrom) < toMs;
}
