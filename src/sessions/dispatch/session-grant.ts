import type { Plan } from '../../rating/catalogue.ts';
import type { SessionGrant } from '../protocol/dispatch-messages.ts';
import { signSessionToken } from '../protocol/session-token.ts';
import type { DispatchContext } from './context.ts';
import type { DispatchSession } from './dispatch-session.ts';
import { quotaStatesOf } from './quota/quota-of.ts';
import { remainingQuota, shownQuota } from './quota/remaining-quota.ts';
import { currentTokenKey } from './token-signing-keys.ts';

/** What the terminal gets once the proxy knows the session: a token for it, and where to go. */
export async function grantOf(context: DispatchContext, session: DispatchSession, plan: Plan): Promise<SessionGrant> {
  const { sessionId, tokenId, tokenExpiresAtMs, subscriber, proxyId, applicationId, terminalIp } = session;
  const { sponsoredOctetsCap, sessionKey, contentShares } = session;
  const { store, clock, proxies, patience, catalogue } = context;
  const exp = tokenExpiresAtMs / 1000;
  const claims = {
    jti: tokenId,
    sessionId,
    sub: subscriber,
    aud: proxyId,
    applicationId,
    sponsoredOctetsCap,
    terminalIp,
  };
  const token = await signSessionToken(
    { ...claims, iat: exp - patience.tokenMs / 1000, exp },
    currentTokenKey(store.fact('signingKeys') ?? [], clock.nowMs()),
  );
  const proxy = proxies.get(proxyId);
  if (proxy === undefined) throw new Error('a proxy that took over a session has given no sign of life');
  const { region, endpoints } = proxy;
  const { identifiedBy } = catalogue.applications[plan.application];
  const remainingOctets = shownQuota(remainingQuota(quotaStatesOf(context, plan, subscriber, sessionId)));
  return {
    sessionId,
    token,
    tokenId,
    tokenExpiresAtMs,
    sessionKey,
    proxy: { proxyId, region, endpoints },
    sponsoredOctetsCap,
    remainingOctets,
    contentShares,
    ...(identifiedBy && { identifiedBy: [...identifiedBy] }),
  };
}

/** When a token that is made now expires: in whole seconds, as tokens have it. */
export function tokenExpiry({ clock, patience }: Pick<DispatchContext, 'clock' | 'patience'>): number {
  return Math.floor(clock.nowMs() / 1000) * 1000 + patience.tokenMs;
}
