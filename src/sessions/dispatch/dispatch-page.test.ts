import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { packagePath } from '../../platform/package-paths.ts';
import { DISPATCH_REFUSALS } from '../protocol/refusal.ts';

test('the page lists the reasons for a refusal in the order in which they are checked', () => {
  const rows = Object.entries(DISPATCH_REFUSALS).map(([reason, meaning]) => `| \`${reason}\` | ${meaning} |`);
  const table = ['| reason | meaning |', '|---|---|', ...rows].join('\n');
  const page = readFileSync(packagePath('docs/operate/dispatch.md'), 'utf8');
  expect(page).toContain(`<!-- dispatch-refusals -->\n\n${table}\n\n<!-- /dispatch-refusals -->`);
});
