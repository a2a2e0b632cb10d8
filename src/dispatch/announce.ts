import type { DispatchContext } from './context.ts';
import { acknowledged, announcementOf, type Session } from './session.ts';
import { sessionTagsOf } from './session-tags.ts';

/** Tells the session's proxy how it stands now; resolves with null when the proxy has taken it over, else with what went wrong. */
export async function announce(context: DispatchContext, session: Session): Promise<string | null> {
  const { proxies, control, store, clock } = context;
  const proxy = proxies.get(session.proxyId);
  if (proxy === undefined) return 'the proxy has given no sign of life yet';
  const sessionTags = sessionTagsOf(context, session, proxy.endpoints);
  const problem = await control.announce(proxy, { ...announcementOf(session), ...(sessionTags && { sessionTags }) });
  if (problem !== null) return problem;
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
  await Promise.all([...byProxy].map(([proxyId, those]) => announceTo(context, proxyId, those)));
}

async function announceTo(context: DispatchContext, proxyId: string, sessions: readonly Session[]): Promise<void> {
  for (const session of sessions) {
    const problem = await announce(context, session);
    if (problem === null) continue;
    context.logger.warn(
      { proxyId, sessionId: session.sessionId, problem },
      'a proxy did not take over how sessions stand',
    );
    return;
  }
}
