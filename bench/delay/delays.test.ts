import { expect, test } from 'vitest';
import { delaysOf, percentiles } from './delays.ts';

test('a record waits until the whole of its batch is done', () => {
  const batches = [
    { lastOffset: 3, atMs: 190 },
    { lastOffset: 1, atMs: 150 },
  ];
  expect([...delaysOf(Float64Array.of(100, 110, 120, 130), batches, 0)]).toEqual([50, 40, 70, 60]);
  expect([...delaysOf(Float64Array.of(100, 110, 120, 130), batches, 120)]).toEqual([70, 60]);
});

test('a record whose batch was never done is no record without delay', () => {
  expect(() => delaysOf(Float64Array.of(100, 110), [{ lastOffset: 0, atMs: 150 }], 0)).toThrow(
    'record 1 is in no batch',
  );
});

test('percentiles are of all partitions together', () => {
  const parts = [
    Float64Array.from({ length: 150 }, (_, at) => 200 - at),
    Float64Array.from({ length: 50 }, (_, at) => at + 1),
  ];
  expect(percentiles(parts)).toEqual({ p50: 100, p99: 198, most: 200 });
});
