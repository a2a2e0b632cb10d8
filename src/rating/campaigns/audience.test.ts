import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Audience, AudienceChangeList, pseudonymWords } from './audience.ts';

/** Pseudonyms that differ in one word each, and share buckets. */
const pseudonym = fc
  .tuple(fc.nat({ max: 3 }), fc.nat({ max: 2 }), fc.constantFrom(0, 2 ** 31, 2 ** 32 - 1), fc.nat({ max: 3 }))
  .map(([first, second, third, fourth]) => Uint32Array.of(first * 4096 + (second % 2), second, third, fourth));
const change = fc.record({ pseudonym, optedIn: fc.boolean() });
const keyOf = (words: Uint32Array, at = 0) => words.subarray(at, at + 4).join(' ');

function listOf(changes: readonly { pseudonym: Uint32Array; optedIn: boolean }[]): AudienceChangeList {
  const list = new AudienceChangeList();
  for (const { pseudonym, optedIn } of changes) list.add(pseudonym, 0, optedIn);
  return list;
}

describe('an audience', () => {
  test('is the set of those whose last change was to opt in, however changes come together', () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(change, { maxLength: 60 }), { maxLength: 8 }),
        fc.array(pseudonym),
        (facts, others) => {
          const expected = new Set<string>();
          let audience = Audience.EMPTY;
          for (const changes of facts) {
            audience = audience.with(listOf(changes));
            for (const { pseudonym, optedIn } of changes) {
              if (optedIn) expected.add(keyOf(pseudonym));
              else expected.delete(keyOf(pseudonym));
            }
            expect(audience.size).toBe(expected.size);
            const members = [...audience.pseudonyms()].map(({ words, at }) => keyOf(words, at));
            expect(members.sort()).toEqual([...expected].sort());
          }
          for (const asked of [...others, ...facts.flat().map((each) => each.pseudonym)]) {
            expect(audience.has(asked, 0)).toBe(expected.has(keyOf(asked)));
          }
        },
      ),
    );
  });

  test('stays what it was when another is made of it', () => {
    const words = Uint32Array.of(7, 7, 7, 7);
    const one = Audience.EMPTY.with(listOf([{ pseudonym: words, optedIn: true }]));
    const none = one.with(listOf([{ pseudonym: words, optedIn: false }]));
    expect([Audience.EMPTY, one, none].map((audience) => audience.has(words, 0))).toEqual([false, true, false]);
    expect([Audience.EMPTY.size, one.size, none.size]).toEqual([0, 1, 0]);
  });

  test('of many subscribers has each of them', () => {
    const list = new AudienceChangeList();
    const words = (subscriber: number) => Uint32Array.of(Math.imul(subscriber, 0x9e3779b1) >>> 0, subscriber, 1, 2);
    for (let subscriber = 0; subscriber < 100_000; subscriber++) list.add(words(subscriber), 0, true);
    const audience = Audience.EMPTY.with(list);
    expect(audience.size).toBe(100_000);
    for (let subscriber = 0; subscriber < 200_000; subscriber += 997) {
      expect(audience.has(words(subscriber), 0)).toBe(subscriber < 100_000);
    }
  });

  test('takes pseudonyms as octets', () => {
    const list = new AudienceChangeList();
    list.addOctets(Buffer.from('000102030405060708090a0b0c0d0e0f', 'hex'), true);
    const audience = Audience.EMPTY.with(list);
    expect(audience.has(pseudonymWords(Buffer.from('000102030405060708090a0b0c0d0e0f', 'hex')), 0)).toBe(true);
    expect(audience.has(pseudonymWords(Buffer.from('000102030405060708090a0b0c0d0e10', 'hex')), 0)).toBe(false);
  });
});
