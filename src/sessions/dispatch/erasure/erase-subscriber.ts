import { setTimeout as pause } from 'node:timers/promises';
import type { DispatchContext } from '../context.ts';
import { isWhollyReported } from '../dispatch-session.ts';
import { endSession } from '../end-session.ts';

/** So long a session's last reports are waited for: what comes later is of an unknown session, and is not taken. */
const REPORTS_WITHIN_MS = 5000;
const LOOK_EVERY_MS = 100;

export interface Erasure {
  /** Sessions that were open. */
  endedSessions: number;
  /** Entries of the store that were removed. */
  removedEntries: number;
}

/**
 * Ends a subscriber's open sessions, waits a few seconds for their last reports, and removes all that the store has of the
 * subscriber. Done again it finds nothing.
 */
export async function eraseSubscriber(
  context: DispatchContext,
  pseudonyms: readonly string[],
  reportsWithinMs = REPORTS_WITHIN_MS,
): Promise<Erasure> {
  const { store } = context;
  store.refuseErased(pseudonyms);
  const live = () => pseudonyms.flatMap((each) => store.sessionsOf(each)).filter(({ isSettled }) => !isSettled);
  const open = live().filter(({ state }) => state === 'open');
  await Promise.all(open.map(({ sessionId }) => endSession(context, sessionId, 'revoked', 'revoked')));
  const giveUpAtMs = performance.now() + reportsWithinMs;
  const isAwaited = () => live().some((session) => session.sequences.through > 0 && !isWhollyReported(session));
  while (isAwaited() && performance.now() < giveUpAtMs) await pause(LOOK_EVERY_MS);
  return { endedSessions: open.length, removedEntries: await store.erase(pseudonyms) };
}
