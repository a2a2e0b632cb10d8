import type { KeyObject } from 'node:crypto';
import { errors, type JWTVerifyGetKey, jwtVerify, SignJWT } from 'jose';
import * as z from 'zod';
import { isKeySetFault } from './key-set.ts';

/** Pinned: a token of any other algorithm is not read (RFC 8725, 3.1). */
export const TOKEN_ALGORITHM = 'EdDSA';
const TOKEN_TYPE = 'zerorate-session+jwt';
export const TOKEN_ISSUER = 'zerorate-dispatch';

/** Claims of a session token. It names the subscriber by pseudonym alone. */
const sessionClaimsSchema = z.object({
  /** Unique for each token, so that a renewed session has another. */
  jti: z.string().min(1),
  sessionId: z.string().min(1),
  /** Pseudonym, 32 hex digits. */
  sub: z.string().regex(/^[\da-f]{32}$/),
  /** The one proxy that it is for. */
  aud: z.string().min(1),
  applicationId: z.string().min(1),
  /** Sponsored octets that the session may use, counted from its start. */
  sponsoredOctetsCap: z.int().min(0),
  /** Address that the terminal asked from: the token is worth nothing from another. */
  terminalIp: z.string().min(1),
  /** Seconds since 1970. */
  iat: z.int(),
  exp: z.int(),
});
export type SessionClaims = z.output<typeof sessionClaimsSchema>;

export interface TokenSigningKey {
  keyId: string;
  privateKey: KeyObject;
}

export function signSessionToken(
  { jti, sub, aud, iat, exp, ...own }: SessionClaims,
  key: TokenSigningKey,
): Promise<string> {
  return new SignJWT(own)
    .setProtectedHeader({ alg: TOKEN_ALGORITHM, kid: key.keyId, typ: TOKEN_TYPE })
    .setIssuer(TOKEN_ISSUER)
    .setJti(jti)
    .setSubject(sub)
    .setAudience(aud)
    .setIssuedAt(iat)
    .setExpirationTime(exp)
    .sign(key.privateKey);
}

export type TokenVerdict =
  | { claims: SessionClaims }
  | { refusal: 'token_invalid' | 'token_expired' | 'other_proxy'; detail: string };

/**
 * Verifies a token by the dispatch server's keys, this proxy and the time. A forged or expired token is an expected
 * outcome; keys that cannot be had are thrown as `getKey` throws them.
 */
export async function verifySessionToken(
  token: string,
  options: { getKey: JWTVerifyGetKey; proxyId: string; nowMs: number },
): Promise<TokenVerdict> {
  try {
    const { payload } = await jwtVerify(token, options.getKey, {
      algorithms: [TOKEN_ALGORITHM],
      typ: TOKEN_TYPE,
      issuer: TOKEN_ISSUER,
      audience: options.proxyId,
      currentDate: new Date(options.nowMs),
    });
    const claims = sessionClaimsSchema.safeParse(payload);
    if (!claims.success) return { refusal: 'token_invalid', detail: z.prettifyError(claims.error) };
    return { claims: claims.data };
  } catch (error) {
    return refusalOf(error, options.nowMs);
  }
}

function refusalOf(error: unknown, nowMs: number): TokenVerdict {
  if (!(error instanceof errors.JOSEError) || isKeySetFault(error)) throw error;
  if (error instanceof errors.JWTExpired) return { refusal: 'token_expired', detail: error.message };
  if (error instanceof errors.JWTClaimValidationFailed && error.claim === 'aud') {
    // jose looks at the audience first; the documented order has the time before it.
    const { exp } = error.payload;
    if (exp !== undefined && exp * 1000 <= nowMs) return { refusal: 'token_expired', detail: 'its exp has passed' };
    return { refusal: 'other_proxy', detail: error.message };
  }
  return { refusal: 'token_invalid', detail: error.message };
}
