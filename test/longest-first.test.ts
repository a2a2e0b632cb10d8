import { existsSync } from 'node:fs';
import { relative } from 'node:path';
import { expect, test } from 'vitest';
import type { TestSpecification, Vitest } from 'vitest/node';
import { packagePath } from '../src/platform/package-paths.ts';
import LongestFirst, { SECONDS } from './longest-first.ts';

test('the files that take longest start first, whatever their project, and each of them exists', async () => {
  const longest = Object.keys(SECONDS).sort((a, b) => (SECONDS[b] ?? 0) - (SECONDS[a] ?? 0));
  expect(longest.filter((path) => !existsSync(packagePath(path)))).toEqual([]);

  const project = { name: 'unit', config: { sequence: { groupOrder: 0 }, isolate: true } };
  const cache = { getFileTestResults: () => undefined, getFileStats: () => ({ size: 1 }) };
  const sequencer = new LongestFirst({ cache, config: { root: packagePath('.') } } as unknown as Vitest);
  const paths = ['src/other.test.ts', ...longest.toReversed()];
  const files = paths.map((path) => ({ moduleId: packagePath(path), project }) as unknown as TestSpecification);
  const sorted = (await sequencer.sort(files)).map(({ moduleId }) => relative(packagePath('.'), moduleId));
  expect(sorted.toSorted()).toEqual(paths.toSorted());
  expect(sorted.map((path) => SECONDS[path] ?? 0)).toEqual([...longest.map((path) => SECONDS[path]), 0]);
});
