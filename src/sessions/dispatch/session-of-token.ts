import { createLocalJWKSet } from 'jose';
import { verifySessionToken } from '../protocol/session-token.ts';
import type { DispatchContext, Refused } from './context.ts';
import type { DispatchSession } from './dispatch-session.ts';
import { publicKeys } from './token-signing-keys.ts';

export interface TokenHolder {
  sessionId: string;
  token: string | undefined;
  /** Where the request comes from. */
  terminalIp: string;
}

/**
 * Returns the session of a token, at the address that the token was given to. Any token of the session will do that has
 * not expired, as the answer with a newer one may have been lost. With `mustBeOpen`, one that is over is refused.
 */
export async function sessionOfToken(
  { store, clock }: DispatchContext,
  { sessionId, token, terminalIp }: TokenHolder,
  mustBeOpen: boolean,
): Promise<DispatchSession | Refused> {
  const session = store.session(sessionId);
  if (session === undefined) return { refusal: 'session_unknown' };
  if (mustBeOpen && session.state !== 'open') return { refusal: 'session_over' };
  if (token === undefined) return { refusal: 'token_invalid', detail: 'there is none' };
  const verdict = await verifySessionToken(token, {
    getKey: createLocalJWKSet(publicKeys(store.fact('signingKeys') ?? [])),
    proxyId: session.proxyId,
    nowMs: clock.nowMs(),
  });
  if ('refusal' in verdict) return { refusal: 'token_invalid', detail: verdict.detail };
  if (verdict.claims.sessionId !== sessionId) return { refusal: 'token_invalid', detail: 'it is of another session' };
  if (session.terminalIp !== terminalIp) return { refusal: 'token_invalid', detail: 'it was given to another address' };
  return session;
}
