import { decodeJwt, errors, type JWTVerifyGetKey, jwtVerify } from 'jose';
import * as z from 'zod';
import {
  ASSERTION_ALGORITHM,
  ASSERTION_AUDIENCE,
  ASSERTION_TYPE,
  identityClaimsSchema,
} from '../session-protocol/identity-assertion.ts';
import { isKeySetFault } from '../session-protocol/key-set.ts';
import type { IdentityVerdict, IdentityVerifier } from './identity.ts';

/** Longest time from `iat` to `exp`. */
const ASSERTION_LIFE_SECONDS = 3600;
/** An operator's clock may be ahead by so much. */
const CLOCK_SKEW_MS = 60_000;

/** Verifies assertions that operators have signed. `keysOf` has each operator's public keys by its name (`iss`). */
export function operatorVerifier(keysOf: ReadonlyMap<string, JWTVerifyGetKey>): IdentityVerifier {
  return {
    async verify(assertion, nowMs) {
      const issuer = issuerOf(assertion);
      const getKey = issuer === undefined ? undefined : keysOf.get(issuer);
      if (issuer === undefined || getKey === undefined) {
        return { refusal: 'assertion_invalid', detail: 'it is of no operator that is known here' };
      }
      return verifyWith(assertion, issuer, getKey, nowMs);
    },
  };
}

async function verifyWith(
  assertion: string,
  issuer: string,
  getKey: JWTVerifyGetKey,
  nowMs: number,
): Promise<IdentityVerdict> {
  try {
    const { payload } = await jwtVerify(assertion, getKey, {
      algorithms: [ASSERTION_ALGORITHM],
      typ: ASSERTION_TYPE,
      issuer,
      audience: ASSERTION_AUDIENCE,
      currentDate: new Date(nowMs),
    });
    const claims = identityClaimsSchema.safeParse(payload);
    if (!claims.success) return { refusal: 'assertion_invalid', detail: z.prettifyError(claims.error) };
    const { iat, exp } = claims.data;
    if (exp - iat > ASSERTION_LIFE_SECONDS || iat * 1000 > nowMs + CLOCK_SKEW_MS) {
      const detail = `it must be valid for at most ${ASSERTION_LIFE_SECONDS} s, and not issued in the future`;
      return { refusal: 'assertion_invalid', detail };
    }
    return { claims: claims.data };
  } catch (error) {
    if (error instanceof errors.JWTExpired) return { refusal: 'assertion_expired', detail: error.message };
    if (!(error instanceof errors.JOSEError) || isKeySetFault(error)) throw error;
    return { refusal: 'assertion_invalid', detail: error.message };
  }
}

/** Who it says that it is of; nothing of it is believed before the signature is. */
function issuerOf(assertion: string): string | undefined {
  try {
    return decodeJwt(assertion).iss;
  } catch {
    return undefined;
  }
}
