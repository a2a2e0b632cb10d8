import { accountNameFault } from '../../protocol/account-name.ts';
import type { DispatchRefusal } from '../../protocol/refusal.ts';

declare const verified: unique symbol;
/**
 * An application account that a verifier has proven. Sessions hold only this type, and only `verifiedAccount` makes it, so that no text of a
 * terminal can become the account of a session, of an announcement or of a relay.
 */
export type VerifiedAccount = string & { readonly [verified]: true };

/** What there is to verify: the proven identity, and what the terminal sent about the account. */
export interface AccountClaim {
  applicationId: string;
  /** Proven: MSISDN, and its pseudonym (32 hex digits). */
  msisdn: string;
  subscriber: string;
  /** Of the identity assertion that proves them. */
  identity: { iss: string; jti: string };
  /** Unproven, of the terminal. */
  assertion?: string | undefined;
  /** Unproven, of the terminal: the account that it wants. To select among proven accounts, and for nothing else. */
  wanted?: string | undefined;
}

/** An assertion that may be used once, by its issuer's `jti`. */
export interface OneTimeAssertion {
  issuer: string;
  id: string;
  expiresAtMs: number;
}

export interface AccountRefusal {
  refusal: Extract<DispatchRefusal, 'account_unverified'>;
  detail: string;
  /** Set where another attempt may succeed without any change. */
  retryAfterMs?: number;
}

export type AccountVerdict =
  | { account: VerifiedAccount; assertion?: OneTimeAssertion; refusal?: undefined }
  | AccountRefusal;

/**
 * Finds out which account of an application a subscriber has. Another way of proving accounts is another implementation; the
 * dispatch server has no other source of accounts.
 */
export interface AccountVerifier {
  /** Rejects when it cannot find out. */
  verify(claim: AccountClaim, nowMs: number): Promise<AccountVerdict>;
  /** Forgets what it knows of a subscriber. Absent: it remembers nothing. */
  forget?(subscriber: string): void;
}

/** Only for verifiers: the account of a proof, or a refusal where its name has no normal form. */
export function verifiedAccount(proven: string): { account: VerifiedAccount; refusal?: undefined } | AccountRefusal {
  const fault = accountNameFault(proven);
  return fault === null
    ? { account: proven as VerifiedAccount }
    : unverified(`the proof names no valid account: ${fault}`);
}

export function unverified(detail: string, retryAfterMs?: number): AccountRefusal {
  return { refusal: 'account_unverified', detail, ...(retryAfterMs !== undefined && { retryAfterMs }) };
}
