import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { exportJWK, type JWK } from 'jose';
import { ConfigError } from '../../../platform/config/config-error.ts';

/** Name of the key that is made for development. */
export const DEVELOPMENT_KEY_ID = 'development';

/** The public half, as `operators[].jwksFile` of a dispatch server or `accountKeys.jwksFile` of a catalogue names it. */
export async function operatorJwks(key: KeyObject): Promise<{ keys: JWK[] }> {
  return { keys: [{ ...(await exportJWK(createPublicKey(key))), kid: DEVELOPMENT_KEY_ID, alg: 'EdDSA', use: 'sig' }] };
}

/** The private key of a file that is there already. Throws a ConfigError when it holds something else. */
export function readIssuerKey(path: string): KeyObject {
  try {
    return parseKey(readFileSync(path, 'utf8'), path);
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    throw new ConfigError(
      `${path}: cannot be read: ${(error as Error).message}; \`zerorate assertion --key\` makes one`,
    );
  }
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
