import { hasEvidenceInForce, planInForce } from './accounts/entitlement.ts';
import type { DispatchContext } from './context.ts';
import { type DispatchSession, isWhollyReported, over } from './dispatch-session.ts';
import { announceAll } from './proxies/announce.ts';

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
    isEvidenceInForce: hasEvidenceInForce(catalogue, session.applicationId, nowMs),
    isProxyKnown: proxies.isKnown(session.proxyId),
    proxyHeardAtMs: proxies.heardAtMs(session.proxyId),
    proxyLostTimeoutMs,
    idleTimeoutMs,
    releaseDelayMs,
  };
  return nextStepOf(session, facts);
}

interface SweepFacts {
  nowMs: number;
  isSponsorSuspended: boolean;
  /** The plan version that the session was given under. */
  isPlanInForce: boolean;
  /** The engine would recognise the session's traffic. */
  isEvidenceInForce: boolean;
  /** The configuration names its proxy. */
  isProxyKnown: boolean;
  /** When the proxy gave its last sign of life. */
  proxyHeardAtMs: number;
  proxyLostTimeoutMs: number;
  idleTimeoutMs: number;
  releaseDelayMs: number;
}

/** What is due about a session, by time alone. */
type Due = 'revoke' | 'expire' | 'settle' | 'announce' | null;

/**
 * An open session is over when its sponsor is suspended, its account was never verified, its plan or its application's evidence ends, its proxy is silent, or its token has expired and
 * nothing was reported since. What is reserved for a session that is over goes back only when nothing can come of it any
 * more: with its last report (`applyReport`), or, where that is lost, a while after its proxy has acknowledged the end: until
 * then the engine has counted what the reports would have. A silent proxy may be cut off and serve on, up to the cap, so time
 * alone gives nothing back; who takes it out of the configuration says that it is gone.
 */
function nextStepOf(session: DispatchSession, facts: SweepFacts): Due {
  if (session.state === 'open') {
    if (facts.isSponsorSuspended || session.isAccountVerified !== true) return 'revoke';
    if (isSpent(session, facts)) return 'expire';
  } else if (isSafeToSettle(session, facts)) {
    return 'settle';
  }
  return facts.isProxyKnown && session.acknowledgedRevision < session.revision ? 'announce' : null;
}

function isSpent(session: DispatchSession, facts: SweepFacts): boolean {
  const { nowMs, isPlanInForce, isEvidenceInForce, isProxyKnown, proxyHeardAtMs, proxyLostTimeoutMs, idleTimeoutMs } =
    facts;
  if (!isPlanInForce || !isEvidenceInForce || !isProxyKnown) return true;
  if (nowMs - proxyHeardAtMs > proxyLostTimeoutMs) return true;
  return nowMs - Math.max(session.tokenExpiresAtMs, session.lastReportAtMs) > idleTimeoutMs;
}

function isSafeToSettle(session: DispatchSession, { nowMs, isProxyKnown, releaseDelayMs }: SweepFacts): boolean {
  if (isWhollyReported(session)) return true;
  const overSinceMs = isProxyKnown ? session.overAcknowledgedAtMs : session.lastReportAtMs;
  return overSinceMs !== null && nowMs - overSinceMs > releaseDelayMs;
}
