import { errors, type JWTVerifyGetKey, jwtVerify } from 'jose';
import * as z from 'zod';
import { ASSERTION_AUDIENCE, ASSERTION_LIFE_SECONDS } from '../../protocol/identity-assertion.ts';
import { isKeySetFault } from '../../protocol/key-set.ts';

/** An issuer's clock may be ahead by so much. */
const CLOCK_SKEW_MS = 60_000;

export interface AssertionRules<T> {
  getKey: JWTVerifyGetKey;
  issuer: string;
  /** Pinned: the assertion does not choose. */
  algorithms: readonly string[];
  typ: string;
  claims: z.ZodType<T>;
  nowMs: number;
}

export type AssertionVerdict<T> =
  | { claims: T; fault?: undefined }
  | { fault: 'invalid' | 'expired'; detail: string; claims?: undefined };

/**
 * Verifies an assertion for the dispatch server, of whatever kind: signature, algorithm, type, issuer, audience, and that it is valid
 * for at most an hour from an `iat` that is not in the future. Rejects when the key set cannot be had.
 */
export async function verifyAssertion<T extends { iat: number; exp: number }>(
  assertion: string,
  { getKey, issuer, algorithms, typ, claims: schema, nowMs }: AssertionRules<T>,
): Promise<AssertionVerdict<T>> {
  try {
    const { payload } = await jwtVerify(assertion, getKey, {
      algorithms: [...algorithms],
      typ,
      issuer,
      audience: ASSERTION_AUDIENCE,
      currentDate: new Date(nowMs),
    });
    const claims = schema.safeParse(payload);
    if (!claims.success) return { fault: 'invalid', detail: z.prettifyError(claims.error) };
    const { iat, exp } = claims.data;
    if (exp - iat > ASSERTION_LIFE_SECONDS || iat * 1000 > nowMs + CLOCK_SKEW_MS) {
      const detail = `it must be valid for at most ${ASSERTION_LIFE_SECONDS} s, and not issued in the future`;
      return { fault: 'invalid', detail };
    }
    return { claims: claims.data };
  } catch (error) {
    if (error instanceof errors.JWTExpired) return { fault: 'expired', detail: error.message };
    if (!(error instanceof errors.JOSEError) || isKeySetFault(error)) throw error;
    return { fault: 'invalid', detail: error.message };
  }
}
