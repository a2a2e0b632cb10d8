import type { DispatchContext } from './context.ts';
import type { AccountBinding } from './dispatch-store.ts';
import { endSession } from './end-session.ts';

/**
 * Ends the bindings of an account, or the one to a single subscriber, and revokes the open sessions of the account that its
 * subscribers have. Resolves with how many bindings that were.
 */
export async function endAccountBindings(
  context: DispatchContext,
  { applicationId, account }: Pick<AccountBinding, 'applicationId' | 'account'>,
  onlySubscriber?: string,
): Promise<number> {
  const { store } = context;
  const ended = await store.transaction(() => {
    const bindings = store
      .accountBindings(applicationId, account)
      .filter(({ subscriber }) => onlySubscriber === undefined || subscriber === onlySubscriber);
    for (const binding of bindings) store.removeAccountBinding(binding);
    return bindings;
  });
  for (const binding of ended) await revokeSessions(context, binding);
  return ended.length;
}

async function revokeSessions(context: DispatchContext, { applicationId, account, subscriber }: AccountBinding) {
  for (const session of context.store.allLiveSessionsOf(subscriber)) {
    const isOfAccount = session.applicationId === applicationId && session.applicationAccount === account;
    if (isOfAccount && session.state === 'open') await endSession(context, session.sessionId, 'revoked', 'revoked');
  }
}
