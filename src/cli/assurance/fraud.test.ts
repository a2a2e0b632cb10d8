import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { RULES } from '../../assurance/fraud/finding.ts';
import { packagePath } from '../../platform/package-paths.ts';
import { loadProgram } from '../load-program.ts';

const page = readFileSync(packagePath('docs/operate/security.md'), 'utf8');
const fraud = (await loadProgram()).commands.find((command) => command.name() === 'fraud');

test('docs/operate/security.md names every rule', () => {
  for (const rule of Object.keys(RULES)) expect(page).toContain(`| \`${rule}\` |`);
});

test('docs/operate/security.md names every threshold with its default', () => {
  const thresholds = (fraud?.options ?? []).filter(({ defaultValue }) => typeof defaultValue === 'number');
  expect(thresholds.length).toBeGreaterThan(10);
  for (const { long, defaultValue } of thresholds) {
    const shown = defaultValue >= 2 ** 20 ? `${defaultValue / 2 ** 20} MiB` : String(defaultValue);
    expect(page).toContain(`\`${long}\` ${shown}`);
  }
});
