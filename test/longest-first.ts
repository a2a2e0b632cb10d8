import { readFileSync } from 'node:fs';
import { relative } from 'node:path';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

const ROOT = new URL('..', import.meta.url).pathname;

/** Seconds that test files took on two cores, of those that take half a minute or more. `.ci/run` prints them at its end. */
export const SECONDS: Readonly<Record<string, number>> = JSON.parse(
  readFileSync(new URL('slowest-files.json', import.meta.url), 'utf8'),
);

/**
 * Starts the files that take longest first. In a fresh clone Vitest knows no durations and orders by size: a long file that
 * starts last runs alone for minutes.
 */
export default class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const secondsOf = ({ moduleId }: TestSpecification) => SECONDS[relative(ROOT, moduleId)] ?? 0;
    return (await super.sort(files)).sort((a, b) => secondsOf(b) - secondsOf(a));
  }
}
