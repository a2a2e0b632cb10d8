import { planInForce } from './accounts/entitlement.ts';
import type { DispatchContext } from './context.ts';
import { type DispatchSession, over } from './dispatch-session.ts';
import { announceAll } from './proxies/announce.ts';
import { type Due, nextStepOf, type SweepFacts } from './sweep.ts';

/** Ends and settles sessions whose time has come, and announces to proxies what they have not taken over yet. */
export async function sweepSessions(context: DispatchContext): Promise<void> {
  const { store, logger } = context;
  const toAnnounce: DispatchSession[] = [];
  for (const { sessionId } of [...store.allLiveSessions()].filter((session) => due(context, session) !== null)) {
    const session = await store.changeSession(sessionId, (now) => {
      const what = due(context, now);
      if (what === 'revoke' || what === 'expire')
        logger.info({ sessionId, proxyId: now.proxyId, what }, 'a session is over');
      return carryOut(now, what);
    });
    if (session !== undefined && session.acknowledgedRevision < session.revision) toAnnounce.push(session);
  }
  await announceAll(context, toAnnounce);
}

function carryOut(session: DispatchSession, what: Due): DispatchSession {
  if (what === 'revoke') return over(session, 'revoked', 'revoked');
  if (what === 'expire') return over(session, 'ended', 'expired');
  return what === 'settle' ? { ...session, isSettled: true } : session;
}

function due({ catalogue, store, proxies, clock, patience }: DispatchContext, session: DispatchSession): Due {
  const nowMs = clock.nowMs();
  const { lostTimeoutMs: proxyLostTimeoutMs, idleTimeoutMs, releaseDelayMs } = patience;
  const plan = planInForce(catalogue, session.applicationId, nowMs);
  const facts: SweepFacts = {
    nowMs,
    isSponsorSuspended: store.fact('suspendedSponsors')?.includes(session.sponsorId) ?? false,
    isPlanInForce: plan?.id === session.planId && plan.version === session.planVersion,
    isProxyKnown: proxies.isKnown(session.proxyId),
    proxyHeardAtMs: proxies.heardAtMs(session.proxyId),
    proxyLostTimeoutMs,
    idleTimeoutMs,
    releaseDelayMs,
  };
  return nextStepOf(session, facts);
}
