import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { loadProgram } from '../../src/cli/load-program.ts';
import { packagePath } from '../../src/platform/package-paths.ts';
import { filesUnder } from './files-under.ts';
import { referencePages } from './reference-pages.ts';

const page = (name: string) => readFileSync(packagePath(`docs/reference/${name}`), 'utf8');
const generated = await referencePages();

test.each(Object.entries(generated))(
  'docs/reference/%s is what the source says; `npm run docs:reference` writes it',
  (name, text) => {
    expect(page(name)).toBe(text);
  },
);

test('the reference says in a line what each command is for', async () => {
  for (const command of (await loadProgram()).commands) {
    expect(page('index.md')).toContain(`| \`${command.name()}`);
  }
});

test('no metric is missing', () => {
  const sources = filesUnder(['src'], /(?<!\.test|\.fixture)\.ts$/);
  const names = sources.flatMap((path) => [
    ...readFileSync(packagePath(path), 'utf8').matchAll(/'(zerorate_[a-z_]+)'/g),
  ]);
  const metrics = new Set(
    names
      .map(([, name]) => name)
      .filter((name) => !/^zerorate_(engine|clerk|analyst|investigator|sponsor|migrator|usage)$/.test(name)),
  );
  expect(metrics.size).toBeGreaterThan(20);
  for (const name of metrics) expect(page('metrics.md')).toContain(`\`${name}\``);
});
