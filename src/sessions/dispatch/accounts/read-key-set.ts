import { readFileSync } from 'node:fs';
import { createLocalJWKSet, createRemoteJWKSet, customFetch, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose';
import * as z from 'zod';
import { ConfigError } from '../../../platform/config/config-error.ts';

/** Of a key set that is fetched. */
const MAX_KEY_SET_BYTES = 256 * 1024;
const KEY_SET_TIMEOUT_MS = 3000;

const keySetSchema = z.object({
  keys: z
    .array(
      z
        .looseObject({ kty: z.string() })
        .refine(({ d, k, kty }) => d === undefined && k === undefined && kty !== 'oct', {
          error: 'holds a private or shared key; only public keys belong here',
        }),
    )
    .min(1, { error: 'expected at least one key' }),
});

/** The public keys of a JSON Web Key Set file. Throws a ConfigError when it is none, or holds a private key. */
export function readKeySet(file: string): JWTVerifyGetKey {
  try {
    const keySet = keySetSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
    return createLocalJWKSet(keySet as JSONWebKeySet);
  } catch (error) {
    const why = error instanceof z.ZodError ? z.prettifyError(error) : (error as Error).message;
    throw new ConfigError(`${file}: expected a JSON Web Key Set of public keys: ${why}`);
  }
}

/** The keys at an address: fetched when an assertion needs them, with a bound on time and size, and kept for a while. */
export function remoteKeySet(url: string): JWTVerifyGetKey {
  return createRemoteJWKSet(new URL(url), { timeoutDuration: KEY_SET_TIMEOUT_MS, [customFetch]: boundedFetch });
}

/** Rejects an answer that is larger than a key set, before it is in memory. Redirects are answers as well. */
async function boundedFetch(url: string, options: RequestInit): Promise<Response> {
  const response = await fetch(url, { ...options, redirect: 'manual' });
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    bytes += chunk.length;
    if (bytes > MAX_KEY_SET_BYTES) throw new Error(`${url}: answers more than ${MAX_KEY_SET_BYTES} bytes`);
    chunks.push(chunk);
  }
  return new Response(Buffer.concat(chunks), { status: response.status });
}
