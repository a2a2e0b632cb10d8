import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { parseSync } from 'oxc-parser';
import { expect, test } from 'vitest';
import { packagePath } from '../../src/platform/package-paths.ts';

const files = readdirSync(packagePath('src'), { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts') && !/\.(test|fixture)\.ts$/.test(path))
  .map((path) => join('src', path));

/** The values of a list that are there more than once, each with what it is of. */
function repeated(pairs: readonly (readonly [name: string, of: string])[]): Record<string, string[]> {
  const byName = new Map<string, Set<string>>();
  for (const [name, of] of pairs) byName.set(name, (byName.get(name) ?? new Set()).add(of));
  return Object.fromEntries([...byName].filter(([, of]) => of.size > 1).map(([name, of]) => [name, [...of].sort()]));
}

/** What a file declares and exports; a re-export is the same thing. */
function exportsOf(file: string): string[] {
  const { module } = parseSync(file, readFileSync(packagePath(file), 'utf8'));
  const entries = module.staticExports.flatMap((statement) => statement.entries);
  return entries
    .filter(({ moduleRequest }) => moduleRequest === null)
    .flatMap(({ exportName }) => exportName.name ?? []);
}

test('an exported name is of one thing', () => {
  expect(repeated(files.flatMap((file) => exportsOf(file).map((name) => [name, file] as const)))).toEqual({});
});

test('a file name is of one thing; a command’s file in cli/ has the command’s name, whatever it runs', () => {
  const named = files.filter((file) => !file.startsWith('src/cli/'));
  expect(repeated(named.map((file) => [basename(file), file]))).toEqual({});
  const commands = files.filter((file) => file.startsWith('src/cli/'));
  expect(repeated(commands.map((file) => [basename(file), file]))).toEqual({});
});
