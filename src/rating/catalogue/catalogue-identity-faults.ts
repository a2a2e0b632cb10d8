import { suggestion } from '../../formats/nearest-word.ts';
import { isWholeUnits, parseMicros } from '../money.ts';
import type { CatalogueDocument, CatalogueFault, PlanDocument } from './catalogue-document.ts';
import { minorDigitsOf } from './currencies.ts';

/** A suggestion looks at every name that there is, and of a hundred thousand wrong references each would. */
const MAX_SUGGESTIONS = 20;

/** Names given twice, names that nothing has, and versions of a plan that cannot share its counter. */
export function identityFaults({ sponsors, applications, plans }: CatalogueDocument): CatalogueFault[] {
  return [
    ...repeated('sponsors', sponsors, ({ id }) => `sponsor ${id}`),
    ...repeated('applications', applications, ({ id }) => `application ${id}`),
    ...repeated('plans', plans, ({ id, version }) => `version ${version} of plan ${id}`),
    ...unknown(
      'applications',
      'sponsor',
      applications.map(({ sponsor }) => sponsor),
      sponsors,
    ),
    ...unknown(
      'plans',
      'application',
      plans.map(({ application }) => application),
      applications,
    ),
    ...unitFaults(sponsors),
    ...sharedAccounts(sponsors),
    ...unlikeVersions(plans, new Set(applications.map(({ id }) => id))),
  ];
}

/** Returns entries of a list whose name another one before has. */
export function repeated<T>(list: string, entries: readonly T[], nameOf: (entry: T) => string): CatalogueFault[] {
  const first = new Map<string, number>();
  return entries.flatMap((entry, i) => {
    const name = nameOf(entry);
    const before = first.get(name);
    if (before === undefined) first.set(name, i);
    return before === undefined ? [] : [{ path: [list, i, 'id'], message: `${name} is already in ${list}[${before}]` }];
  });
}

/** Returns references of a list's entries that no target has; an entry without one is fine. */
export function unknown(
  list: string,
  kind: string,
  references: readonly (string | undefined)[],
  targets: readonly { id: string }[],
): CatalogueFault[] {
  const known = new Set(targets.map(({ id }) => id));
  const suggestions = new Map<string, string>();
  return references.flatMap((reference, i) => {
    if (reference === undefined || known.has(reference)) return [];
    if (suggestions.size < MAX_SUGGESTIONS && !suggestions.has(reference)) {
      suggestions.set(reference, suggestion(reference, known));
    }
    const meant = suggestions.get(reference) ?? '';
    return [{ path: [list, i, kind], message: `no ${kind} has the id ${JSON.stringify(reference)}${meant}` }];
  });
}

/** Decimals that are not the currency's, and a credit limit finer than its smallest unit: no bank keeps either. */
function unitFaults(sponsors: CatalogueDocument['sponsors']): CatalogueFault[] {
  return sponsors.flatMap(({ currency, minorDigits, creditLimit }, i) => {
    const expected = minorDigitsOf(currency);
    const has = `${currency} has ${expected} decimals`;
    const faults: CatalogueFault[] = [];
    if (minorDigits !== undefined && minorDigits !== expected) {
      faults.push({ path: ['sponsors', i, 'minorDigits'], message: `${has}: leave minorDigits out` });
    }
    if (!isWholeUnits(parseMicros(creditLimit) ?? 0, expected)) {
      const message = `${has}, and ${creditLimit} is finer than that`;
      faults.push({ path: ['sponsors', i, 'creditLimit'], message });
    }
    return faults;
  });
}

/** An account that two sponsors pay from names neither. */
function sharedAccounts(sponsors: CatalogueDocument['sponsors']): CatalogueFault[] {
  const first = new Map<string, string>();
  return sponsors.flatMap(({ id, bankAccounts = [] }, i) =>
    bankAccounts.flatMap((account, at) => {
      const plain = account.replaceAll(' ', '').toUpperCase();
      const before = first.get(plain);
      if (before === undefined) first.set(plain, id);
      return before === undefined
        ? []
        : [{ path: ['sponsors', i, 'bankAccounts', at], message: `${account} is an account of ${before} already` }];
    }),
  );
}

/** A counter is a plan's, whatever the version: what it counts and when it begins again must stay the same. */
function unlikeVersions(plans: readonly PlanDocument[], known: ReadonlySet<string>): CatalogueFault[] {
  const first = new Map<string, number>();
  return plans.flatMap((plan, i) => {
    const before = first.get(plan.id);
    if (before === undefined) {
      first.set(plan.id, i);
      return [];
    }
    return (
      (['application', 'period', 'timeZone'] as const)
        .filter((field) => plan[field] !== plans[before][field])
        // An unknown application has its fault already.
        .filter(
          (field) => field !== 'application' || (known.has(plan.application) && known.has(plans[before].application)),
        )
        .map((field) => ({
          path: ['plans', i, field],
          message:
            `${plan[field]} differs from ${plans[before][field]} in version ${plans[before].version} of plan ${plan.id} ` +
            `(plans[${before}]): all versions of a plan share one counter, so give this one a new plan id`,
        }))
    );
  });
}
