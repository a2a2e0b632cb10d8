import type { CatalogueTerms, FurtherQuota, Plan } from '../catalogue.ts';
import type { CatalogueDocument, CatalogueFault } from './catalogue-document.ts';
import { groupOfCounter } from './further-quotas.ts';

/**
 * What counters count, by the id of a plan or of a group of plans: what all of its versions have in common, whichever catalogue
 * they are in. A plan has an application, a group a sponsor and whose use it counts.
 */
export type CountedPlans = ReadonlyMap<string, Counted[1]>;

type Counted = [
  id: string,
  counted: Pick<Plan, 'period' | 'timeZone'> &
    ({ application: string } | ({ sponsor: string } & Pick<FurtherQuota, 'per'>)),
];

export function countedPlans({
  plans,
  applications,
  sponsors,
  furtherQuotas,
}: Pick<CatalogueTerms, 'plans' | 'applications' | 'sponsors' | 'furtherQuotas'>): CountedPlans {
  const ofPlans = plans.map(({ id, period, timeZone, application }): Counted => {
    return [id, { application: applications[application].id, period, timeZone }];
  });
  // A window counts by the period in its name, and in its plan's time zone.
  const groups = furtherQuotas.filter(({ application }) => application < 0);
  const ofGroups = groups.map(({ id, period, timeZone, sponsor, per }): Counted => {
    return [groupOfCounter(id), { sponsor: sponsors[sponsor].id, period, timeZone, per }];
  });
  return new Map([...ofPlans, ...ofGroups]);
}

/** Returns plans and groups that cannot continue with the counters that they had under catalogues before this one. */
export function successionFaults({ plans, quotas = [] }: CatalogueDocument, before: CountedPlans): CatalogueFault[] {
  const ofPlans = plans.flatMap((plan, i) =>
    changesOf(plan.id, plan, before).map(({ field, message }) => ({ path: ['plans', i, field], message })),
  );
  const ofQuotas = quotas.flatMap((quota, i) =>
    changesOf(quota.id, { ...quota, per: quota.per ?? 'subscriber' }, before).map(({ field, message }) => ({
      path: ['quotas', i, field],
      message,
    })),
  );
  return [...ofPlans, ...ofQuotas];
}

/** Returns the same as messages, for a catalogue that is compiled. */
export function successionRefusals(catalogue: Parameters<typeof countedPlans>[0], before: CountedPlans): string[] {
  return [...countedPlans(catalogue)].flatMap(([id, now]) => changesOf(id, now, before).map(({ message }) => message));
}

/** What is counted otherwise than before under an id. */
function changesOf(id: string, now: Counted[1], before: CountedPlans): { field: string; message: string }[] {
  const counted = before.get(id);
  if (counted === undefined) return [];
  const [isPlan, wasPlan] = ['application' in now, 'application' in counted];
  if (isPlan !== wasPlan) {
    const kind = wasPlan ? 'a plan' : 'a quota over several plans';
    return [
      { field: 'id', message: `${id} was the id of ${kind} until now, whose counters have it: choose another id` },
    ];
  }
  const [noun, remedy] = isPlan ? ['plan', 'a new plan id'] : ['quota', 'a new id'];
  const values = new Map<string, string>(Object.entries(now));
  return Object.entries(counted)
    .filter(([field, value]) => !isSame(field, values.get(field), value))
    .map(([field, value]) => ({
      field,
      message:
        `${values.get(field)} differs from ${value}, which ${noun} ${id} has counted by until now: ` +
        `all versions of a ${noun} share one counter, so give this one ${remedy}`,
    }));
}

/** A time zone is the same in any case. */
function isSame(field: string, now: string | undefined, before: string): boolean {
  return now === before || (field === 'timeZone' && now?.toLowerCase() === before.toLowerCase());
}
