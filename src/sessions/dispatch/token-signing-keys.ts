import { createPrivateKey, generateKeyPairSync, type JsonWebKey, randomUUID } from 'node:crypto';
import type { JWK } from 'jose';
import { TOKEN_ALGORITHM, type TokenSigningKey } from '../protocol/session-token.ts';

/** An Ed25519 key as it is kept. Tokens are signed with it from `activeFromMs` until the next key's. */
export interface StoredKey {
  keyId: string;
  activeFromMs: number;
  /** Private, JWK. */
  jwk: JsonWebKey;
}

export interface Rotation {
  rotationIntervalMs: number;
  /** Tokens live so long at most: as long a retired key is still shown. */
  tokenMs: number;
}

function makeKey(activeFromMs: number): StoredKey {
  const jwk = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' });
  return { keyId: randomUUID(), activeFromMs, jwk };
}

/**
 * The keys to have now, by the time that they sign from: retired ones until their last token has expired, the current one,
 * and the next, which is shown a whole turn before it signs, so that every proxy knows it by then.
 */
export function rotateKeys(
  keys: readonly StoredKey[],
  nowMs: number,
  { rotationIntervalMs, tokenMs }: Rotation,
  make: (activeFromMs: number) => StoredKey = makeKey,
): StoredKey[] {
  const sorted = [...keys].sort((a, b) => a.activeFromMs - b.activeFromMs);
  if (!sorted.some(({ activeFromMs }) => activeFromMs <= nowMs)) sorted.unshift(make(nowMs));
  const newest = sorted[sorted.length - 1];
  if (newest.activeFromMs <= nowMs) {
    const due = newest.activeFromMs + rotationIntervalMs;
    sorted.push(make(due > nowMs ? due : nowMs + rotationIntervalMs));
  }
  return sorted.filter((_, at) => at + 1 === sorted.length || nowMs < sorted[at + 1].activeFromMs + tokenMs);
}

/** The key that signs now; `rotateKeys` sees to it that there is one. */
export function currentTokenKey(keys: readonly StoredKey[], nowMs: number): TokenSigningKey {
  const key = keys.findLast(({ activeFromMs }) => activeFromMs <= nowMs);
  if (key === undefined) throw new Error('no key signs now');
  return { keyId: key.keyId, privateKey: createPrivateKey({ key: key.jwk, format: 'jwk' }) };
}

/** The public halves, for `/.well-known/jwks.json`. */
export function publicKeys(keys: readonly StoredKey[]): { keys: JWK[] } {
  return {
    keys: keys.map(
      ({ keyId, jwk: { kty, crv, x } }) => ({ kty, crv, x, kid: keyId, alg: TOKEN_ALGORITHM, use: 'sig' }) as JWK,
    ),
  };
}
