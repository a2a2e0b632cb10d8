import type { FurtherQuota, QuotaHolder } from '../catalogue.ts';
import type { CatalogueDocument, CatalogueFault, PlanDocument, QuotaDocument } from './catalogue-document.ts';

/** Returns the id of a plan's window: no id of a plan or a group has a colon. */
function windowId(planId: string, period: FurtherQuota['period']): string {
  return `${planId}:${period}`;
}

const BY_ACCOUNT = ':account';

/** Returns the name of a group's counters. By account it is another name, so that readers of counters and quota updates see whose they are. */
function groupCounterId(quotaId: string, per: QuotaHolder): string {
  return per === 'account' ? `${quotaId}${BY_ACCOUNT}` : quotaId;
}

/** Returns whether counters of this name are of accounts. */
export function isAccountCounter(counterId: string): boolean {
  return counterId.endsWith(BY_ACCOUNT);
}

/** Returns the id of the group that counters of this name are of. */
export function groupOfCounter(counterId: string): string {
  return isAccountCounter(counterId) ? counterId.slice(0, -BY_ACCOUNT.length) : counterId;
}

/** The further quotas of a catalogue, and by plan the indexes of those that count what it sponsors. */
interface CompiledQuotas {
  furtherQuotas: FurtherQuota[];
  ofPlans: number[][];
}

/** Compiles the windows of plans and the groups. Ids become their indexes. */
export function compileFurtherQuotas(
  { plans, quotas = [], applications }: CatalogueDocument,
  indexOfSponsor: (id: string) => number,
  indexOfApplication: (id: string) => number,
): CompiledQuotas {
  const furtherQuotas: FurtherQuota[] = [];
  const ofPlans = plans.map((plan) => {
    const { id, version, timeZone, windows } = plan;
    if (windows === undefined) return [];
    const application = indexOfApplication(plan.application);
    const sponsor = indexOfSponsor(applications[application].sponsor);
    const common = { version, sponsor, application, ...datesOf(plan), timeZone };
    return windows.map(
      ({ period, quotaOctets, notifyAt = [] }) =>
        furtherQuotas.push({
          ...common,
          id: windowId(id, period),
          period,
          per: 'subscriber',
          quotaOctets,
          notifyAtBasisPoints: notifyAt,
        }) - 1,
    );
  });
  for (const quota of quotas) {
    const compiled = compileGroup(quota, indexOfSponsor(quota.sponsor));
    const index = furtherQuotas.push(compiled) - 1;
    const members = new Set(quota.plans);
    for (const [i, plan] of plans.entries()) {
      if (!members.has(plan.id)) continue;
      const { effectiveFromMs, effectiveToMs } = datesOf(plan);
      const meet = effectiveFromMs < compiled.effectiveToMs && compiled.effectiveFromMs < effectiveToMs;
      if (meet) ofPlans[i].push(index);
    }
  }
  return { furtherQuotas, ofPlans };
}

function compileGroup(quota: QuotaDocument, sponsor: number): FurtherQuota {
  const { id, version, period, timeZone, per = 'subscriber', quotaOctets, notifyAt = [] } = quota;
  return {
    id: groupCounterId(id, per),
    version,
    sponsor,
    application: -1,
    ...datesOf(quota),
    period,
    timeZone,
    per,
    quotaOctets,
    notifyAtBasisPoints: notifyAt,
  };
}

/** Returns windows that count by a period that counts already, and what is wrong with the groups. */
export function furtherQuotaFaults(document: CatalogueDocument): CatalogueFault[] {
  const { plans, quotas = [] } = document;
  return [...plans.flatMap(windowFaults), ...nameFaults(document), ...memberFaults(document), ...versionFaults(quotas)];
}

function windowFaults({ period, windows = [] }: PlanDocument, plan: number): CatalogueFault[] {
  return windows.flatMap((window, i) => {
    const path = ['plans', plan, 'windows', i, 'period'];
    if (window.period === period) {
      return [{ path, message: `${period} is the plan's own period: its quota is quotaOctets of the plan` }];
    }
    const first = windows.findIndex((other) => other.period === window.period);
    if (first === i) return [];
    const message = `a window by ${window.period} is already in plans[${plan}].windows[${first}]: keep the smaller one`;
    return [{ path, message }];
  });
}

