import { randomUUID } from 'node:crypto';
import type { Plan } from '../../rating/catalogue.ts';
import type { SessionGrant } from '../protocol/dispatch-messages.ts';
import { hasEvidenceInForce, planInForce } from './accounts/entitlement.ts';
import { type DispatchContext, isRefused, type Refused } from './context.ts';
import { type DispatchSession, withCap } from './dispatch-session.ts';
import { announceRaised } from './proxies/announce.ts';
import { quotaStatesOf } from './quota/quota-of.ts';
import { quotaReserved } from './quota/quota-reserved.ts';
import { renewedCap, unusedQuota } from './quota/remaining-quota.ts';
import { grantOf, tokenExpiry } from './session-grant.ts';

/** Gives an open session a new token and, as far as the quota goes, another grant; its proxy knows first. */
export async function renewSession(context: DispatchContext, sessionId: string): Promise<SessionGrant | Refused> {
  const renewed = await context.store.transaction(() => renew(context, sessionId));
  if (isRefused(renewed)) return renewed;
  const { session, plan, before } = renewed;
  const problem = await announceRaised(context, session, before);
  if (problem === null) return grantOf(context, session, plan);
  const { proxyId } = session;
  context.logger.warn({ proxyId, sessionId, problem: problem.message }, 'a proxy did not take over a renewal');
  if (problem.kind === 'over') return { refusal: 'session_over', detail: 'it has ended at its proxy' };
  return { refusal: 'no_proxy', detail: 'the proxy of the session cannot be reached' };
}

function renew(
  context: DispatchContext,
  sessionId: string,
): { session: DispatchSession; plan: Plan; before: DispatchSession } | Refused {
  const { catalogue, store, clock, termsOf } = context;
  const session = store.session(sessionId);
  if (session === undefined) return { refusal: 'session_unknown' };
  if (session.state !== 'open') return { refusal: 'session_over' };
  if (session.isAccountVerified !== true) return { refusal: 'session_over', detail: 'its account was never verified' };
  const { applicationId, sponsorId, subscriber, atCap } = session;
  if (store.fact('suspendedSponsors')?.includes(sponsorId)) return { refusal: 'sponsor_suspended' };
  const plan = planInForce(catalogue, applicationId, clock.nowMs());
  if (plan === null) return { refusal: 'no_plan' };
  if (!hasEvidenceInForce(catalogue, applicationId, clock.nowMs())) return { refusal: 'evidence_not_in_force' };
  if (plan.id !== session.planId || plan.version !== session.planVersion) {
    return { refusal: 'session_over', detail: 'another plan is in force now' };
  }
  const others = quotaStatesOf(context, plan, subscriber, sessionId);
  const cap = renewedCap(session, others, termsOf(applicationId).grantOctets);
  if (cap <= session.usedSponsoredOctets && atCap === 'stop') {
    const isUsed = unusedQuota(others) === 0;
    return isUsed ? { refusal: 'quota_exhausted' } : quotaReserved(context, plan, subscriber);
  }
  const tokens = { tokenId: randomUUID(), tokenExpiresAtMs: tokenExpiry(context) };
  const renewed = { ...withCap(session, cap), ...tokens };
  store.putSession(renewed);
  return { session: renewed, plan, before: session };
}
