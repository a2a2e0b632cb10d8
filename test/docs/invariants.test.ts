import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { INVARIANTS, invariantsOf } from '../../src/assurance/audit/invariants.ts';
import { packagePath } from '../../src/platform/package-paths.ts';

test('the page lists every invariant, and what it is checked with', () => {
  const page = readFileSync(packagePath('docs/concepts/exactly-once.md'), 'utf8');
  const section = page.slice(page.indexOf('## Invariants'), page.indexOf('## How it is tested'));
  const listed = [...section.matchAll(/^\| `(\w+)` \| .+ \| (.+) \|$/gm)].map(([, name, needs]) => [name, needs]);
  const expected = Object.entries(INVARIANTS).map(([name, { needs }]) => [
    name,
    needs === 'store' ? 'the store' : '`--against-source`',
  ]);
  expect(listed).toEqual(expected);
});

test('a verdict is given on what can be checked, and on all that faults were found of', () => {
  const all = invariantsOf(['store', 'records', 'quota updates'], new Map());
  expect(all).toEqual(Object.keys(INVARIANTS));
  const ofStore = invariantsOf(['store'], new Map());
  expect(ofStore).toContain('monthly_terms');
  expect(ofStore).not.toContain('charges');
  expect(invariantsOf(['store'], new Map([['charges', 1]]))).toEqual(
    all.filter((name) => name === 'charges' || ofStore.includes(name)),
  );
});
