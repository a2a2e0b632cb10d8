import type { CatalogueTerms, Plan } from '../catalogue.ts';
import type { CatalogueDocument, CatalogueFault } from './catalogue-document.ts';

/** What a plan's counters count, by plan id: what all of its versions have in common, whichever catalogue they are in. */
export type CountedPlans = ReadonlyMap<string, Pick<Plan, 'period' | 'timeZone'> & { application: string }>;

export function countedPlans({ plans, applications }: Pick<CatalogueTerms, 'plans' | 'applications'>): CountedPlans {
  return new Map(
    plans.map(({ id, period, timeZone, application }) => [
      id,
      { period, timeZone, application: applications[application].id },
    ]),
  );
}

/** Plans that cannot continue with the counters that they had under catalogues before this one. */
export function successionFaults({ plans }: CatalogueDocument, before: CountedPlans): CatalogueFault[] {
  return plans.flatMap((plan, i) => {
    const counted = before.get(plan.id);
    if (counted === undefined) return [];
    return (['application', 'period', 'timeZone'] as const)
      .filter((field) => plan[field] !== counted[field])
      .map((field) => ({
        path: ['plans', i, field],
        message:
          `${plan[field]} differs from ${counted[field]}, which plan ${plan.id} has counted by until now: ` +
          'all versions of a plan share one counter, so give this one a new plan id',
      }));
  });
}
