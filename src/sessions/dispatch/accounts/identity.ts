import type { IdentityClaims } from '../../protocol/identity-assertion.ts';
import type { DispatchRefusal } from '../../protocol/refusal.ts';

type IdentityRefusal = Extract<DispatchRefusal, 'assertion_invalid' | 'assertion_expired' | 'assertion_mismatch'>;

export type IdentityVerdict =
  | { claims: IdentityClaims; refusal?: undefined }
  | { refusal: IdentityRefusal; detail: string };

/**
 * Says who a terminal is by what its operator gave it. This is where another way of proving it is plugged in: the dispatch
 * server asks nothing else about identity.
 */
export interface IdentityVerifier {
  /** Rejects when it could not find out. */
  verify(assertion: string, nowMs: number): Promise<IdentityVerdict>;
}
