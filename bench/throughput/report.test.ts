import { expect, test } from 'vitest';
import { ratios } from './report.ts';

const rounds = (...seconds: number[]) =>
  seconds.map((value) => ({ seconds: value, cpuSeconds: 1, peakOctets: 1, totals: { records: 1 } }));

test('a ratio is taken within a round: who needs half the time is twice as fast', () => {
  const results = [
    { side: { name: 'ours', what: '' }, rounds: rounds(1, 10) },
    { side: { name: 'theirs', what: '' }, rounds: rounds(2, 20) },
  ];
  expect(ratios(results, 'ours')).toEqual([{ to: 'theirs', ratio: { median: 2, least: 2, most: 2 } }]);
});
