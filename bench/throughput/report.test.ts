import { expect, test } from 'vitest';
import { ratios, spread } from './report.ts';

const rounds = (...seconds: number[]) =>
  seconds.map((value) => ({ seconds: value, cpuSeconds: 1, peakOctets: 1, totals: { records: 1 } }));

test('a median lies in the middle, or between the two that do', () => {
  expect(spread([3, 1, 2])).toEqual({ median: 2, least: 1, most: 3 });
  expect(spread([4, 1, 2, 3])).toEqual({ median: 2.5, least: 1, most: 4 });
});

test('a ratio is taken within a round: who needs half the time is twice as fast', () => {
  const results = [
    { side: { name: 'ours', what: '' }, rounds: rounds(1, 10) },
    { side: { name: 'theirs', what: '' }, rounds: rounds(2, 20) },
  ];
  expect(ratios(results, 'ours')).toEqual([{ to: 'theirs', ratio: { median: 2, least: 2, most: 2 } }]);
});
