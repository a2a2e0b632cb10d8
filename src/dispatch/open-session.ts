import { randomBytes, randomUUID } from 'node:crypto';
import type { Plan } from '../billing/catalogue.ts';
import type { SessionGrant, SessionRequest } from '../session-protocol/dispatch-messages.ts';
import { announce } from './announce.ts';
import { type DispatchContext, isRefused, type Refused } from './context.ts';
import { contentSharesOf, entitlementOf } from './entitlement.ts';
import { type ProxyStanding, rankProxies } from './pick-proxy.ts';
import { quotaStateOf } from './quota-of.ts';
import { firstCap, remainingQuota } from './remaining-quota.ts';
import type { Session } from './session.ts';
import { grantOf, tokenExpiry } from './session-grant.ts';
import { proofFault, releaseProof, type SessionProof, useProof } from './session-proof.ts';

export interface OpenRequest extends Pick<SessionRequest, 'region'> {
  /** Application, subscriber and account. */
  proof: SessionProof;
  terminalIp: string;
}

interface Reserved {
  session: Session;
  plan: Plan;
  proxies: ProxyStanding[];
}

/**
 * Gives a session: decides and reserves in one transaction, so that requests at the same time never share an octet; then
 * announces it to a proxy, to the next where one cannot be reached; and only then makes the token.
 */
export async function openSession(context: DispatchContext, request: OpenRequest): Promise<SessionGrant | Refused> {
  const { store } = context;
  const reserved = await store.transaction(() => reserve(context, request));
  if (isRefused(reserved)) return reserved;
  const { plan, proxies } = reserved;
  const { sessionId } = reserved.session;
  for (const { proxyId } of proxies) {
    const session = await store.changeSession(sessionId, (now) => ({ ...now, proxyId }));
    if (session === undefined) throw new Error('a session that was being opened is gone');
    const problem = await announce(context, session);
    if (problem === null) return grantOf(context, session, plan);
  }
  // Nobody has a token or the key: whatever a proxy has heard of it, nothing can come of it.
  await store.transaction(() => {
    store.removeLive(reserved.session);
    releaseProof(store, request.proof);
  });
  return { refusal: 'no_proxy' };
}

function reserve(context: DispatchContext, request: OpenRequest): Reserved | Refused {
  const { catalogue, store, clock, proxies, random, patience } = context;
  const { region, proof } = request;
  const { applicationId, subscriber } = proof;
  const nowMs = clock.nowMs();
  const fault = proofFault(store, proof);
  if (fault !== null) return fault;
  const entitlement = entitlementOf(applicationId, {
    catalogue,
    suspendedSponsors: new Set(store.fact('suspendedSponsors') ?? []),
    nowMs,
    remainingOctets: (plan) => remainingQuota(quotaStateOf(context, plan, subscriber)),
  });
  if (entitlement.refusal !== undefined) return entitlement;
  const ranked = rankProxies(proxies.all(), { applicationId, region, nowMs, freshForMs: patience.freshForMs }, random);
  if (ranked.length === 0) return { refusal: 'no_proxy' };
  proxies.given(ranked[0].proxyId);
  const session = newSession(context, request, entitlement, ranked[0].proxyId);
  useProof(store, proof, nowMs);
  store.putSession(session);
  return { session, plan: entitlement.plan, proxies: ranked };
}

function newSession(
  context: DispatchContext,
  { proof: { applicationId, account, subscriber }, terminalIp }: OpenRequest,
  { plan, sponsorId }: { plan: Plan; sponsorId: string },
  proxyId: string,
): Session {
  const { grantOctets, atCap } = context.termsOf(applicationId);
  const cap = firstCap(quotaStateOf(context, plan, subscriber), grantOctets);
  const nowMs = context.clock.nowMs();
  return {
    sessionId: randomUUID(),
    subscriber,
    sponsorId,
    applicationId,
    applicationAccount: account,
    isAccountVerified: true,
    terminalIp,
    proxyId,
    planId: plan.id,
    planVersion: plan.version,
    contentShares: contentSharesOf(plan),
    sessionKey: randomBytes(32).toString('base64url'),
    atCap,
    state: 'open',
    ending: null,
    revision: 1,
    acknowledgedRevision: 0,
    overAcknowledgedAtMs: null,
    tokenId: randomUUID(),
    tokenExpiresAtMs: tokenExpiry(context),
    sponsoredOctetsCap: cap,
    grantedCap: cap,
    usage: [],
    usedSponsoredOctets: 0,
    sequences: { through: 0, ahead: [], last: null },
    openedAtMs: nowMs,
    lastReportAtMs: nowMs,
    isSettled: false,
  };
}
