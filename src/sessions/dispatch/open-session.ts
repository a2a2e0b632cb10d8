import { randomBytes, randomUUID } from 'node:crypto';
import type { Plan } from '../../rating/catalogue.ts';
import type { SessionGrant, SessionRequest } from '../protocol/dispatch-messages.ts';
import { contentSharesOf, entitlementOf } from './accounts/entitlement.ts';
import { type DispatchContext, isRefused, type Refused } from './context.ts';
import { type DispatchSession, reservedOctets, withCap } from './dispatch-session.ts';
import { announce, announceRaised } from './proxies/announce.ts';
import { isFit, type ProxyStatus, rankProxies } from './proxies/pick-proxy.ts';
import { quotaStatesOf } from './quota/quota-of.ts';
import { freeInMs, quotaReserved } from './quota/quota-reserved.ts';
import { firstCap, remainingQuota, renewedCap, unusedQuota } from './quota/remaining-quota.ts';
import { grantOf, tokenExpiry } from './session-grant.ts';
import { proofFault, releaseProof, type SessionProof, useProof } from './session-proof.ts';

export interface OpenRequest extends Pick<SessionRequest, 'region'> {
  /** Application, subscriber and account. */
  proof: SessionProof;
  terminalIp: string;
}

interface Reserved {
  session: DispatchSession;
  plan: Plan;
  /** In the order to try them. */
  proxies: ProxyStatus[];
}

interface Resumed {
  session: DispatchSession;
  plan: Plan;
  /** As it was until now. */
  before: DispatchSession;
}

type Tried = Map<string, boolean>;

/**
 * Gives a session: decides and reserves in one transaction, so that requests at the same time never share an octet; then
 * announces it to a proxy, to the next where one cannot be reached; and only then makes the token. Where the quota leaves less than a
 * grant, the terminal's own open session is resumed, as that holds what is missing.
 */
export async function openSession(context: DispatchContext, request: OpenRequest): Promise<SessionGrant | Refused> {
  const { store, logger } = context;
  const tried: Tried = new Map();
  for (;;) {
    const reserved = await store.transaction(() => reserve(context, request, tried));
    if (isRefused(reserved)) return reserved;
    const { session, plan } = reserved;
    if ('proxies' in reserved) return openAt(context, request.proof, reserved);
    const problem = await announceRaised(context, session, reserved.before);
    if (problem === null) return grantOf(context, session, plan);
    const { sessionId, proxyId } = session;
    logger.warn({ proxyId, sessionId, problem: problem.message }, 'a session cannot be resumed');
    tried.set(sessionId, problem.kind === 'over');
    await store.transaction(() => releaseProof(store, request.proof));
  }
}

async function openAt(
  context: DispatchContext,
  proof: SessionProof,
  { session: { sessionId, proxyId: firstProxyId }, plan, proxies }: Reserved,
): Promise<SessionGrant | Refused> {
  const { store } = context;
  for (const { proxyId } of proxies) {
    const session = await store.changeSession(sessionId, (now) =>
      proxyId === firstProxyId ? now : moved(now, proxyId),
    );
    if (session === undefined) throw new Error('a session that was being opened is gone');
    const problem = await announce(context, session);
    if (problem === null) return grantOf(context, session, plan);
  }
  // No terminal has a token or the key: an announcement that reached a proxy cannot be used.
  await store.transaction(() => {
    const session = store.session(sessionId);
    if (session !== undefined) store.removeSession(session);
    releaseProof(store, proof);
  });
  return { refusal: 'no_proxy' };
}

/** The session at another proxy. The one before may have taken it without an answer: what the terminal is given opens nothing there. */
function moved(session: DispatchSession, proxyId: string): DispatchSession {
  const { revision } = session;
  return { ...session, proxyId, tokenId: randomUUID(), sessionKey: newSessionKey(), revision: revision + 1 };
}

