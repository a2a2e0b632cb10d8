import { expect, test } from 'vitest';
import { formatFault, formatPath } from './document-fault.ts';

test.each([
  [[], ''],
  [['plans', 2, 'tiers', 0, 'pricePerMiB'], 'plans[2].tiers[0].pricePerMiB'],
  [[0, 'id'], '[0].id'],
  [['a.b', 'c\nd'], '["a.b"]["c\\nd"]'],
])('%j is written %s', (path, text) => {
  expect(formatPath(path)).toBe(text);
});

test('a fault is one line, with what is known of its place', () => {
  expect(formatFault({ file: 'c.yaml', line: 7, path: 'a.b', message: 'bad' })).toBe('c.yaml:7: a.b: bad');
  expect(formatFault({ file: 'c.yaml', line: 7, path: '', message: 'bad' })).toBe('c.yaml:7: bad');
  expect(formatFault({ file: 'ZERORATE_X', line: null, path: 'a', message: 'bad' })).toBe('ZERORATE_X: a: bad');
});
