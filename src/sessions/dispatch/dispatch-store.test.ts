import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { DispatchStore } from './dispatch-store.ts';

const folder = mkdtempSync(join(tmpdir(), 'zerorate-dispatch-store-'));
afterAll(() => rmSync(folder, { recursive: true }));

test('an assertion that was used is remembered across a restart, until it expires', async () => {
  const id = 'x'.repeat(5000);
  const first = new DispatchStore(folder);
  await first.transaction(() => first.putUsedAssertion({ issuer: 'operator', id, expiresAtMs: 2000 }, 1000));
  await first.close();
  const second = new DispatchStore(folder);
  expect(second.isAssertionUsed({ issuer: 'operator', id, expiresAtMs: 2000 })).toBe(true);
  expect(second.isAssertionUsed({ issuer: 'another', id, expiresAtMs: 2000 })).toBe(false);
  const next = { issuer: 'operator', id: 'next', expiresAtMs: 200_000 };
  await second.transaction(() => second.putUsedAssertion(next, 100_000));
  expect(second.isAssertionUsed({ issuer: 'operator', id, expiresAtMs: 2000 })).toBe(false);
  expect(second.isAssertionUsed(next)).toBe(true);
  await second.close();
});
