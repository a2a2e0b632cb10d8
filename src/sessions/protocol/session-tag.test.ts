import { generateKeyPairSync, sign } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  formatSessionTag,
  keyHintOf,
  parseSessionTag,
  readSessionTag,
  SESSION_TAG_OCTETS,
  SESSION_TAG_TEXT_LENGTH,
  type SessionTagClaims,
  sessionTagKeys,
  signSessionTag,
  type TagBinding,
  tagMismatch,
  verifySessionTag,
} from './session-tag.ts';

const NOW_MS = 1_790_000_000_000;
const CLAIMS: SessionTagClaims = {
  sessionId: '0f8fad5b-d9cb-469f-a165-70867728950e',
  terminalIp: '10.1.2.3',
  proxyId: 'proxy-1',
  proxyIp: '203.0.113.7',
  proxyPorts: { connect: 8081, socks5: 1080, relay: 8082 },
  applicationId: 'chat',
  contentType: 'image',
  expiresAtMs: NOW_MS + 300_000,
};
const { privateKey, publicKey } = generateKeyPairSync('ed25519');
const KEY = { keyId: 'key-1', privateKey };
const jwkOf = (keyId: string, key = publicKey) => ({ ...key.export({ format: 'jwk' }), kid: keyId });
const KEYS = sessionTagKeys({ keys: [jwkOf('key-1')] });

const verdictOf = (octets: Buffer, nowMs = NOW_MS) =>
  verifySessionTag(octets, { findKey: (hint) => KEYS.get(hint) ?? 'unknown', nowMs: () => nowMs });

describe('a session tag', () => {
  test('has the documented layout, octet by octet', () => {
    const octets = signSessionTag(CLAIMS, KEY);
    expect(octets).toHaveLength(SESSION_TAG_OCTETS);
    const fields = [
      ['01', 0],
      [keyHintOf('key-1'), 1],
      [(CLAIMS.expiresAtMs / 1000).toString(16).padStart(8, '0'), 9],
      ['00000000000000000000ffff0a010203', 29],
      ['00000000000000000000ffffcb007107', 45],
      ['1f9104381f92', 61],
      ['02', 83],
    ] as const;
    for (const [hex, at] of fields) expect(octets.toString('hex', at, at + hex.length / 2)).toBe(hex);
    expect(octets.subarray(13, 29).toString('hex')).toBe(readSessionTag(octets)?.session);
  });

  test('gives back what it is bound to', () => {
    expect(verdictOf(signSessionTag(CLAIMS, KEY))).toMatchObject({
      tag: {
        terminalIp: '10.1.2.3',
        proxyIp: '203.0.113.7',
        proxyPorts: CLAIMS.proxyPorts,
        contentType: 'image',
        expiresAtMs: CLAIMS.expiresAtMs,
      },
    });
  });

  test('fits, as text, a SOCKS5 password behind its proof', () => {
    const text = formatSessionTag(signSessionTag(CLAIMS, KEY));
    expect(text).toHaveLength(SESSION_TAG_TEXT_LENGTH);
    expect(43 + 1 + text.length).toBeLessThanOrEqual(255);
    expect(parseSessionTag(text)).toEqual(signSessionTag(CLAIMS, KEY));
  });

  test('has one text: padding, other alphabets and stray bits are none', () => {
    const text = formatSessionTag(signSessionTag(CLAIMS, KEY));
    // The last of 198 characters has four bits that no octet holds.
    const stray = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_']
      .map((last) => text.slice(0, -1) + last)
      .filter((other) => parseSessionTag(other) !== null);
    expect(stray).toHaveLength(4);
    for (const other of [
      `${text}==`,
      ` ${text}`,
      `${text.slice(0, -1)}=`,
      `${text.slice(0, -1)}+`,
      '',
      text.slice(1),
    ]) {
      expect(parseSessionTag(other)).toBeNull();
    }
  });

  test('with any one octet changed is not valid', () => {
    const octets = signSessionTag(CLAIMS, KEY);
    fc.assert(
      fc.property(fc.nat(SESSION_TAG_OCTETS - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const other = Buffer.from(octets);
        other[at] ^= change;
        expect(verdictOf(other)).not.toHaveProperty('tag');
      }),
    );
  });

  test('of any octets is refused without an error', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (octets) => {
        expect(verdictOf(Buffer.from(octets))).not.toHaveProperty('tag');
      }),
    );
  });

  test.each([
    [
      'of another key under the same id',
      signSessionTag(CLAIMS, { ...KEY, privateKey: generateKeyPairSync('ed25519').privateKey }),
      'forged',
    ],
    ['of a key that the dispatch server has not', signSessionTag(CLAIMS, { ...KEY, keyId: 'key-2' }), 'key_unknown'],
    ['past its time', signSessionTag({ ...CLAIMS, expiresAtMs: NOW_MS }, KEY), 'expired'],
    ['that is valid for too long', signSessionTag({ ...CLAIMS, expiresAtMs: NOW_MS + 86_401_000 }, KEY), 'expired'],
  ])('%s is not valid', (_what, octets, fault) => {
    expect(verdictOf(octets)).toEqual({ fault });
  });

  test('is not made of a signature for anything else', () => {
    const octets = signSessionTag(CLAIMS, KEY);
    sign(null, octets.subarray(0, 84), privateKey).copy(octets, 84);
    expect(verdictOf(octets)).toEqual({ fault: 'forged' });
  });

  test('is verified with Ed25519 keys alone', () => {
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey;
    const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey;
    const x25519 = generateKeyPairSync('x25519').publicKey;
    const secret = { kty: 'oct', k: jwkOf('key-1').x, kid: 'key-1' };
    const keys = sessionTagKeys({ keys: [jwkOf('a', rsa), jwkOf('b', ec), jwkOf('c', x25519), secret, null, 7] });
    expect(keys.size).toBe(0);
    for (const none of [null, {}, { keys: {} }, 'keys']) expect(() => sessionTagKeys(none)).toThrow(TypeError);
  });

  test.each<[TagBinding, string]>([
    [{ terminalIp: '10.1.2.4' }, 'other_terminal'],
    [{ proxyId: 'proxy-2' }, 'other_proxy'],
    [{ destination: { ip: '203.0.113.8' } }, 'other_proxy'],
    [{ destination: { ip: '203.0.113.7', endpoint: 'connect', port: 8082 } }, 'other_proxy'],
    [{ sessionId: 'another' }, 'other_session'],
    [{ applicationId: 'chat-2' }, 'other_application'],
    [{ contentType: 'video' }, 'other_content_type'],
  ])('is bound: %o', (binding, mismatch) => {
    const tag = readSessionTag(signSessionTag(CLAIMS, KEY));
    if (tag === null) throw new Error('unreadable');
    const { sessionId, proxyId, applicationId, contentType } = CLAIMS;
    const destination = { ip: '::ffff:203.0.113.7', endpoint: 'connect', port: 8081 } as const;
    const own = { sessionId, terminalIp: '::ffff:10.1.2.3', proxyId, applicationId, contentType, destination };
    expect(tagMismatch(tag, own)).toBeNull();
    expect(tagMismatch(tag, { ...own, ...binding })).toBe(mismatch);
  });
});
