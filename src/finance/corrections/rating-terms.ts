import { KEPT_CATALOGUES } from '../../journal/kept-catalogues.ts';
import { literal, type Store } from '../../platform/clickhouse/store.ts';
import { parseMicros } from '../../rating/money.ts';
import { type Coverage, withinCursors } from '../closing/coverage.ts';

interface TierTerms {
  fromOctets: bigint;
  /** null: open. */
  toOctets: bigint | null;
  pricePerMiBMicros: bigint;
}

/** Price tiers, and the plan versions that have them, of one catalogue, identified by its hash. */
export interface RatingTerms {
  tiers: readonly TierTerms[];
  plans: readonly { catalogueHash: string; planId: string; planVersion: number }[];
}

interface PlanDocument {
  id: string;
  application: string;
  version: number;
  tiers: { upToOctets: number | null; pricePerMiB: string }[];
}

/** Returns the terms of a sponsor's plans in all catalogues that a covered row may have been rated with. */
export async function readRatingTerms(store: Store, coverage: Coverage): Promise<RatingTerms[]> {
  const ofSponsor = `arrayFilter(application -> application.2 = ${literal(coverage.sponsorId)}, JSONExtract(document, 'applications', 'Array(Tuple(id String, sponsor String))'))`;
  const catalogues = await store.query<{ hash: string; plans: string; applications: string[] }>(
    `SELECT hash, JSONExtractRaw(document, 'plans') AS plans, arrayMap(application -> application.1, ${ofSponsor}) AS applications ` +
      `FROM ${KEPT_CATALOGUES} WHERE hash IN (SELECT catalogue_hash FROM journal WHERE kind = 'batch' AND ${withinCursors(coverage)}) ` +
      'ORDER BY first_used_at, hash LIMIT 1 BY hash',
  );
  const byTiers = new Map<string, { tiers: readonly TierTerms[]; plans: RatingTerms['plans'][number][] }>();
  for (const { hash, plans, applications } of catalogues) {
    for (const plan of JSON.parse(plans) as PlanDocument[]) {
      if (!applications.includes(plan.application)) continue;
      const key = JSON.stringify(plan.tiers);
      const terms = byTiers.get(key) ?? { tiers: tiersOf(plan), plans: [] };
      terms.plans.push({ catalogueHash: hash, planId: plan.id, planVersion: plan.version });
      byTiers.set(key, terms);
    }
  }
  return [...byTiers.values()];
}

/** Returns a ClickHouse expression: the place in `terms` of a row with its batch's `catalogue_hash`; -1 if it has none. */
export function termsExpression(terms: readonly RatingTerms[]): string {
  const branches = terms.map(({ plans }, place) => {
    const versions = plans.map(
      ({ catalogueHash, planId, planVersion }) => `(${literal(catalogueHash)}, ${literal(planId)}, ${planVersion})`,
    );
    return `(catalogue_hash, plan_id, plan_version) IN (${versions.join(', ')}), toInt32(${place})`;
  });
  return `multiIf(${[...branches, 'false, toInt32(-1)', 'toInt32(-1)'].join(', ')})`;
}

/** Returns a ClickHouse expression: the ends of the tiers of the terms at a place. */
export function tierEndsExpression(terms: readonly RatingTerms[], place: string): string {
  const branches = terms.map(({ tiers }, at) => `${place} = ${at}, [${tiers.map(endOf)}]::Array(Int64)`);
  return `multiIf(${[...branches, 'false, []::Array(Int64)', '[]::Array(Int64)'].join(', ')})`;
}

const NO_END = 2n ** 63n - 1n;

function endOf({ toOctets }: TierTerms): string {
  return String(toOctets ?? NO_END);
}

function tiersOf({ id, tiers }: PlanDocument): TierTerms[] {
  return tiers.map(({ upToOctets, pricePerMiB }, at) => {
    const price = parseMicros(pricePerMiB);
    if (price === null) throw new Error(`plan ${id} was booked with ${pricePerMiB} for a price`);
    return {
      fromOctets: BigInt(at === 0 ? 0 : (tiers[at - 1].upToOctets ?? 0)),
      toOctets: upToOctets === null ? null : BigInt(upToOctets),
      pricePerMiBMicros: BigInt(price),
    };
  });
}
