import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { GUARDS } from '../../src/evidence/feed-guards.ts';
import { packagePath } from '../../src/platform/package-paths.ts';

test('the page of evidence feeds has a row for each limit', () => {
  const page = readFileSync(packagePath('docs/operate/evidence-feeds.md'), 'utf8');
  const [, limits = ''] = /^## Limits$([\s\S]*?)^## /m.exec(page) ?? [];
  const named = [...limits.matchAll(/^\| (`[a-z_`, ]+) \|/gm)].flatMap(([, cell]) => cell.match(/\w+/g) ?? []);
  expect(named.sort()).toEqual([...GUARDS].sort());
});
