import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import * as z from 'zod';

const VERSION = 1;
/** 32 bytes as everywhere in a JWK: base64url without padding. */
const octets32 = () => z.string().regex(/^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/);
const instant = () => z.iso.datetime();

const keyFileSchema = z.strictObject({
  version: z.literal(VERSION),
  /** Oldest first; the last one signs. A key that was replaced has no private half. */
  keys: z
    .array(
      z.strictObject({
        keyId: octets32(),
        createdAt: instant(),
        retiredAt: instant().nullable(),
        x: octets32(),
        d: octets32().optional(),
      }),
    )
    .min(1),
});

const publicKeySchema = z.looseObject({
  kty: z.literal('OKP'),
  crv: z.literal('Ed25519'),
  x: octets32(),
  kid: z.string().min(1),
});

/** A JSON Web Key Set (RFC 7517) of Ed25519 keys (RFC 8037). Keys of other kinds are refused: this set is of statements only. */
export const publicKeySetSchema = z.looseObject({ keys: z.array(publicKeySchema).min(1) });
export type PublicKeySet = z.output<typeof publicKeySetSchema>;

/** The operator's keys for statements, as in their file. */
export type StatementSigningKeys = z.output<typeof keyFileSchema>;

export interface StatementSigningKey {
  keyId: string;
  privateKey: KeyObject;
}

/** Returns a key file with the first key. */
export function newSigningKeys(nowMs: number): StatementSigningKeys {
  return { version: VERSION, keys: [newKey(nowMs)] };
}

/**
 * Returns the keys with a new one that signs from now on. The private half of the previous one is dropped; its public half
 * stays, so that its signatures can be verified. With `isCompromised` that is dropped as well: its signatures are refused
 * from then on.
 */
export function rotatedKeys(
  { keys }: StatementSigningKeys,
  nowMs: number,
  isCompromised: boolean,
): StatementSigningKeys {
  const { d: _, ...last } = keys[keys.length - 1];
  const retired = isCompromised ? [] : [{ ...last, retiredAt: new Date(nowMs).toISOString() }];
  return { version: VERSION, keys: [...keys.slice(0, -1), ...retired, newKey(nowMs)] };
}

/** Returns the text of the key file. */
export function formatSigningKeys(keys: StatementSigningKeys): string {
  return `${JSON.stringify(keys, null, 2)}\n`;
}

/** Returns the keys of a file's text; null for a text that is not a whole key file. */
export function parseSigningKeys(text: string): StatementSigningKeys | null {
  const { success, data } = keyFileSchema.safeParse(parsedJson(text));
  if (!success) return null;
  const isSound = data.keys.every(({ keyId, x, d, retiredAt }, at) => {
    const isLast = at === data.keys.length - 1;
    return (d !== undefined) === isLast && (retiredAt === null) === isLast && keyId === thumbprint(x);
  });
  if (!isSound) return null;
  return areHalvesOfOneKey(data) ? data : null;
}

function areHalvesOfOneKey(keys: StatementSigningKeys): boolean {
  try {
    const { x } = createPublicKey(currentStatementKey(keys).privateKey).export({ format: 'jwk' });
    return x === keys.keys[keys.keys.length - 1].x;
  } catch {
    // Node.js 24 compares the halves itself, and throws.
    return false;
  }
}

/** Returns the key that signs. */
export function currentStatementKey({ keys }: StatementSigningKeys): StatementSigningKey {
  const { keyId, x, d = '' } = keys[keys.length - 1];
  return { keyId, privateKey: createPrivateKey({ key: { kty: 'OKP', crv: 'Ed25519', x, d }, format: 'jwk' }) };
}

/** Returns the public halves, to be published. */
export function publicKeySet({ keys }: StatementSigningKeys): PublicKeySet {
  return {
    keys: keys.map(({ keyId, x }) => ({ kty: 'OKP', crv: 'Ed25519', x, kid: keyId, alg: 'EdDSA', use: 'sig' })),
  };
}

function newKey(nowMs: number): StatementSigningKeys['keys'][number] {
  const { x, d } = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' }) as { x: string; d: string };
  return { keyId: thumbprint(x), createdAt: new Date(nowMs).toISOString(), retiredAt: null, x, d };
}

/** Returns a key's name, which follows from the key (RFC 7638). */
function thumbprint(x: string): string {
  return createHash('sha256')
    .update(JSON.stringify({ crv: 'Ed25519', kty: 'OKP', x }))
    .digest('base64url');
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
