import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { packagePath } from '../../src/platform/package-paths.ts';
import { type Assumptions, capacityFor, costOfAMillion, type Measured } from './capacity.ts';

const MEASURED: Measured = {
  engineCoreSeconds: 2e-6,
  storeCoreSeconds: 1e-6,
  brokerCoreSeconds: 0.5e-6,
  recordsPerSecondOfAnEngine: 200_000,
  journalOctets: 64,
  recordOctets: 128,
  rowsPerRecord: 0.5,
  counterOctets: 50,
};
const ASSUMED: Assumptions = {
  utilisation: 0.5,
  coresOfAMachine: 4,
  recordsOfABatch: 100_000,
  secondsOfABatch: 0.5,
  replicas: 2,
  monthsKept: 10,
  pricesOf: '2026-11-25',
  usdPerCoreHour: 0.036,
  usdPerGibMonth: 0.1,
};

test('a million records a second', () => {
  expect(capacityFor(1_000_000, MEASURED, ASSUMED)).toEqual({
    recordsPerSecond: 1_000_000,
    partitions: 10,
    engineCores: 4,
    storeCores: 4,
    brokerCores: 2,
    machines: 2 + 2 + 2,
    insertsPerSecond: 20,
    journalGibPerDay: (1_000_000 * 0.5 * 64 * 2 * 86_400) / 2 ** 30,
    topicMibPerSecond: 128e6 / 2 ** 20,
  });
});

test('a million records cost what their core seconds and their disk cost', () => {
  // (2 + (1 + 0.5) x 2) seconds at half use, at a cent for 1,000 core seconds.
  expect(costOfAMillion(MEASURED, ASSUMED).cores).toBeCloseTo(0.0001);
  expect(costOfAMillion(MEASURED, ASSUMED).disk).toBeCloseTo((64e6 / 2 ** 30) * 0.1 * 10);
});

test('the capacity page has the table that was computed last', () => {
  const [, table] = /<!-- table -->\n\n([\s\S]*?)\n\n<!-- \/table -->/.exec(
    readFileSync(packagePath('docs/operate/capacity.md'), 'utf8'),
  ) ?? ['', ''];
  expect(table).toBe(readFileSync(packagePath('bench/results/capacity.md'), 'utf8').trim());
});
