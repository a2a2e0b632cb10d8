import type { OneTimeAssertion, VerifiedAccount } from './accounts/account-verifier.ts';
import type { Refused } from './context.ts';
import type { DispatchStore } from './dispatch-store.ts';

/** What a request for a session has proven, and what its grant uses up. */
export interface SessionProof {
  applicationId: string;
  account: VerifiedAccount;
  /** Pseudonym of the subscriber whose identity is proven. */
  subscriber: string;
  /** How many subscribers may use the account. */
  subscribersPerAccount: number;
  identityAssertion: OneTimeAssertion;
  /** Where the account was proven by one. */
  accountAssertion?: OneTimeAssertion | undefined;
}

/** Why the proof is no longer good, or not for this subscriber; null when it is. In a transaction, with `useProof` after it. */
export function proofFault(store: DispatchStore, proof: SessionProof): Refused | null {
  const { subscriber, subscribersPerAccount, identityAssertion, accountAssertion } = proof;
  if (store.isAssertionUsed(identityAssertion)) return USED_IDENTITY;
  if (accountAssertion !== undefined && store.isAssertionUsed(accountAssertion)) {
    return { refusal: 'account_unverified', detail: 'the account assertion was used before: get a new one' };
  }
  const others = store.accountBindings(proof).filter((bound) => bound.subscriber !== subscriber);
  return others.length < subscribersPerAccount ? null : { refusal: 'account_bound' };
}

export const USED_IDENTITY: Refused = {
  refusal: 'assertion_invalid',
  detail: 'it was used before: get a new one from the network',
};

/** Uses the assertions up and binds the account to the subscriber, in the transaction that grants the session. */
export function useProof(store: DispatchStore, proof: SessionProof, nowMs: number): void {
  const { subscriber, identityAssertion, accountAssertion } = proof;
  store.putUsedAssertion(identityAssertion, nowMs);
  if (accountAssertion !== undefined) store.putUsedAssertion(accountAssertion, nowMs);
  const isBound = store.accountBindings(proof).some((bound) => bound.subscriber === subscriber);
  if (!isBound) store.putAccountBinding(proof, { subscriber, boundAtMs: nowMs });
}

/**
 * Makes the assertions good again, in the transaction that takes back a session that no proxy took over. The binding stays: the
 * account was proven, and another session may rely on it by now.
 */
export function releaseProof(store: DispatchStore, { identityAssertion, accountAssertion }: SessionProof): void {
  store.removeUsedAssertion(identityAssertion);
  if (accountAssertion !== undefined) store.removeUsedAssertion(accountAssertion);
}