function reserve(context: DispatchContext, request: OpenRequest, tried: Tried): Reserved | Resumed | Refused {
  const { catalogue, store, clock, proxies, random, patience, sessionLimits, termsOf } = context;
  const { region, proof } = request;
  const { applicationId, subscriber } = proof;
  const nowMs = clock.nowMs();
  const fault = proofFault(store, proof);
  if (fault !== null) return fault;
  // Proven before the erasure began: what is written now would be of an erased subscriber.
  if (store.isErased(subscriber))
    return { refusal: 'assertion_invalid', detail: 'the subscriber was erased meanwhile' };
  const entitlement = entitlementOf(applicationId, {
    catalogue,
    suspendedSponsors: new Set(store.fact('suspendedSponsors') ?? []),
    nowMs,
    unusedOctets: (plan) => unusedQuota(quotaStatesOf(context, plan, subscriber)),
  });
  if (entitlement.refusal !== undefined) return entitlement;
  const { plan } = entitlement;
  const remainingOctets = remainingQuota(quotaStatesOf(context, plan, subscriber));
  if (remainingOctets < termsOf(applicationId).grantOctets) {
    const resumed = resume(context, request, plan, tried);
    if (resumed !== null) {
      useProof(store, proof, nowMs);
      return resumed;
    }
  }
  if (remainingOctets <= plan.allocateAboveOctets) return quotaReserved(context, plan, subscriber, tried);
  const live = store.allLiveSessionsOf(subscriber);
  if (live.length >= sessionLimits.perSubscriber) {
    const retryAfterMs = freeInMs(live, context, tried);
    return { refusal: 'too_many_sessions', detail: `${live.length} of ${sessionLimits.perSubscriber}`, retryAfterMs };
  }
  const { staleTimeoutMs, maxClockSkewMs } = patience;
  const openSessionsOf = (proxyId: string) => store.openSessionsOf(proxyId);
  const wanted = { applicationId, region, nowMs, staleTimeoutMs, maxClockSkewMs, openSessionsOf };
  const ranked = rankProxies(proxies.all(), wanted, random);
  if (ranked.length === 0) return { refusal: 'no_proxy' };
  proxies.given(ranked[0].proxyId);
  const session = newSession(context, request, entitlement, ranked[0].proxyId);
  useProof(store, proof, nowMs);
  store.putSession(session);
  return { session, plan, proxies: ranked };
}

/**
 * The open session of the same terminal, account and application that holds most of the quota, under another token and key: those of
 * before are replaced. Null where there is none whose proxy can take it.
 */
function resume(context: DispatchContext, request: OpenRequest, plan: Plan, tried: Tried): Resumed | null {
  const { store, proxies, clock, patience, termsOf } = context;
  const { terminalIp, proof } = request;
  const { applicationId, account, subscriber } = proof;
  const { staleTimeoutMs, maxClockSkewMs } = patience;
  const wanted = { applicationId, nowMs: clock.nowMs(), staleTimeoutMs, maxClockSkewMs };
  const [session] = store
    .liveSessions(subscriber, plan.id)
    .filter((one) => one.state === 'open' && one.planVersion === plan.version && !tried.has(one.sessionId))
    .filter((one) => one.applicationId === applicationId && one.applicationAccount === account)
    .filter((one) => one.terminalIp === terminalIp && reservedOctets(one) > 0)
    .filter(({ proxyId }) => [proxies.get(proxyId)].some((proxy) => proxy !== undefined && isFit(proxy, wanted)))
    .sort((a, b) => reservedOctets(b) - reservedOctets(a));
  if (session === undefined) return null;
  const others = quotaStatesOf(context, plan, subscriber, session.sessionId);
  const cap = renewedCap(session, others, termsOf(applicationId).grantOctets);
  if (cap <= session.usedSponsoredOctets) return null;
  const tokens = { tokenId: randomUUID(), tokenExpiresAtMs: tokenExpiry(context), sessionKey: newSessionKey() };
  const resumed = { ...withCap(session, cap), ...tokens };
  store.putSession(resumed);
  return { session: resumed, plan, before: session };
}

function newSessionKey(): string {
  return randomBytes(32).toString('base64url');
}

function newSession(
  context: DispatchContext,
  { proof: { applicationId, account, subscriber }, terminalIp }: OpenRequest,
  { plan, sponsorId }: { plan: Plan; sponsorId: string },
  proxyId: string,
): DispatchSession {
  const { grantOctets, atCap } = context.termsOf(applicationId);
  const cap = firstCap(quotaStatesOf(context, plan, subscriber), grantOctets);
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
    sessionKey: newSessionKey(),
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
    highestCap: cap,
    usage: [],
    usedSponsoredOctets: 0,
    sequences: { through: 0, ahead: [], last: null },
    openedAtMs: nowMs,
    lastReportAtMs: nowMs,
    isSettled: false,
  };
}
