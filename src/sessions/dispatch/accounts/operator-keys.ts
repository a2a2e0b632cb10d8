import { decodeJwt, type JWTVerifyGetKey } from 'jose';
import { ASSERTION_ALGORITHM, ASSERTION_TYPE, identityClaimsSchema } from '../../protocol/identity-assertion.ts';
import type { IdentityVerifier } from './identity.ts';
import { verifyAssertion } from './verify-assertion.ts';

/** Verifies assertions that operators have signed. `keysOf` has each operator's public keys by its name (`iss`). */
export function operatorVerifier(keysOf: ReadonlyMap<string, JWTVerifyGetKey>): IdentityVerifier {
  return {
    async verify(assertion, nowMs) {
      const issuer = issuerOf(assertion);
      const getKey = issuer === undefined ? undefined : keysOf.get(issuer);
      if (issuer === undefined || getKey === undefined) {
        return { refusal: 'assertion_invalid', detail: 'it is of no operator that is known here' };
      }
      const verdict = await verifyAssertion(assertion, {
        getKey,
        issuer,
        algorithms: [ASSERTION_ALGORITHM],
        typ: ASSERTION_TYPE,
        claims: identityClaimsSchema,
        nowMs,
      });
      if (verdict.fault === undefined) return { claims: verdict.claims };
      return { refusal: `assertion_${verdict.fault}`, detail: verdict.detail };
    },
  };
}

/** The issuer that it names, before anything of it is verified. */
function issuerOf(assertion: string): string | undefined {
  try {
    return decodeJwt(assertion).iss;
  } catch {
    return undefined;
  }
}
