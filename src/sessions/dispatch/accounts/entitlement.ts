import type { Application, Catalogue, Plan } from '../../../rating/catalogue.ts';
import { byBeginning, isInForce, type Span } from '../../../rating/claims.ts';
import { CONTENT_TYPES } from '../../../rating/flow-record.ts';
import { type ContentShares, SESSION_CONTENT_TYPES } from '../../protocol/content-octets.ts';
import type { DispatchRefusal } from '../../protocol/refusal.ts';

export interface EntitlementFacts {
  catalogue: Catalogue;
  suspendedSponsors: ReadonlySet<string>;
  nowMs: number;
  /** What the subscriber has not used of the quota under a plan, reserved or not; Infinity where that has none. */
  unusedOctets: (plan: Plan) => number;
}

export type Entitlement =
  | { sponsorId: string; plan: Plan; refusal?: undefined }
  | {
      refusal: Extract<
        DispatchRefusal,
        'unknown_application' | 'sponsor_suspended' | 'no_plan' | 'evidence_not_in_force' | 'quota_exhausted'
      >;
    };

/** Whether a subscriber may have a session of the application, looked at in the order of `DISPATCH_REFUSALS`. */
export function entitlementOf(applicationId: string, facts: EntitlementFacts): Entitlement {
  const { catalogue, suspendedSponsors, nowMs } = facts;
  const application = catalogue.applications.find(({ id }) => id === applicationId);
  if (application === undefined) return { refusal: 'unknown_application' };
  const { id: sponsorId } = catalogue.sponsors[application.sponsor];
  if (suspendedSponsors.has(sponsorId)) return { refusal: 'sponsor_suspended' };
  const plan = planInForce(catalogue, applicationId, nowMs);
  if (plan === null) return { refusal: 'no_plan' };
  if (!hasEvidenceInForce(catalogue, applicationId, nowMs)) return { refusal: 'evidence_not_in_force' };
  if (facts.unusedOctets(plan) <= plan.allocateAboveOctets) return { refusal: 'quota_exhausted' };
  return { sponsorId, plan };
}

/**
 * The application's plan in force at an instant; null when there is none. Of several in force together it is the last by order, which
 * has the fewest conditions: what a session will carry, when and where, is not known when it begins.
 */
export function planInForce({ applications, plans }: Catalogue, applicationId: string, nowMs: number): Plan | null {
  const application = applications.find(({ id }) => id === applicationId);
  const inForce = (application?.plans ?? [])
    .map((at) => plans[at])
    .filter(({ effectiveFromMs, effectiveToMs }) => effectiveFromMs <= nowMs && nowMs < effectiveToMs);
  return inForce.reduce<Plan | null>((last, plan) => (last === null || plan.order > last.order ? plan : last), null);
}

/** By application: for each kind of evidence that its match policy needs, when some of it is in force. */
const evidenceSpans = new WeakMap<Application, readonly (readonly Span[])[]>();

/**
 * Whether traffic of the application can be recognised at an instant: each kind of evidence that its match policy needs has a claim
 * in force. Where the catalogue claims nothing of a kind, there are no dates to judge by.
 */
export function hasEvidenceInForce({ applications }: Catalogue, applicationId: string, nowMs: number): boolean {
  const application = applications.find(({ id }) => id === applicationId);
  if (application === undefined) return false;
  const known = evidenceSpans.get(application) ?? neededClaims(application).map(mergedSpans);
  evidenceSpans.set(application, known);
  return known.every((spans) => spans.length === 0 || spans.some((span) => isInForce(span, nowMs)));
}

function neededClaims({
  match,
  tags,
  prefixes,
  aspIdentities,
  sponsorIdentities,
  services,
  detections,
}: Application): (readonly (string | Span)[])[] {
  const identities = [...aspIdentities, ...sponsorIdentities, ...services];
  switch (match) {
    case 'tag':
      return [tags];
    case 'ip':
      return [prefixes];
    case 'both':
      return [tags, prefixes];
    case 'cdr':
      return [identities];
    case 'detected':
      return [detections, [...tags, ...prefixes, ...identities]];
    case 'any':
      return [[...tags, ...prefixes, ...identities]];
  }
}

const ALWAYS: Span = { fromMs: Number.NEGATIVE_INFINITY, toMs: Number.POSITIVE_INFINITY };

/** The times at which at least one of the claims is in force; of a published list that is replaced weekly this is one span. */
function mergedSpans(claims: readonly (string | Span)[]): Span[] {
  const dated = claims.filter((claimed) => typeof claimed !== 'string');
  if (dated.length < claims.length) return [ALWAYS];
  const merged: Span[] = [];
  for (const { fromMs, toMs } of dated.sort(byBeginning)) {
    const last = merged.at(-1);
    if (last !== undefined && fromMs <= last.toMs) last.toMs = Math.max(last.toMs, toMs);
    else merged.push({ fromMs, toMs });
  }
  return merged;
}

/** The plan's shares by the words of the session protocol: a session always knows what it carries. */
export function contentSharesOf({ shareBasisPoints }: Plan): ContentShares {
  return Object.fromEntries(
    SESSION_CONTENT_TYPES.flatMap((type) => {
      const share = shareBasisPoints[CONTENT_TYPES.indexOf(type)];
      return share < 0 ? [] : [[type, share]];
    }),
  );
}
