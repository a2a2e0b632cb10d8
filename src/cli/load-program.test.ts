import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { ENGINE_VERSION } from '../journal/journal-block.ts';
import { packagePath } from '../platform/package-paths.ts';
import { loadProgram } from './load-program.ts';

test('the engine books under the version of the package', () => {
  expect(JSON.parse(readFileSync(packagePath('package.json'), 'utf8')).version).toBe(ENGINE_VERSION);
});

test('every command is loaded under its own name, but the one that completes them all', async () => {
  for (const command of (await loadProgram()).commands.filter((each) => each.name() !== 'completion')) {
    expect((await loadProgram(command.name())).commands.map((loaded) => loaded.name())).toEqual([command.name()]);
  }
});
