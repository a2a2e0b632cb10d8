import fc from 'fast-check';
import { expect, test } from 'vitest';
import { NO_TEXT_NUMBER, TextTable, textTable } from './text-table.ts';

const SEED = 20261129;
/** Of few characters, among them halves of a surrogate pair: many texts are nearly the same. */
const text = fc
  .array(fc.constantFrom('a', 'b', '\u0000', 'ß', '\ud83d', '\ude00'), { maxLength: 6 })
  .map((all) => all.join(''));

test(`texts have their numbers, and all others none (seed ${SEED})`, () => {
  fc.assert(
    fc.property(fc.uniqueArray(text, { maxLength: 200 }), fc.array(text, { maxLength: 50 }), (texts, others) => {
      const table = new TextTable(textTable(texts));
      expect(table.length).toBe(texts.length);
      for (const each of [...texts, ...others]) expect(table.numberOf(each)).toBe(texts.indexOf(each));
      expect(texts.map((_, number) => table.at(number))).toEqual(texts);
      for (const number of [-1, texts.length]) expect(table.at(number)).toBeUndefined();
    }),
    { seed: SEED, numRuns: 300 },
  );
});

test('many alike texts are found in few steps: half of the slots are free', () => {
  const texts = Array.from({ length: 50_000 }, (_, i) => `tag-${i}`);
  const { slots, ...rest } = textTable(texts);
  expect(slots.length).toBeGreaterThanOrEqual(texts.length * 2);
  let longest = 0;
  for (let at = 0, run = 0; at < slots.length; at++) {
    run = slots[at] === 0 ? 0 : run + 1;
    longest = Math.max(longest, run);
  }
  expect(longest).toBeLessThan(100);
  const table = new TextTable({ slots, ...rest });
  expect(table.numberOf('tag-49999')).toBe(49_999);
  expect(table.numberOf('tag-50000')).toBe(NO_TEXT_NUMBER);
});
