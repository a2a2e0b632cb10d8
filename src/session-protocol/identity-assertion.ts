import * as z from 'zod';

export const ASSERTION_TYPE = 'zerorate-identity+jwt';
/** Who an assertion is for. */
export const ASSERTION_AUDIENCE = 'zerorate-dispatch';

/**
 * Claims of the operator's identity assertion: a JWT, EdDSA, that the operator's network gives to a terminal, as it knows which
 * MSISDN has which address. The dispatch server knows the operator's public keys.
 */
export const identityClaimsSchema = z.object({
  /** The operator. */
  iss: z.string().min(1),
  /** MSISDN, 1 to 15 digits. */
  sub: z.string().regex(/^\d{1,15}$/),
  terminalIp: z.string().min(1),
  jti: z.string().min(1),
  /** Seconds since 1970. */
  iat: z.int(),
  exp: z.int(),
});
export type IdentityClaims = z.output<typeof identityClaimsSchema>;
