import { expect, test } from 'vitest';
import { erasedKey, formatPseudonymKey, isWholeKey, parsePseudonymKey } from './pseudonym-key.ts';

const HEX = 'c0ffee'.repeat(12);
const ERASURE = { erasedAt: '2026-11-25T04:00:00.000Z', who: 'dpo', why: 'request 4711' };
const whole = parsePseudonymKey(HEX, 'key');
const erased = erasedKey(whole, [{ '1': 'ab'.repeat(32) }, { '': 'cd'.repeat(32) }], ERASURE);

test('hex digits are a whole key, however they are written', () => {
  expect(parsePseudonymKey(` ${HEX.toUpperCase()}\n`, 'key')).toEqual(whole);
  expect(whole.generations).toEqual([{ '': expect.stringMatching(/^[0-9a-f]{64}$/) }]);
  expect(isWholeKey(`${HEX}\n`)).toBe(true);
  expect(isWholeKey(formatPseudonymKey(erased))).toBe(false);
});

test('a key that was written is read back the same, as often as one likes', () => {
  expect(parsePseudonymKey(formatPseudonymKey(erased), 'key')).toEqual(erased);
  expect(parsePseudonymKey(formatPseudonymKey(whole), 'key')).toEqual(whole);
});

test('each state of a key has a fingerprint of its own, and the ones before it are known', () => {
  const other = parsePseudonymKey('ab'.repeat(32), 'key');
  const fingerprints = [whole, erased, other].map(({ history }) => history.at(-1)?.fingerprint);
  expect(new Set(fingerprints).size).toBe(3);
  expect(erased.history).toEqual([...whole.history, { fingerprint: fingerprints[1], ...ERASURE }]);
  for (const fingerprint of fingerprints) expect(HEX).not.toContain(fingerprint);
});

test.each([
  ['too short', 'c0ffee', 'key.hex: expected at least 64 hex digits'],
  ['no key at all', 'geheim'.repeat(20), 'key.hex: expected at least 64 hex digits'],
  ['cut short', formatPseudonymKey(erased).slice(0, -20), 'key.hex: is no whole key file of version 1'],
  ['of a later version', formatPseudonymKey(erased).replace('"version":1', '"version":2'), 'is no whole key file'],
  ['changed by hand', formatPseudonymKey(erased).replace('abab', 'abac'), 'is no whole key file of version 1'],
])('a key that is %s is refused, and not quoted', (_, text, message) => {
  expect(() => parsePseudonymKey(text, 'key.hex')).toThrow(message);
  try {
    parsePseudonymKey(text, 'key.hex');
  } catch (error) {
    expect((error as Error).message).not.toMatch(/geheim|c0ffee|abab|cdcd/);
  }
});
