import { errors, FlattenedSign, flattenedVerify, importJWK } from 'jose';
import type { PublicKeySet, StatementSigningKey } from './statement-signing-key.ts';

const ALGORITHM = 'EdDSA';
/** Type of the signed content: a signature of another type by the same key is not one of a statement. */
const TYPE = 'zerorate-statement';
/** Header and signature of a JWS whose payload is detached (RFC 7515, appendix F). Nothing before, after or between them. */
const DETACHED = /^([A-Za-z0-9_-]+)\.\.([A-Za-z0-9_-]+)$/;

/** Ending of the signature file beside the signed file. */
export const SIGNATURE_ENDING = '.jws';

/**
 * Signs the bytes of a file: returns a detached JWS with Ed25519, whose payload is the unencoded bytes (RFC 7797, `b64:
 * false`). The same bytes and key give the same text.
 */
export async function signOctets(octets: Uint8Array, { keyId, privateKey }: StatementSigningKey): Promise<string> {
  const signed = await new FlattenedSign(octets)
    .setProtectedHeader({ alg: ALGORITHM, b64: false, crit: ['b64'], kid: keyId, typ: TYPE })
    .sign(privateKey);
  return `${signed.protected}..${signed.signature}`;
}

export type SignatureVerdict = { keyId: string; fault?: undefined } | { keyId?: undefined; fault: string };

/** Returns the key of the set that signed these bytes; `fault` says why none did. */
export async function verifyOctets(
  octets: Uint8Array,
  signature: string,
  keys: PublicKeySet,
): Promise<SignatureVerdict> {
  const [, header, value] = DETACHED.exec(signature) ?? [];
  if (header === undefined || !isCanonical(header) || !isCanonical(value)) {
    return { fault: 'the signature is not as it was written: expected HEADER..SIGNATURE and nothing else' };
  }
  const { kid, typ } = headerOf(header);
  if (typ !== TYPE) return { fault: 'the signature is not one of a statement' };
  const key = keys.keys.find((each) => each.kid === kid);
  if (key === undefined) {
    return {
      fault: `the signature is by key ${kid}, which the key set does not have; take the operator’s current key set`,
    };
  }
  try {
    const jws = { protected: header, payload: octets, signature: value };
    const imported = await importJWK({ kty: key.kty, crv: key.crv, x: key.x }, ALGORITHM);
    await flattenedVerify(jws, imported, { algorithms: [ALGORITHM], crit: { b64: true } });
    return { keyId: key.kid };
  } catch (error) {
    if (!(error instanceof errors.JOSEError)) throw error;
    return { fault: `the signature by key ${key.kid} is not one of these octets` };
  }
}

/** Base64url has several texts for the same bytes, which differ in their last bits; only one of them is canonical. */
function isCanonical(text: string): boolean {
  return Buffer.from(text, 'base64url').toString('base64url') === text;
}

function headerOf(text: string): { kid?: unknown; typ?: unknown } {
  try {
    const header: unknown = JSON.parse(Buffer.from(text, 'base64url').toString('utf8'));
    return typeof header === 'object' && header !== null ? header : {};
  } catch {
    return {};
  }
}
