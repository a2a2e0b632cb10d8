import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, randomUUID } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { exportJWK, type JWK, SignJWT } from 'jose';
import { ConfigError } from '../platform/config-error.ts';
import { ASSERTION_AUDIENCE, ASSERTION_TYPE, type IdentityClaims } from '../session-protocol/identity-assertion.ts';

const KEY_ID = 'development';

/** Signs as an operator would: for development and tests, where there is no network that knows who has which address. */
export function signIdentityAssertion(
  { iss, sub, jti, iat, exp, terminalIp }: IdentityClaims,
  key: KeyObject,
): Promise<string> {
  return new SignJWT({ terminalIp })
    .setProtectedHeader({ alg: 'EdDSA', kid: KEY_ID, typ: ASSERTION_TYPE })
    .setIssuer(iss)
    .setSubject(sub)
    .setAudience(ASSERTION_AUDIENCE)
    .setJti(jti)
    .setIssuedAt(iat)
    .setExpirationTime(exp)
    .sign(key);
}

export function assertionClaims(
  { issuer, msisdn, terminalIp }: { issuer: string; msisdn: string; terminalIp: string },
  nowMs: number,
  seconds: number,
): IdentityClaims {
  const iat = Math.floor(nowMs / 1000);
  return { iss: issuer, sub: msisdn, terminalIp, jti: randomUUID(), iat, exp: iat + seconds };
}

/** The public half as `operators[].jwksFile` of a dispatch server wants it. */
export async function operatorJwks(key: KeyObject): Promise<{ keys: JWK[] }> {
  return { keys: [{ ...(await exportJWK(createPublicKey(key))), kid: KEY_ID, alg: 'EdDSA', use: 'sig' }] };
}

/**
 * The private key (PKCS #8, PEM) of a file. Made with its public half beside it (`<file>.jwks.json`) where there is no such
 * file. Rejects with a ConfigError when the file holds something else.
 */
export async function developmentIssuerKey(path: string): Promise<{ key: KeyObject; isNew: boolean }> {
  const pem = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw new ConfigError(`${path}: cannot be read: ${error.message}`);
  });
  if (pem !== null) return { key: parseKey(pem, path), isNew: false };
  const { privateKey } = generateKeyPairSync('ed25519');
  await writeFile(path, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600, flag: 'wx' });
  await writeFile(`${path}.jwks.json`, `${JSON.stringify(await operatorJwks(privateKey), null, 2)}\n`);
  return { key: privateKey, isNew: true };
}

function parseKey(pem: string, path: string): KeyObject {
  try {
    const key = createPrivateKey(pem);
    if (key.asymmetricKeyType === 'ed25519') return key;
  } catch {
    // Whatever it is instead, the remedy is the same.
  }
  throw new ConfigError(
    `${path}: expected an Ed25519 private key (PKCS #8, PEM); name a file that is not there to have one made`,
  );
}
