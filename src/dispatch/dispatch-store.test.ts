import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { DispatchStore } from './dispatch-store.ts';

const folder = mkdtempSync(join(tmpdir(), 'zerorate-dispatch-store-'));
afterAll(() => rmSync(folder, { recursive: true }));

test('an assertion that was used is remembered across a restart, until it expires', async () => {
  const first = new DispatchStore(folder);
  expect(await first.useAssertion('operator', 'x'.repeat(5000), 2000, 1000)).toBe(true);
  await first.close();
  const second = new DispatchStore(folder);
  expect(await second.useAssertion('operator', 'x'.repeat(5000), 2000, 1500)).toBe(false);
  expect(await second.useAssertion('another', 'x'.repeat(5000), 2000, 1500)).toBe(true);
  await second.close();
});
