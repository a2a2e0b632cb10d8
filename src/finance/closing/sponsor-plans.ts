import { KEPT_CATALOGUES } from '../../journal/kept-catalogues.ts';
import { literal, type Store } from '../../platform/clickhouse/store.ts';
import { SETTLEMENT_DAYS, type StatisticsPeriod } from '../../rating/catalogue.ts';

/** A version of a sponsor's plan in one catalogue of the store. */
export interface SponsorPlan {
  planId: string;
  version: number;
  period: StatisticsPeriod;
  timeZone: string;
  effectiveFromMs: number;
  /** Infinity: no end. */
  effectiveToMs: number;
  settlementDays: number;
}

interface PlanDocument {
  id: string;
  application: string;
  version: number;
  period: StatisticsPeriod;
  timeZone: string;
  effectiveFrom: string;
  effectiveTo: string | null;
  settlementDays?: number;
}

/** Returns a sponsor's plans in all catalogues that an SQL condition selects, those of the newest catalogue last. */
export async function readSponsorPlans(store: Store, sponsorId: string, condition: string): Promise<SponsorPlan[]> {
  const ofSponsor = `arrayFilter(application -> application.2 = ${literal(sponsorId)}, JSONExtract(document, 'applications', 'Array(Tuple(id String, sponsor String))'))`;
  const catalogues = await store.query<{ plans: string; applications: string[] }>(
    `SELECT JSONExtractRaw(document, 'plans') AS plans, arrayMap(application -> application.1, ${ofSponsor}) AS applications ` +
      `FROM ${KEPT_CATALOGUES} WHERE ${condition} ORDER BY first_used_at, hash LIMIT 1 BY hash`,
  );
  return catalogues.flatMap(({ plans, applications }) =>
    (JSON.parse(plans) as PlanDocument[])
      .filter(({ application }) => applications.includes(application))
      .map(({ id, effectiveFrom, effectiveTo, ...plan }) => ({
        planId: id,
        version: plan.version,
        period: plan.period,
        timeZone: plan.timeZone,
        effectiveFromMs: Date.parse(effectiveFrom),
        effectiveToMs: effectiveTo === null ? Number.POSITIVE_INFINITY : Date.parse(effectiveTo),
        settlementDays: plan.settlementDays ?? SETTLEMENT_DAYS,
      })),
  );
}
