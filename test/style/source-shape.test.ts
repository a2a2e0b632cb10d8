import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { packagePath } from '../../src/platform/package-paths.ts';

const MAX_LINES = 400;
const FORBIDDEN_NAMES = /^(utils?|common|helpers?|misc)(\.|$)/;
/** Asks the runtime for a zone's calendar in a second computation: digits alone, no words. */
const KNOWS_TIME_ZONES = ['src/assurance/audit/second-conditions.ts', 'src/assurance/audit/second-rules.ts'];
/** What answers by the runtime's language data; of luxon, what writes words. */
const ICU =
  /\bIntl\b|\.toLocale\w+\(|\.localeCompare\(|\.toFormat\(|\.monthLong\b|\.monthShort\b|\.weekday(Long|Short)\b|\bInfo\./;
/** A clock, a random number or an output that no import shows. */
const IMPURE = /Date\.now|new Date\(\)|Math\.random|process\.env|console\./;

const files = ['src', 'test', 'bench'].flatMap((folder) =>
  readdirSync(packagePath(folder), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts'))
    .map((path) => join(folder, path)),
);
const shipped = files.filter((path) => path.startsWith('src/') && !/\.(test|fixture)\.ts$/.test(path));

function withoutComments(path: string): string {
  return readFileSync(packagePath(path), 'utf8').replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*/g, '');
}

describe('the shape of the sources, beside what dependency-cruiser and knip hold', () => {
  test('nothing is written, sorted or rounded as the runtime’s ICU says, which differs by its version', () => {
    const found = shipped.filter((path) => ICU.test(withoutComments(path)));
    expect(found).toEqual(KNOWS_TIME_ZONES);
  });

  test('the rating core reads no clock, no environment and draws nothing at random', () => {
    const found = shipped.filter((path) => path.startsWith('src/rating/') && IMPURE.test(withoutComments(path)));
    expect(found).toEqual([]);
  });

  test('every file has a readable size, and no part of its path is a name for anything', () => {
    for (const path of files) {
      expect(readFileSync(packagePath(path), 'utf8').split('\n').length, path).toBeLessThanOrEqual(MAX_LINES);
      for (const part of path.split('/')) expect(part, path).not.toMatch(FORBIDDEN_NAMES);
    }
  });
});
