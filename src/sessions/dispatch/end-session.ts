import type { SessionEnding } from '../protocol/refusal.ts';
import type { DispatchContext } from './context.ts';
import { type DispatchSession, over } from './dispatch-session.ts';
import { announceAll } from './proxies/announce.ts';

/**
 * Ends an open session, and notifies its proxy; one that cannot be reached is notified later. Of a session that is over already
 * nothing changes. Resolves with the session, undefined where there is none of this id.
 */
export async function endSession(
  context: DispatchContext,
  sessionId: string,
  state: 'ended' | 'revoked',
  ending: SessionEnding,
): Promise<DispatchSession | undefined> {
  const session = await context.store.changeSession(sessionId, (now) =>
    now.state === 'open' ? over(now, state, ending) : now,
  );
  if (session !== undefined && session.acknowledgedRevision < session.revision) await announceAll(context, [session]);
  return session;
}
