import type { CapDocument } from './campaign-document.ts';
import type { CatalogueDocument, CatalogueFault, PlanDocument } from './catalogue-document.ts';

/** Times and tiers: plans that end before they begin, plans of one application in force together without an order, gaps in tiers. */
export function planFaults({ plans }: CatalogueDocument): CatalogueFault[] {
  return [
    ...plans.flatMap(endFaults),
    ...overlaps(plans),
    ...plans.flatMap(tierFaults),
    ...plans.flatMap(reserveFaults),
    ...plans.flatMap(capFaults),
  ];
}

function endFaults({ effectiveFrom, effectiveTo }: PlanDocument, plan: number): CatalogueFault[] {
  if (effectiveTo === null || Date.parse(effectiveTo) > Date.parse(effectiveFrom)) return [];
  return [
    { path: ['plans', plan, 'effectiveTo'], message: `${effectiveTo} is not after effectiveFrom ${effectiveFrom}` },
  ];
}

interface Span {
  plan: number;
  fromMs: number;
  toMs: number;
}

/** Names, for each plan, one earlier plan of its application and order that is still in force when it begins. */
function overlaps(plans: readonly PlanDocument[]): CatalogueFault[] {
  const spans = plans.map(({ effectiveFrom, effectiveTo }, plan) => ({
    plan,
    fromMs: Date.parse(effectiveFrom),
    toMs: effectiveTo === null ? Number.POSITIVE_INFINITY : Date.parse(effectiveTo),
  }));
  spans.sort((a, b) => a.fromMs - b.fromMs || a.plan - b.plan);
  const lastToEnd = new Map<string, Span>();
  return spans.flatMap((span) => {
    // A plan that ends before it begins has its fault already.
    if (span.toMs <= span.fromMs) return [];
    const { application, order } = plans[span.plan];
    const key = `${application} ${order}`;
    const before = lastToEnd.get(key);
    if (before === undefined || span.toMs > before.toMs) lastToEnd.set(key, span);
    if (before === undefined || before.toMs <= span.fromMs) return [];
    const message =
      `${describe(plans[span.plan])} overlaps ${describe(plans[before.plan])} (plans[${before.plan}]): ` +
      (order === undefined
        ? `one plan of application ${application} is in force at a time; plans with an order may be in force together`
        : `plans of application ${application} that are in force together need an order each, and both have ${order}`);
    return [{ path: ['plans', span.plan, 'effectiveFrom'], message }];
  });
}

function describe({ id, version, effectiveFrom, effectiveTo }: PlanDocument): string {
  return `${id} version ${version} (${effectiveFrom} to ${effectiveTo ?? 'no end'})`;
}

function tierFaults({ tiers }: PlanDocument, plan: number): CatalogueFault[] {
  return tiers.flatMap(({ upToOctets }, i) => {
    const problem = tierProblem(upToOctets, i === 0 ? 0 : tiers[i - 1].upToOctets, i === tiers.length - 1);
    return problem === null ? [] : [{ path: ['plans', plan, 'tiers', i, 'upToOctets'], message: problem }];
  });
}

function tierProblem(upToOctets: number | null, before: number | null, isLast: boolean): string | null {
  if (upToOctets === null)
    return isLast ? null : 'an open tier (null) must be the last: the tiers after it are never reached';
  if (before !== null && upToOctets <= before) return `tiers must ascend: ${upToOctets} is not above ${before}`;
  return isLast ? `a gap: octets above ${upToOctets} have no price; end with a tier of upToOctets: null` : null;
}

/** A plan under which no session could ever be given. */
function reserveFaults({ quotaOctets, allocateAboveOctets }: PlanDocument, plan: number): CatalogueFault[] {
  if (allocateAboveOctets === undefined) return [];
  const path = ['plans', plan, 'allocateAboveOctets'];
  if (quotaOctets === null) return [{ path, message: 'has a meaning with a quota only' }];
  if (allocateAboveOctets < quotaOctets) return [];
  return [{ path, message: `expected less than quotaOctets ${quotaOctets}, got ${allocateAboveOctets}` }];
}

/** Caps that would leave open which of them counts. */
function capFaults({ campaign }: PlanDocument, plan: number): CatalogueFault[] {
  const caps = campaign?.caps ?? [];
  const nameOf = ({ per, octets }: CapDocument) => `per ${per}, in ${octets === undefined ? 'money' : 'octets'}`;
  return caps.flatMap((cap, at) => {
    const first = caps.findIndex((other) => nameOf(other) === nameOf(cap));
    if (first === at) return [];
    const message = `a second cap ${nameOf(cap)}, after caps[${first}]: keep the lower one`;
    return [{ path: ['plans', plan, 'campaign', 'caps', at, 'per'], message }];
  });
}
