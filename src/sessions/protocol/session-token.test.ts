import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { createLocalJWKSet, createRemoteJWKSet, customFetch, exportJWK, SignJWT } from 'jose';
import { beforeAll, describe, expect, test } from 'vitest';
import { type SessionClaims, signSessionToken, TOKEN_ISSUER, verifySessionToken } from './session-token.ts';

const NOW_MS = 1_790_000_000_000;
const CLAIMS: SessionClaims = {
  jti: 'token-1',
  sessionId: 'session-1',
  sub: 'ab'.repeat(16),
  aud: 'proxy-1',
  applicationId: 'chat',
  sponsoredOctetsCap: 1_000_000,
  terminalIp: '127.1.2.3',
  iat: NOW_MS / 1000,
  exp: NOW_MS / 1000 + 300,
};

let privateKey: KeyObject;
let getKey: ReturnType<typeof createLocalJWKSet>;
beforeAll(async () => {
  const pair = generateKeyPairSync('ed25519');
  privateKey = pair.privateKey;
  getKey = createLocalJWKSet({ keys: [{ ...(await exportJWK(pair.publicKey)), kid: 'key-1', alg: 'EdDSA' }] });
});

const sign = (claims = CLAIMS, key = privateKey) => signSessionToken(claims, { keyId: 'key-1', privateKey: key });
const verify = (token: string, nowMs = NOW_MS) => verifySessionToken(token, { getKey, proxyId: 'proxy-1', nowMs });

describe('a session token', () => {
  test('gives back its claims', async () => {
    expect(await verify(await sign())).toMatchObject({ claims: CLAIMS });
  });

  test('is worth nothing from its expiry on', async () => {
    expect(await verify(await sign(), CLAIMS.exp * 1000)).toMatchObject({ refusal: 'token_expired' });
  });

  test('is for one proxy', async () => {
    expect(await verify(await sign({ ...CLAIMS, aud: 'proxy-2' }))).toMatchObject({ refusal: 'other_proxy' });
  });

  test('past its time is expired first, for any proxy', async () => {
    const token = await sign({ ...CLAIMS, aud: 'proxy-2' });
    expect(await verify(token, CLAIMS.exp * 1000)).toMatchObject({ refusal: 'token_expired' });
  });

  test('of another key is forged', async () => {
    const other = generateKeyPairSync('ed25519').privateKey;
    expect(await verify(await sign(CLAIMS, other))).toMatchObject({ refusal: 'token_invalid' });
  });

  test('with one changed octet is forged', async () => {
    const [header, payload, signature] = (await sign()).split('.');
    const richer = Buffer.from(JSON.stringify({ ...CLAIMS, iss: TOKEN_ISSUER, sponsoredOctetsCap: 9e9 }));
    const forged = [header, richer.toString('base64url'), signature].join('.');
    expect(await verify(forged)).toMatchObject({ refusal: 'token_invalid' });
    expect(payload).not.toBe(richer.toString('base64url'));
  });

  test.each(['none', 'HS256'])('of algorithm %s is not read', async (alg) => {
    const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const body = encode({ ...CLAIMS, iss: TOKEN_ISSUER });
    const header = { alg, kid: 'key-1', typ: 'zerorate-session+jwt' };
    expect(await verify(`${encode(header)}.${body}.`)).toMatchObject({ refusal: 'token_invalid' });
  });

  test('of another type is not one of a session', async () => {
    const token = await new SignJWT({ ...CLAIMS })
      .setProtectedHeader({ alg: 'EdDSA', kid: 'key-1', typ: 'JWT' })
      .setIssuer(TOKEN_ISSUER)
      .sign(privateKey);
    expect(await verify(token)).toMatchObject({ refusal: 'token_invalid' });
  });

  test('that lacks a claim is refused', async () => {
    const { terminalIp, ...claims } = CLAIMS;
    expect(await verify(await sign(claims as SessionClaims))).toMatchObject({ refusal: 'token_invalid' });
    expect(terminalIp).toBe('127.1.2.3');
  });

  test.each([
    ['no answer', () => Promise.reject(new Error('connect ECONNREFUSED'))],
    ['the answer is an error', async () => new Response('broken', { status: 500 })],
    ['the answer is no JSON', async () => new Response('<html>')],
  ])('is no less valid because the keys cannot be had, as %s: that is thrown', async (_how, fetch) => {
    const getKey = createRemoteJWKSet(new URL('https://dispatch.example/jwks.json'), { [customFetch]: fetch });
    await expect(verifySessionToken(await sign(), { getKey, proxyId: 'proxy-1', nowMs: NOW_MS })).rejects.toThrow();
  });
});
