import { existsSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { expect, test } from 'vitest';
import { packagePath } from '../../src/platform/package-paths.ts';

const MAX_FILES = 41;
const MAX_BORDERS = 8;

test('a record meets at most 41 files and 8 borders of folders, and the page names each once', () => {
  const page = readFileSync(packagePath('docs/internals/architecture.md'), 'utf8');
  const section = page.slice(page.indexOf("## Files on a record's way"));
  const files = [...section.matchAll(/^\| [a-z]* ?\| `([^`]+\.ts)` \|/gm)].map(([, file]) => file as string);
  expect(files.filter((file) => !existsSync(packagePath(`src/${file}`)))).toEqual([]);
  expect(new Set(files).size).toBe(files.length);
  expect(files.length).toBeGreaterThan(30);
  expect(files.length).toBeLessThanOrEqual(MAX_FILES);
  const borders = files.filter((file, at) => at > 0 && dirname(file) !== dirname(files[at - 1] as string));
  expect(borders.length).toBeLessThanOrEqual(MAX_BORDERS);
});
