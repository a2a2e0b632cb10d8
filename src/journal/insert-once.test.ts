import { expect, test } from 'vitest';
import { StoreError } from '../platform/clickhouse/store.ts';
import { insertOnce } from './journal.ts';

const DOWN = new StoreError('store_unreachable', 'down', { canRetry: true });
const FENCED = new StoreError('batch_fenced', 'the journal has moved on');
const CLOCK = { monotonicMs: () => 0, sleep: async () => {} };
const RETRY = { firstDelayMs: 1, maxDelayMs: 1, giveUpAfterMs: 1000 };

type Look = 'ours' | 'another' | 'nothing' | StoreError;

/** What becomes of each insert (null: acknowledged), and what a look after it finds. */
function book(fates: readonly [failure: StoreError | null, found: Look][]) {
  let inserts = 0;
  let looks = 0;
  const insert = async () => {
    const [failure] = fates[inserts++];
    if (failure !== null) throw failure;
  };
  const status = async () => {
    const [, found] = fates[looks++];
    if (found instanceof StoreError) throw found;
    return found;
  };
  return insertOnce({ name: 'entry 1', insert, status }, RETRY, CLOCK);
}

test('an insert that refuses itself, because it had landed when its answer was lost, is booked', async () => {
  const booked = book([
    [DOWN, DOWN],
    [FENCED, DOWN],
    [FENCED, 'ours'],
  ]);
  expect(await booked).toBe('booked');
});

test.each<[string, [StoreError | null, Look]]>([
  ['acknowledged, and dropped as a rival’s duplicate', [null, 'another']],
  ['refused, and the insert of a rival is in its place', [FENCED, 'another']],
  ['refused, and nothing is in its place', [FENCED, 'nothing']],
])('an insert that was %s is fenced', async (_, fate) => {
  expect(await book([fate])).toBe('fenced');
});
