import type { CatalogueTerms, Plan } from '../catalogue.ts';
import type { CatalogueDocument, CatalogueFault } from './catalogue-document.ts';

/**
 * What counters count, by the id of a plan or of a group of plans: what all of its versions have in common, whichever catalogue
 * they are in. A plan has an application, a group a sponsor.
 */
export type CountedPlans = ReadonlyMap<string, Counted[1]>;

type Counted = [
  id: string,
  counted: Pick<Plan, 'period' | 'timeZone'> & ({ application: string } | { sponsor: string }),
];

export function countedPlans({
  plans,
  applications,
  sponsors,
  furtherQuotas,
}: Pick<CatalogueTerms, 'plans' | 'applications' | 'sponsors' | 'furtherQuotas'>): CountedPlans {
  const ofPlans = plans.map(({ id, period, timeZone, application }): Counted => {
    return [id, { period, timeZone, application: applications[application].id }];
  });
  // A window counts by the period in its name, and in its plan's time zone.
  const groups = furtherQuotas.filter(({ application }) => application < 0);
  const ofGroups = groups.map(({ id, period, timeZone, sponsor }): Counted => {
    return [id, { period, timeZone, sponsor: sponsors[sponsor].id }];
  });
  return new Map([...ofPlans, ...ofGroups]);
}

/** Plans and groups that cannot continue with the counters that they had under catalogues before this one. */
export function successionFaults({ plans, quotas = [] }: CatalogueDocument, before: CountedPlans): CatalogueFault[] {
  const ofPlans = plans.flatMap((plan, i) => {
    const counted = before.get(plan.id);
    if (counted === undefined) return [];
    if (!('application' in counted)) return [otherKind(['plans', i, 'id'], plan.id, 'a quota over several plans')];
    return (['application', 'period', 'timeZone'] as const)
      .filter((field) => plan[field] !== counted[field])
      .map((field) => ({
        path: ['plans', i, field],
        message:
          `${plan[field]} differs from ${counted[field]}, which plan ${plan.id} has counted by until now: ` +
          'all versions of a plan share one counter, so give this one a new plan id',
      }));
  });
  const ofQuotas = quotas.flatMap((quota, i) => {
    const counted = before.get(quota.id);
    if (counted === undefined) return [];
    if (!('sponsor' in counted)) return [otherKind(['quotas', i, 'id'], quota.id, 'a plan')];
    return (['sponsor', 'period', 'timeZone'] as const)
      .filter((field) => quota[field] !== counted[field])
      .map((field) => ({
        path: ['quotas', i, field],
        message:
          `${quota[field]} differs from ${counted[field]}, which quota ${quota.id} has counted by until now: ` +
          'all versions of a quota share one counter, so give this one a new id',
      }));
  });
  return [...ofPlans, ...ofQuotas];
}

function otherKind(path: CatalogueFault['path'], id: string, kind: string): CatalogueFault {
  return { path, message: `${id} was the id of ${kind} until now, whose counters have it: choose another id` };
}
