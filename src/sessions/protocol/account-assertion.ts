import { type KeyObject, randomUUID } from 'node:crypto';
import { decodeJwt, SignJWT } from 'jose';
import * as z from 'zod';
import { ASSERTION_AUDIENCE } from './identity-assertion.ts';

/** Pinned, as RFC 8725, 3.1 asks: an account assertion of any other algorithm is refused. */
export const ACCOUNT_ALGORITHMS = ['EdDSA', 'ES256'] as const;
export const ACCOUNT_TYPE = 'zerorate-account+jwt';

/**
 * Claims of an application's account assertion: a JWT (EdDSA or ES256) by which the sponsor states which account is logged in at
 * the terminal that holds a certain identity assertion. `identity` names that identity assertion by issuer and `jti`.
 *
 * The `jti` and not the MSISDN binds the two, for three reasons. The sponsor need not learn the number: the terminal gives it
 * the issuer and the `jti` only. Each pair is proven at one moment, so that a number that got another holder is not served
 * by an older statement. And as the operator issues an identity assertion for one address and the dispatch server accepts it
 * once, a stolen account assertion is of no use: another terminal cannot present the identity assertion that it names.
 */
export const accountClaimsSchema = z.object({
  /** As `accountKeys.issuer` of the application in the catalogue. */
  iss: z.string().min(1),
  /** The account. */
  sub: z.string().min(1),
  /** Id of the application: a sponsor's applications may share a key set. */
  applicationId: z.string().min(1),
  /** The identity assertion that it is bound to. */
  identity: z.object({ iss: z.string().min(1), jti: z.string().min(1) }),
  jti: z.string().min(1),
  /** Seconds since 1970. */
  iat: z.int(),
  exp: z.int(),
});
export type AccountClaims = z.output<typeof accountClaimsSchema>;

export interface AccountStatement {
  issuer: string;
  applicationId: string;
  account: string;
  /** Of the identity assertion. */
  identity: AccountClaims['identity'];
}

/** That an account is logged in at the holder of an identity assertion, for so many seconds from now on. */
export function accountClaims(
  { issuer, applicationId, account, identity: { iss, jti } }: AccountStatement,
  nowMs: number,
  seconds: number,
): AccountClaims {
  const iat = Math.floor(nowMs / 1000);
  const identity = { iss, jti };
  return { iss: issuer, sub: account, applicationId, identity, jti: randomUUID(), iat, exp: iat + seconds };
}

/** Names an identity assertion, without verifying it, for an assertion that is bound to it. Throws a TypeError when it is none. */
export function identityOf(identityAssertion: string): AccountClaims['identity'] {
  let claims: { iss?: string | undefined; jti?: string | undefined };
  try {
    claims = decodeJwt(identityAssertion);
  } catch (cause) {
    throw new TypeError('not an identity assertion: expected a signed JWT', { cause });
  }
  const { iss, jti } = claims;
  if (iss === undefined || jti === undefined) throw new TypeError('not an identity assertion: it has no iss or no jti');
  return { iss, jti };
}

/** Signs as a sponsor does, with an Ed25519 key or, as ES256, with one on the curve P-256. */
export function signAccountAssertion(
  { iss, sub, applicationId, identity, jti, iat, exp }: AccountClaims,
  { keyId, privateKey }: { keyId: string; privateKey: KeyObject },
): Promise<string> {
  const alg = privateKey.asymmetricKeyType === 'ec' ? 'ES256' : 'EdDSA';
  return new SignJWT({ applicationId, identity })
    .setProtectedHeader({ alg, kid: keyId, typ: ACCOUNT_TYPE })
    .setIssuer(iss)
    .setSubject(sub)
    .setAudience(ASSERTION_AUDIENCE)
    .setJti(jti)
    .setIssuedAt(iat)
    .setExpirationTime(exp)
    .sign(privateKey);
}
