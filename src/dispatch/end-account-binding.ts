import type { DispatchContext } from './context.ts';
import type { AccountBinding } from './dispatch-store.ts';
import { endSession } from './end-session.ts';

/**
 * Ends the binding of an account to its subscribers, or to one of them, and revokes their open sessions of the account. Resolves
 * with the subscribers that it was bound to.
 */
export async function endAccountBinding(
  context: DispatchContext,
  { applicationId, account }: Pick<AccountBinding, 'applicationId' | 'account'>,
  only?: string,
): Promise<string[]> {
  const { store } = context;
  const ended = await store.transaction(() => {
    const subscribers = store.accountBinding(applicationId, account)?.subscribers ?? [];
    const leaves = ({ subscriber }: { subscriber: string }) => only === undefined || subscriber === only;
    const stay = subscribers.filter((bound) => !leaves(bound));
    store.putAccountBinding({ applicationId, account, subscribers: stay });
    return subscribers.filter(leaves).map(({ subscriber }) => subscriber);
  });
  for (const subscriber of ended) await revokeSessions(context, subscriber, { applicationId, account });
  return ended;
}

/** As `endAccountBinding`, for every account of a subscriber: when the subscriber is erased. */
export async function endBindingsOf(context: DispatchContext, subscriber: string): Promise<void> {
  for (const binding of context.store.accountBindingsOf(subscriber)) {
    await endAccountBinding(context, binding, subscriber);
  }
}

async function revokeSessions(
  context: DispatchContext,
  subscriber: string,
  { applicationId, account }: Pick<AccountBinding, 'applicationId' | 'account'>,
): Promise<void> {
  for (const session of context.store.allLiveSessionsOf(subscriber)) {
    const isOfAccount = session.applicationId === applicationId && session.applicationAccount === account;
    if (isOfAccount && session.state === 'open') await endSession(context, session.sessionId, 'revoked', 'revoked');
  }
}
