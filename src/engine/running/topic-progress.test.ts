import { expect, test } from 'vitest';
import type { ProgressState } from '../../platform/telemetry/terminal-output.ts';
import { TopicProgress } from './topic-progress.ts';

test('records and lag are sums over partitions, and a partition that moves to another engine counts once', () => {
  const states: ProgressState[] = [];
  const progress = new TopicProgress((state) => states.push(state));
  const read = (partition: number, offset: number) =>
    progress.read({ topic: 'flows', partition, offset, highWatermark: 100 });
  read(0, 10);
  read(1, 20);
  read(0, 40);
  // By the engine of another thread.
  read(0, 99);
  expect(states.map(({ records, note }) => [records, note])).toEqual([
    [0, 'lag 89'],
    [0, 'lag 168'],
    [30, 'lag 138'],
    [89, 'lag 79'],
  ]);
});
