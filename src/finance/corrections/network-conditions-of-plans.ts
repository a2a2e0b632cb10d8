import type { Store } from '../../platform/clickhouse/store.ts';
import { timesOf } from './log-spans.ts';
import type { PeriodRange } from './rerate-lane.ts';

/** Conditions on what charge rows do not keep of a record. */
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
}

/** An application whose charges rows alone cannot rate again, and why. */
export interface Unratable {
  sponsorId: string;
  applicationId: string;
  /** The plan, and what it asks for. */
  planId: string;
  conditions: string[];
  reason: string;
}

/**
 * Returns the applications that have a plan with conditions on the network in force in the range, in the catalogue given or in one that
 * the store was booked with.
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
      const isBefore = effectiveTo !== null && Date.parse(effectiveTo) <= fromMs;
      if (names.length === 0 || isBefore || Date.parse(effectiveFrom) >= toMs) continue;
      const sponsorId = applications.find((each) => each.id === application)?.sponsor ?? '';
      const reason =
        `plan ${id} of application ${application} has the conditions ${names.join(', ')}, and charge rows do not keep where the terminal ` +
        'was: rate the booked records themselves again with `rerate --from-source`';
      found.set(`${sponsorId} ${application}`, {
        sponsorId,
        applicationId: application,
        planId: id,
        conditions: names,
        reason,
      });
    }
  }
  return [...found.values()];
}
