import { expect, test } from 'vitest';
import { loadProgram } from './load-program.ts';

test('every command is loaded under its own name, but the one that completes them all', async () => {
  for (const command of (await loadProgram()).commands.filter((each) => each.name() !== 'completion')) {
    expect((await loadProgram(command.name())).commands.map((loaded) => loaded.name())).toEqual([command.name()]);
  }
});
