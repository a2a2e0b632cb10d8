import { type DispatchSession, isWhollyReported } from './dispatch-session.ts';

export interface SweepFacts {
  nowMs: number;
  isSponsorSuspended: boolean;
  /** The plan version that the session was given under. */
  isPlanInForce: boolean;
  /** The configuration names its proxy. */
  isProxyKnown: boolean;
  /** When the proxy gave its last sign of life. */
  proxyHeardAtMs: number;
  proxyLostTimeoutMs: number;
  idleTimeoutMs: number;
  releaseDelayMs: number;
}

/** What is due about a session, by time alone. */
export type Due = 'revoke' | 'expire' | 'settle' | 'announce' | null;

/**
 * An open session is over when its sponsor is suspended, its account was never verified, its plan ends, its proxy is silent, or its token has expired and
 * nothing was reported since. What is reserved for a session that is over goes back only when nothing can come of it any
 * more: with its last report (`applyReport`), or, where that is lost, a while after its proxy has acknowledged the end: until
 * then the engine has counted what the reports would have. A silent proxy may be cut off and serve on, up to the cap, so time
 * alone gives nothing back; who takes it out of the configuration says that it is gone.
 */
export function nextStepOf(session: DispatchSession, facts: SweepFacts): Due {
  if (session.state === 'open') {
    if (facts.isSponsorSuspended || session.isAccountVerified !== true) return 'revoke';
    if (isSpent(session, facts)) return 'expire';
  } else if (isSafeToSettle(session, facts)) {
    return 'settle';
  }
  return facts.isProxyKnown && session.acknowledgedRevision < session.revision ? 'announce' : null;
}

function isSpent(session: DispatchSession, facts: SweepFacts): boolean {
  const { nowMs, isPlanInForce, isProxyKnown, proxyHeardAtMs, proxyLostTimeoutMs, idleTimeoutMs } = facts;
  if (!isPlanInForce || !isProxyKnown || nowMs - proxyHeardAtMs > proxyLostTimeoutMs) return true;
  return nowMs - Math.max(session.tokenExpiresAtMs, session.lastReportAtMs) > idleTimeoutMs;
}

function isSafeToSettle(session: DispatchSession, { nowMs, isProxyKnown, releaseDelayMs }: SweepFacts): boolean {
  if (isWhollyReported(session)) return true;
  const overSinceMs = isProxyKnown ? session.overAcknowledgedAtMs : session.lastReportAtMs;
  return overSinceMs !== null && nowMs - overSinceMs > releaseDelayMs;
}
