import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { packagePath } from '../platform/package-paths.ts';
import { REASONS } from '../rating/outcome.ts';
import { loadProgram } from './load-program.ts';

const readme = readFileSync(packagePath('README.md'), 'utf8');

test('the README lists the reasons in the order in which they are checked', () => {
  const rows = REASONS.map(
    ({ reason, outcome, meaning }) => `| \`${reason}\` | ${outcome.replace('_', ' ')} | ${meaning} |`,
  );
  const table = ['| reason | outcome | meaning |', '|---|---|---|', ...rows].join('\n');
  expect(readme).toContain(`<!-- reasons -->\n\n${table}\n\n<!-- /reasons -->`);
});

test('the README names every command', async () => {
  for (const command of (await loadProgram()).commands) {
    expect(readme).toContain(`| \`${command.name()}`);
  }
});

test('every command is loaded under its own name, but the one that completes them all', async () => {
  for (const command of (await loadProgram()).commands.filter((each) => each.name() !== 'completion')) {
    expect((await loadProgram(command.name())).commands.map((loaded) => loaded.name())).toEqual([command.name()]);
  }
});
