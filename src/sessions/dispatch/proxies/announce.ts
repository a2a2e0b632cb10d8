import type { DispatchContext } from '../context.ts';
import { acknowledged, announcementOf, type DispatchSession, withCapOf } from '../dispatch-session.ts';
import { sessionTagsOf } from '../issue-session-tags.ts';
import type { AnnouncementProblem } from './proxy-control.ts';
import { proxyProblems } from './proxy-problems.ts';

/** Sends the session's proxy its current terms; resolves with null when the proxy has taken them over, else with what went wrong. */
export async function announce(context: DispatchContext, session: DispatchSession): Promise<AnnouncementProblem> {
  const { proxies, control, store, clock } = context;
  const { proxyId, sessionId, revision } = session;
  const proxy = proxies.get(proxyId);
  if (proxy === undefined) return { message: 'the proxy is not registered', kind: 'unreachable' };
  const sessionTags = sessionTagsOf(context, session, proxy.endpoints);
  const announcement = { ...announcementOf(session), ...(sessionTags && { sessionTags }) };
  const problem = await control.announce(proxyId, announcement);
  const problems = proxyProblems(context, proxyId);
  if (problem !== null && problem.kind !== 'over') {
    const consequence = 'a proxy takes no announcements; its sessions are given to others, and it is tried again';
    problems.report(problem.message, consequence);
  }
  if (problem !== null) return problem;
  problems.over('the proxy takes announcements again');
  await store.changeSession(sessionId, (now) => acknowledged(now, revision, clock.nowMs()));
  return null;
}

/**
 * Announces a session whose cap was raised. Where the session has ended at its proxy, the raise is taken back: nothing of it will be used,
 * and what is missing is the end report. Where the proxy cannot be reached it may have the announcement, and the raise stays reserved.
 */
export async function announceRaised(
  context: DispatchContext,
  raised: DispatchSession,
  before: DispatchSession,
): Promise<AnnouncementProblem> {
  const problem = await announce(context, raised);
  if (problem?.kind === 'over') {
    await context.store.changeSession(raised.sessionId, (now) =>
      now.revision === raised.revision ? withCapOf(now, before) : now,
    );
  }
  return problem;
}

/**
 * Announces many sessions to proxies, as far as they are registered. One that does not answer is left for the next sweep after
 * the first session.
 */
export async function announceAll(context: DispatchContext, sessions: readonly DispatchSession[]): Promise<void> {
  const byProxy = new Map<string, DispatchSession[]>();
  for (const session of sessions.filter(({ proxyId }) => context.proxies.get(proxyId) !== undefined)) {
    const those = byProxy.get(session.proxyId);
    if (those === undefined) byProxy.set(session.proxyId, [session]);
    else those.push(session);
  }
  await Promise.all([...byProxy.values()].map((those) => announceTo(context, those)));
}

async function announceTo(context: DispatchContext, sessions: readonly DispatchSession[]): Promise<void> {
  for (const session of sessions) {
    // A session that it does not take holds up no other.
    if ((await announce(context, session))?.kind === 'unreachable') return;
  }
}
