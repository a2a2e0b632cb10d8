import { expect, test } from 'vitest';
import { delaysOf, meanStages, percentiles, STAGES, sumStages, timedBatch } from './delays.ts';

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

test('the stages of a record are its delay: before its batch, in it, and what the batch passes after that', () => {
  const line = {
    ...{ time: new Date(1000).toISOString(), partition: 0, lastOffset: 2 },
    records: { charged: 3, not_sponsored: 0, duplicate: 0, rejected: 0 },
    durationMs: { read: 100, rate: 10, encode: 20, insert: 200, publish: 50 },
    waitedMs: { rate: 30, publish: 90 },
  };
  const batch = timedBatch(line);
  // Filled at 600, from 500 on. The last record came while the batch was filling.
  const part = sumStages(Float64Array.of(100, 200, 550), [batch], { fromMs: 0, leastMs: 0 });
  expect(part.records).toBe(3);
  const mean = meanStages([part]);
  expect(mean).toEqual({
    'until its batch takes records': (400 + 300 + 0) / 3,
    'until its batch is filled': (100 + 100 + 50) / 3,
    'wait for the batch before': 30,
    rate: 10,
    encode: 20,
    insert: 200,
    'wait for the publication before': 90,
    publish: 50,
  });
  expect(STAGES.reduce((sum, stage) => sum + mean[stage], 0)).toBeCloseTo((900 + 800 + 450) / 3);
  const slow = sumStages(Float64Array.of(100, 200, 550), [batch], { fromMs: 0, leastMs: 800 });
  expect(slow.records).toBe(2);
});
