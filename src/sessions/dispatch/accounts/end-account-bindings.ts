import type { DispatchContext } from '../context.ts';
import type { AccountName } from '../dispatch-store.ts';
import { endSession } from '../end-session.ts';

/**
 * Ends the bindings of an account, or the one to a single subscriber, and revokes the open sessions of the account that its
 * subscribers have. Resolves with how many bindings that were.
 */
export async function endAccountBindings(
  context: DispatchContext,
  account: AccountName,
  onlySubscriber?: string,
): Promise<number> {
  const { store } = context;
  const ended = await store.transaction(() => {
    const bindings = store
      .accountBindings(account)
      .filter(({ subscriber }) => onlySubscriber === undefined || subscriber === onlySubscriber);
    for (const binding of bindings) store.removeAccountBinding(account, binding);
    return bindings;
  });
  for (const { subscriber } of ended) await revokeSessions(context, account, subscriber);
  return ended.length;
}

async function revokeSessions(
  context: DispatchContext,
  { applicationId, account }: AccountName,
  subscriber: string,
): Promise<void> {
  for (const session of context.store.allLiveSessionsOf(subscriber)) {
    const isOfAccount = session.applicationId === applicationId && session.applicationAccount === account;
    if (isOfAccount && session.state === 'open') await endSession(context, session.sessionId, 'revoked', 'revoked');
  }
}
