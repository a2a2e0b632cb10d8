import type { Catalogue, Plan } from '../../../rating/catalogue.ts';
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
  | { refusal: Extract<DispatchRefusal, 'unknown_application' | 'sponsor_suspended' | 'no_plan' | 'quota_exhausted'> };

/** Whether a subscriber may have a session of the application, looked at in the order of `DISPATCH_REFUSALS`. */
export function entitlementOf(applicationId: string, facts: EntitlementFacts): Entitlement {
  const { catalogue, suspendedSponsors, nowMs } = facts;
  const application = catalogue.applications.find(({ id }) => id === applicationId);
  if (application === undefined) return { refusal: 'unknown_application' };
  const { id: sponsorId } = catalogue.sponsors[application.sponsor];
  if (suspendedSponsors.has(sponsorId)) return { refusal: 'sponsor_suspended' };
  const plan = planInForce(catalogue, applicationId, nowMs);
  if (plan === null) return { refusal: 'no_plan' };
  if (facts.unusedOctets(plan) <= plan.allocateAboveOctets) return { refusal: 'quota_exhausted' };
  return { sponsorId, plan };
}

/** The application's plan in force at an instant; null when there is none. */
export function planInForce({ applications, plans }: Catalogue, applicationId: string, nowMs: number): Plan | null {
  const application = applications.find(({ id }) => id === applicationId);
  const at = application?.plans.find((i) => plans[i].effectiveFromMs <= nowMs && nowMs < plans[i].effectiveToMs);
  return at === undefined ? null : plans[at];
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
