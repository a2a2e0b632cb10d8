import type { SessionGrant } from '../protocol/dispatch-messages.ts';
import type { SessionKeeper } from './session-keeper.ts';

/** A session that is refused for one of these is of no use any more; another one may be. */
const ENDS_SESSION = new Set([
  'connection_lost',
  'proxy_unreachable',
  'token_invalid',
  'token_expired',
  'other_proxy',
  'session_unknown',
  'session_over',
  'token_replayed',
  'cap_reached',
  // What a proxy says when it closes.
  'terminal_left',
  'idle',
  'revoked',
  'expired',
  'proxy_stopped',
]);
/** No other way would help. */
const OF_THE_MESSAGE = new Set(['message_invalid', 'message_too_large', 'message_forged', 'message_replayed']);
const SESSIONS_TRIED = 3;

export type Attempt<T> = { done: T; refusal?: undefined } | { refusal: string };
export type Travelled<T> =
  | { via: 'proxy'; done: T }
  | { via: 'direct'; reason: string; done: T }
  | { via: null; reason: string };

/**
 * Tries the session's proxy; where the session is over, another one; where that is refused, the direct path, with the reason why.
 */
export async function takeBestWay<T>(
  keeper: SessionKeeper,
  attempt: (grant: SessionGrant | null) => Promise<Attempt<T>>,
): Promise<Travelled<T>> {
  let reason = 'no_session';
  for (let tried = 1; tried <= SESSIONS_TRIED; tried++) {
    const way = await keeper.way();
    if (way.grant === null) {
      reason = way.reason;
      break;
    }
    const outcome = await attempt(way.grant);
    if (outcome.refusal === undefined) return { via: 'proxy', done: outcome.done };
    reason = outcome.refusal;
    if (OF_THE_MESSAGE.has(reason)) return { via: null, reason };
    if (!ENDS_SESSION.has(reason)) break;
    keeper.forget(way.grant, reason);
    if (tried === SESSIONS_TRIED) keeper.giveUp(reason);
  }
  const outcome = await attempt(null);
  if (outcome.refusal !== undefined) return { via: null, reason: outcome.refusal };
  return { via: 'direct', reason, done: outcome.done };
}
