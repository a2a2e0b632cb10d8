import { createPublicKey, verify } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { testStatement } from './statement.fixture.ts';
import { statementJson } from './statement-document.ts';
import { signOctets, verifyOctets } from './statement-signature.ts';
import {
  currentStatementKey,
  formatSigningKeys,
  newSigningKeys,
  parseSigningKeys,
  publicKeySet,
  rotatedKeys,
} from './statement-signing-key.ts';

const keys = newSigningKeys(Date.UTC(2026, 10, 1));
const set = publicKeySet(keys);
const octets = Buffer.from(`${statementJson(testStatement())}\n`);
const signature = await signOctets(octets, currentStatementKey(keys));
const { keyId } = currentStatementKey(keys);

test('a signature is verified by the public key set', async () => {
  expect(await verifyOctets(octets, signature, set)).toEqual({ keyId });
  expect(await signOctets(octets, currentStatementKey(keys))).toBe(signature);
  expect(JSON.stringify(set)).not.toContain(keys.keys[0].d);
});

test('another implementation verifies it: header, a point and the octets of the file are signed', () => {
  const [header, , value] = signature.split('.');
  const key = createPublicKey({ key: set.keys[0], format: 'jwk' });
  const input = Buffer.concat([Buffer.from(`${header}.`), octets]);
  expect(verify(null, input, key, Buffer.from(value, 'base64url'))).toBe(true);
  expect(JSON.parse(Buffer.from(header, 'base64url').toString())).toEqual({
    alg: 'EdDSA',
    b64: false,
    crit: ['b64'],
    kid: keyId,
    typ: 'zerorate-statement',
  });
});

describe('one octet', () => {
  /** Yields the bytes with one bit changed, and with one byte left out, for every byte. */
  function* alterations(of: Buffer): Generator<Buffer> {
    for (let at = 0; at < of.length; at++) {
      const changed = Buffer.from(of);
      changed[at] ^= 1 << (at % 8);
      yield changed;
      yield Buffer.concat([of.subarray(0, at), of.subarray(at + 1)]);
    }
  }

  test('of the statement changed or left out: the signature does not hold', async () => {
    for (const altered of alterations(octets)) {
      const { fault } = await verifyOctets(altered, signature, set);
      expect(fault, altered.toString()).toBe(`the signature by key ${keyId} is not one of these octets`);
    }
  });

  test('of the signature changed to any other, or left out: it does not hold', async () => {
    const text = Buffer.from(signature, 'latin1');
    for (const altered of alterations(text)) {
      expect((await verifyOctets(octets, altered.toString('latin1'), set)).fault, altered.toString()).toBeDefined();
    }
    for (let at = 0; at < text.length; at++) {
      // All characters of base64url, which no form refuses.
      for (const character of 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.') {
        if (character === signature[at]) continue;
        const altered = signature.slice(0, at) + character + signature.slice(at + 1);
        expect((await verifyOctets(octets, altered, set)).fault, altered).toBeDefined();
      }
    }
  });

  test.each([['\n'], ['\r\n'], [' '], ['='], ['.']])('%j after the signature', async (more) => {
    expect((await verifyOctets(octets, signature + more, set)).fault).toMatch(/not as it was written/);
    expect((await verifyOctets(octets, more + signature, set)).fault).toMatch(/not as it was written/);
  });
});

describe('rotation', () => {
  const rotated = rotatedKeys(keys, Date.UTC(2027, 0, 1), false);

  test('another key signs, and signatures of the previous one are still verified', async () => {
    const newer = await signOctets(octets, currentStatementKey(rotated));
    expect(currentStatementKey(rotated).keyId).not.toBe(keyId);
    const published = publicKeySet(rotated);
    expect(published.keys).toHaveLength(2);
    expect(await verifyOctets(octets, newer, published)).toEqual({ keyId: currentStatementKey(rotated).keyId });
    expect(await verifyOctets(octets, signature, published)).toEqual({ keyId });
    expect((await verifyOctets(octets, newer, set)).fault).toMatch(/which the key set does not have/);
  });

  test('the private half of the previous key is removed from the file', () => {
    const text = formatSigningKeys(rotated);
    expect(text).not.toContain(keys.keys[0].d);
    expect(parseSigningKeys(text)).toEqual(rotated);
  });

  test('a signature by a compromised key is refused', async () => {
    const published = publicKeySet(rotatedKeys(rotated, Date.UTC(2027, 1, 1), true));
    expect(published.keys.map(({ kid }) => kid)).not.toContain(currentStatementKey(rotated).keyId);
    expect(await verifyOctets(octets, signature, published)).toEqual({ keyId });
    const compromised = await signOctets(octets, currentStatementKey(rotated));
    expect((await verifyOctets(octets, compromised, published)).fault).toMatch(/which the key set does not have/);
  });
});

test('a key of another name in the set, or another algorithm in the header, is refused', async () => {
  const other = publicKeySet(newSigningKeys(0)).keys[0];
  const renamed = { keys: [{ ...other, kid: keyId }] };
  expect((await verifyOctets(octets, signature, renamed)).fault).toMatch(/is not one of these octets/);
  const [header, , value] = signature.split('.');
  const fields = JSON.parse(Buffer.from(header, 'base64url').toString());
  for (const change of [
    { alg: 'none' },
    { alg: 'HS256' },
    { b64: true },
    { crit: [] },
    { typ: 'JWT' },
    { kid: undefined },
  ]) {
    const altered = Buffer.from(JSON.stringify({ ...fields, ...change })).toString('base64url');
    expect((await verifyOctets(octets, `${altered}..${value}`, set)).fault, JSON.stringify(change)).toBeDefined();
  }
});

test.each<[string, (file: ReturnType<typeof newSigningKeys>) => unknown]>([
  ['no key', () => ({ version: 1, keys: [] })],
  ['another version', (file) => ({ ...file, version: 2 })],
  ['a name that is another key’s', ({ keys: [key] }) => ({ version: 1, keys: [{ ...key, keyId: 'A'.repeat(43) }] })],
  [
    'a public half of another key',
    ({ keys: [key] }) => ({ version: 1, keys: [{ ...key, d: newSigningKeys(0).keys[0].d }] }),
  ],
  ['no private half', ({ keys: [{ d: _, ...key }] }) => ({ version: 1, keys: [key] })],
  ['the public key set', (file) => publicKeySet(file)],
  ['a text', () => 'key'],
])('a key file with %s is refused', (_, change) => {
  expect(parseSigningKeys(JSON.stringify(change(structuredClone(keys))))).toBeNull();
});
