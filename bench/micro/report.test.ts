import { expect, test } from 'vitest';
import { microTable } from './report.ts';

test('each line has its ratio to the first of its group', () => {
  const table = microTable(
    [
      { group: 'a', name: 'slow', nanosPerRecord: 300, least: 290 },
      { group: 'a', name: 'quick', nanosPerRecord: 75, least: 70 },
      { group: 'b', name: 'alone', nanosPerRecord: 10, least: 9 },
    ],
    'a machine',
  );
  expect(table).toContain('| slow | 300 | 290 | 1.00 |');
  expect(table).toContain('| quick | 75 | 70 | 0.25 |');
  expect(table).toContain('| alone | 10 | 9 | 1.00 |');
});