/** Counters are found by one name, whether a plan's or a group's. */
function nameFaults({ plans, quotas = [] }: CatalogueDocument): CatalogueFault[] {
  const plan = new Map(plans.map(({ id }, i) => [id, i]));
  const first = new Map<string, number>();
  return quotas.flatMap(({ id, version }, i) => {
    const path = ['quotas', i, 'id'];
    const taken = plan.get(id);
    if (taken !== undefined) {
      return [
        { path, message: `${id} is the id of a plan (plans[${taken}]), whose counters have it: choose another id` },
      ];
    }
    const name = `version ${version} of quota ${id}`;
    const before = first.get(name);
    if (before === undefined) first.set(name, i);
    return before === undefined ? [] : [{ path, message: `${name} is already in quotas[${before}]` }];
  });
}

/** Sponsors and plans that nothing has, plans that are named twice, and plans of another sponsor. */
function memberFaults({ sponsors, applications, plans, quotas = [] }: CatalogueDocument): CatalogueFault[] {
  const known = new Set(sponsors.map(({ id }) => id));
  const payer = new Map(applications.map(({ id, sponsor }) => [id, sponsor]));
  const applicationOf = new Map(plans.map(({ id, application }) => [id, application]));
  return quotas.flatMap(({ id, sponsor, plans: members }, i) => {
    if (!known.has(sponsor)) {
      const message = `no sponsor has the id ${JSON.stringify(sponsor)}`;
      return [{ path: ['quotas', i, 'sponsor'], message }];
    }
    return members.flatMap((plan, at) => {
      const path = ['quotas', i, 'plans', at];
      const application = applicationOf.get(plan);
      if (application === undefined) return [{ path, message: `no plan has the id ${JSON.stringify(plan)}` }];
      if (members.indexOf(plan) < at) return [{ path, message: `${plan} is named twice` }];
      // An unknown application has its fault already.
      if ((payer.get(application) ?? sponsor) === sponsor) return [];
      const message = `plan ${plan} is of ${payer.get(application)}, and quota ${id} of ${sponsor}: a quota is over plans of one sponsor`;
      return [{ path, message }];
    });
  });
}

/** What all versions of a group have in common; without `per` it counts by subscriber. */
const COUNTED_BY = ['sponsor', 'period', 'timeZone', 'per'] as const;

/** Versions of a group that cannot share its counter, end before they begin, or count a record twice. */
function versionFaults(quotas: readonly QuotaDocument[]): CatalogueFault[] {
  const first = new Map<string, number>();
  return quotas.flatMap((quota, i) => {
    const { id, effectiveFrom, effectiveTo } = quota;
    const { effectiveFromMs: fromMs, effectiveToMs: toMs } = datesOf(quota);
    if (toMs <= fromMs) {
      const message = `${effectiveTo} is not after effectiveFrom ${effectiveFrom}`;
      return [{ path: ['quotas', i, 'effectiveTo'], message }];
    }
    const before = first.get(id);
    if (before === undefined) {
      first.set(id, i);
      return [];
    }
    const termOf = (field: (typeof COUNTED_BY)[number], at: number) => quotas[at][field] ?? 'subscriber';
    const unlike = COUNTED_BY.filter((field) => termOf(field, i) !== termOf(field, before)).map((field) => ({
      path: ['quotas', i, field],
      message:
        `${termOf(field, i)} differs from ${termOf(field, before)} in version ${quotas[before].version} of quota ${id} ` +
        `(quotas[${before}]): all versions of a quota share one counter, so give this one a new id`,
    }));
    const met = quotas.findIndex((other, at) => {
      if (at >= i || other.id !== id) return false;
      const { effectiveFromMs, effectiveToMs } = datesOf(other);
      return effectiveFromMs < toMs && fromMs < effectiveToMs;
    });
    if (met < 0) return unlike;
    const message = `version ${quota.version} of quota ${id} overlaps version ${quotas[met].version} (quotas[${met}]): one version is in force at a time`;
    return [...unlike, { path: ['quotas', i, 'effectiveFrom'], message }];
  });
}

function datesOf({
  effectiveFrom,
  effectiveTo,
}: Pick<QuotaDocument, 'effectiveFrom' | 'effectiveTo'>): Pick<FurtherQuota, 'effectiveFromMs' | 'effectiveToMs'> {
  return {
    effectiveFromMs: Date.parse(effectiveFrom),
    effectiveToMs: effectiveTo === null ? Number.POSITIVE_INFINITY : Date.parse(effectiveTo),
  };
}
