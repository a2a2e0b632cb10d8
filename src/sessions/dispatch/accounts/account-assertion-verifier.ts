import type { JWTVerifyGetKey } from 'jose';
import { ACCOUNT_ALGORITHMS, ACCOUNT_TYPE, accountClaimsSchema } from '../../protocol/account-assertion.ts';
import { type AccountVerifier, unverified, verifiedAccount } from './account-verifier.ts';
import { verifyAssertion } from './verify-assertion.ts';

export interface AccountAssertionOptions {
  applicationId: string;
  /** Of the key set: `iss` of the assertions. */
  issuer: string;
  getKey: JWTVerifyGetKey;
}

/**
 * Verifies account assertions that the sponsor of an application has signed. An assertion holds for this application, for the
 * identity assertion that it names (`AccountClaims` says why), and once.
 */
export function assertionVerifier({ applicationId, issuer, getKey }: AccountAssertionOptions): AccountVerifier {
  return {
    async verify({ assertion, identity }, nowMs) {
      if (assertion === undefined) return unverified("send the sponsor's account assertion as accountAssertion");
      const verdict = await verifyAssertion(assertion, {
        getKey,
        issuer,
        algorithms: ACCOUNT_ALGORITHMS,
        typ: ACCOUNT_TYPE,
        claims: accountClaimsSchema,
        nowMs,
      });
      if (verdict.fault !== undefined)
        return unverified(`the account assertion is ${verdict.fault}: ${verdict.detail}`);
      const { claims } = verdict;
      if (claims.applicationId !== applicationId) return unverified('the account assertion is of another application');
      if (claims.identity.iss !== identity.iss || claims.identity.jti !== identity.jti) {
        return unverified('the account assertion is bound to another identity assertion');
      }
      const named = verifiedAccount(claims.sub);
      if (named.refusal !== undefined) return named;
      // An application of its own each: an issuer of this name may sign identities or another application's accounts, too.
      const id = { issuer: `account ${applicationId} ${issuer}`, id: claims.jti, expiresAtMs: claims.exp * 1000 };
      return { account: named.account, assertion: id };
    },
  };
}
