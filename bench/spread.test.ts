import { expect, test } from 'vitest';
import { spread } from './spread.ts';

test('a median lies in the middle, or between the two that do', () => {
  expect(spread([3, 1, 2])).toEqual({ median: 2, least: 1, most: 3 });
  expect(spread([4, 1, 2, 3])).toEqual({ median: 2.5, least: 1, most: 4 });
});
