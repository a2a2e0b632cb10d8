import { expect, test } from 'vitest';
import { insertStatement } from '../../src/journal/journal.ts';
import type { JournalBlock } from '../../src/journal/journal-block.ts';
import { withoutGuard } from './control.ts';
import { isJournalInsert, laneOf } from './proxied-request.ts';

// The harness reads and rewrites the journal's statement: both must agree on it.
const block = { log: { lane: 'flows-2', topic: 'flows', partition: 2 }, laneSequence: 7, prev: 41, bookingDay: 20_000 };
const sql = `${insertStatement({ ...block, columns: [] } as unknown as JournalBlock, "input('a String')")} FORMAT Native`;
const target = `/?query=${encodeURIComponent(sql)}`;

test('the insert is recognised by its statement, and its lane by its token', () => {
  expect([isJournalInsert({ target }), laneOf({ target })]).toEqual([true, 'flows-2']);
  const again = encodeURIComponent(insertStatement({ ...block, columns: [] } as unknown as JournalBlock, 'x', 1));
  expect(laneOf({ target: `/?query=${again}` })).toBe('flows-2');
  expect(isJournalInsert({ target: '/?query=SELECT%201' })).toBe(false);
});

test('without the guard nothing is thrown', () => {
  const changed = withoutGuard('guard')(sql);
  expect(changed).not.toContain('throwIf');
  expect(changed).toContain('flows-2@6');
  expect(changed).toMatch(/FROM input\('a String'\) ORDER BY ALL FORMAT Native$/);
});

test('without the token every insert has another one', () => {
  const [first, second] = [withoutGuard('token')(sql), withoutGuard('token')(sql)];
  expect(first).not.toBe(second);
  expect(first).not.toContain('flows-2@6');
  expect(first).toContain('throwIf');
});

test('an insert that has no guard is refused', () => {
  expect(() => withoutGuard('guard')('INSERT INTO journal SELECT 1')).toThrow('there is no guard');
});
