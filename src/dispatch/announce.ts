import type { DispatchContext } from './context.ts';
import { proxyProblems } from './proxy-problems.ts';
import { acknowledged, announcementOf, type Session } from './session.ts';
import { sessionTagsOf } from './session-tags.ts';

/** Tells the session's proxy how it stands now; resolves with null when the proxy has taken it over, else with what went wrong. */
export async function announce(context: DispatchContext, session: Session): Promise<string | null> {
  const { proxies, control, store, clock } = context;
  const proxy = proxies.get(session.proxyId);
  if (proxy === undefined) return 'the proxy has given no sign of life yet';
  const sessionTags = sessionTagsOf(context, session, proxy.endpoints);
  const problem = await control.announce(proxy, { ...announcementOf(session), ...(sessionTags && { sessionTags }) });
  const problems = proxyProblems(context, session.proxyId);
  if (problem !== null) {
    problems.report(problem, 'a proxy takes no announcements; its sessions are given to others, and it is tried again');
    return problem;
  }
  problems.over('the proxy takes announcements again');
  await store.changeSession(session.sessionId, (now) => acknowledged(now, session.revision, clock.nowMs()));
  return null;
}

/**
 * Tells proxies of many sessions, as far as they have been heard. One that does not answer is left for the next sweep after
 * the first session that it does not take.
 */
export async function announceAll(context: DispatchContext, sessions: readonly Session[]): Promise<void> {
  const byProxy = new Map<string, Session[]>();
  for (const session of sessions.filter(({ proxyId }) => context.proxies.get(proxyId) !== undefined)) {
    const those = byProxy.get(session.proxyId);
    if (those === undefined) byProxy.set(session.proxyId, [session]);
    else those.push(session);
  }
  await Promise.all([...byProxy.values()].map((those) => announceTo(context, those)));
}

async function announceTo(context: DispatchContext, sessions: readonly Session[]): Promise<void> {
  for (const session of sessions) {
    if ((await announce(context, session)) !== null) return;
  }
}
