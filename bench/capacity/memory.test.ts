import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { packagePath } from '../../src/platform/package-paths.ts';
import { type MeasuredMemory, memoryLine } from './memory.ts';

const GIB = 2 ** 30;
const MIB = 2 ** 20;

test('the line goes through the fewest and the most partitions', () => {
  const measured = [
    { partitions: 101, caughtUp: 300, backlogPeak: 900 },
    { partitions: 1, caughtUp: 200, backlogPeak: 250 },
  ];
  expect(memoryLine(measured)).toEqual({ base: 199, perPartition: 1, backlog: 600 });
});

const results: MeasuredMemory[] = JSON.parse(readFileSync(packagePath('bench/results/memory.json'), 'utf8')).results;

test('200 partitions take 0.6 GiB caught up and 1.5 GiB in a backlog at the most', () => {
  const measured = results.find(({ partitions }) => partitions === 200);
  expect(measured?.caughtUp).toBeLessThan(0.6 * GIB);
  expect(measured?.backlogPeak).toBeLessThan(1.5 * GIB);
});

test('the capacity page has the line that was measured last', () => {
  const { base, perPartition, backlog } = memoryLine(results);
  const line =
    `${Math.round(base / MIB)} MiB + ${(perPartition / MIB).toFixed(1)} MiB for each partition, ` +
    `and up to ${Math.round(backlog / MIB)} MiB more in a backlog`;
  expect(readFileSync(packagePath('docs/operate/capacity.md'), 'utf8').replace(/\s+/g, ' ')).toContain(line);
});
