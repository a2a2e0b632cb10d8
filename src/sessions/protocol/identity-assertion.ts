import { type KeyObject, randomUUID } from 'node:crypto';
import { SignJWT } from 'jose';
import * as z from 'zod';
import { E164 } from '../../rating/record/msisdn.ts';

/** Pinned: an assertion of any other algorithm is not read (RFC 8725, 3.1). */
export const ASSERTION_ALGORITHM = 'EdDSA';
export const ASSERTION_TYPE = 'zerorate-identity+jwt';
/** Who an assertion is for. */
export const ASSERTION_AUDIENCE = 'zerorate-dispatch';
/** Longest time from `iat` to `exp`, of identity assertions and account assertions. */
export const ASSERTION_LIFE_SECONDS = 3600;

/**
 * Claims of the operator's identity assertion: a JWT, EdDSA, that the operator's network gives to a terminal, as it knows which
 * MSISDN has which address. The dispatch server knows the operator's public keys.
 */
export const identityClaimsSchema = z.object({
  /** The operator. */
  iss: z.string().min(1),
  /** MSISDN in normal form. */
  sub: z.string().regex(E164),
  terminalIp: z.string().min(1),
  jti: z.string().min(1),
  /** Seconds since 1970. */
  iat: z.int(),
  exp: z.int(),
});
export type IdentityClaims = z.output<typeof identityClaimsSchema>;

/** That an operator's subscriber has an address, for so many seconds from now on. */
export function identityClaims(
  { issuer, msisdn, terminalIp }: { issuer: string; msisdn: string; terminalIp: string },
  nowMs: number,
  seconds: number,
): IdentityClaims {
  const iat = Math.floor(nowMs / 1000);
  return { iss: issuer, sub: msisdn, terminalIp, jti: randomUUID(), iat, exp: iat + seconds };
}

/** Signs as an operator does, with an Ed25519 key. */
export function signIdentityAssertion(
  { iss, sub, jti, iat, exp, terminalIp }: IdentityClaims,
  { keyId, privateKey }: { keyId: string; privateKey: KeyObject },
): Promise<string> {
  return new SignJWT({ terminalIp })
    .setProtectedHeader({ alg: ASSERTION_ALGORITHM, kid: keyId, typ: ASSERTION_TYPE })
    .setIssuer(iss)
    .setSubject(sub)
    .setAudience(ASSERTION_AUDIENCE)
    .setJti(jti)
    .setIssuedAt(iat)
    .setExpirationTime(exp)
    .sign(privateKey);
}
