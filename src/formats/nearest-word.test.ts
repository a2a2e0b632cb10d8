import { expect, test } from 'vitest';
import { nearestWord, suggestion } from './nearest-word.ts';

test.each([
  ['aplication', 'application'],
  ['applicatoin', 'application'],
  ['timezone', 'timeZone'],
  ['prefixs', 'prefixes'],
  ['sponsor', null],
  ['id', null],
  ['', null],
])('%s -> %s', (word, nearest) => {
  expect(nearestWord(word, ['application', 'timeZone', 'prefixes'])).toBe(nearest);
});

test('asks only when there is something near', () => {
  expect(suggestion('perod', ['period'])).toBe(' (did you mean "period"?)');
  expect(suggestion('x', ['period'])).toBe('');
});
