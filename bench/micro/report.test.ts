import { expect, test } from 'vitest';
import { compare, markdown } from './report.ts';

const result = (group: string, name: string, median: number) => ({
  group,
  name,
  records: 10_000,
  samples: 100,
  median,
  quarter: median * 0.9,
  threeQuarters: median * 1.1,
});
const results = [result('decode', 'long', 2000), result('decode', 'direct', 500), result('rate', 'tier', 12.3456)];
const machine = { cpu: 'a CPU', cores: 2, memoryGiB: 24, node: 'v20.0.0' };

test('a ratio is to the first of the own group', () => {
  expect(compare(results).map(({ name, toFirst }) => [name, toFirst])).toEqual([
    ['long', 1],
    ['direct', 0.25],
    ['tier', 1],
  ]);
});

test('the page has the machine, and a table for each group', () => {
  expect(markdown(compare(results), machine, 7)).toBe(`# Micro-benchmarks

2 x a CPU, 24 GiB, Node v20.0.0; seed 7. Times are of one record:
the median of the samples, and from their first quarter to their third.

## decode

| | ns per record | to the first | samples |
|---|--:|--:|--:|
| long | 2,000 (1,800 to 2,200) | 1.00 | 100 x 10,000 |
| direct | 500 (450 to 550) | 0.25 | 100 x 10,000 |

## rate

| | ns per record | to the first | samples |
|---|--:|--:|--:|
| tier | 12.3 (11.1 to 13.6) | 1.00 | 100 x 10,000 |
`);
});
