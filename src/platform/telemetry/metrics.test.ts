import { expect, test } from 'vitest';
import { BoundedLabel, createMetrics, OTHERS } from './metrics.ts';

test('a label has as many values as it may, and those that came first keep their name', () => {
  const label = new BoundedLabel(2);
  expect(['a', 'b', 'c', 'a', 'd'].map((value) => label.of(value))).toEqual(['a', 'b', OTHERS, 'a', OTHERS]);
});

test('metrics of the process are among them', async () => {
  const text = await createMetrics().metrics();
  expect(text).toMatch(/^process_resident_memory_bytes \d+$/m);
  expect(text).toMatch(/^nodejs_eventloop_lag_p99_seconds /m);
});
