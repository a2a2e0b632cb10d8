import { afterAll, beforeAll, expect, test } from 'vitest';
import { memorySource, OPEN_STORE, type OpenedStore, rawRecords, runEngine } from './engine.fixture.ts';
import { chatCatalogue, chatRecord } from './traffic.fixture.ts';

const HIGHEST = 2 ** 32 - 1;
let opened: OpenedStore;

beforeAll(async () => {
  opened = await OPEN_STORE.embedded();
});
afterAll(() => opened?.close());

/** What the view lists for a node that sent these numbers, in this order. */
async function gapsOf(nodeId: string, numbers: readonly number[]) {
  const records = numbers.map((localSequenceNumber) =>
    chatRecord({ nodeId, localSequenceNumber, startTime: Date.UTC(2026, 10, 23, 12) + (localSequenceNumber % 1000) }),
  );
  const log = { topic: nodeId, partition: 0, lane: `${nodeId}-0` };
  const source = memorySource(log, rawRecords(records, Date.UTC(2026, 10, 30)));
  const totals = await runEngine({ store: opened.store, source, catalogue: chatCatalogue() });
  const rows = await opened.store.query<{ first: number; last: number; missing: number }>(
    'SELECT first_missing AS first, last_missing AS last, missing FROM sequence_gaps ' +
      `WHERE node_id = '${nodeId}' ORDER BY first_missing`,
  );
  return { gaps: rows.map(({ first, last, missing }) => [Number(first), Number(last), Number(missing)]), totals };
}

test('what lies between two numbers that arrived, in whatever order, is missing', async () => {
  const { gaps } = await gapsOf('plain', [7, 3, 4, 12]);
  expect(gaps).toEqual([
    [5, 6, 2],
    [8, 11, 4],
  ]);
});

test('a node that counted to the end and began again has no gap of four billion', async () => {
  expect((await gapsOf('wrapped', [HIGHEST - 1, HIGHEST, 0, 1])).gaps).toEqual([]);
  expect((await gapsOf('wrapped-with-gaps', [HIGHEST - 5, HIGHEST - 2, 2, 4])).gaps).toEqual([
    [3, 3, 1],
    [HIGHEST - 4, HIGHEST - 3, 2],
    [HIGHEST - 1, 1, 4],
  ]);
});

test('a node whose numbers are not TS 32.298’s may have gaps as large as it likes', async () => {
  const { gaps } = await gapsOf('long', [2 ** 33, 2 ** 33 + 2 ** 32]);
  expect(gaps).toEqual([[2 ** 33 + 1, 2 ** 33 + 2 ** 32 - 1, 2 ** 32 - 1]]);
});

test('a node whose numbers are hashes of content claims no gap', async () => {
  expect((await gapsOf('192.0.2.1/content', [7, 2 ** 52, 12])).gaps).toEqual([]);
});

test('a node that begins again too early is distinguished from one that repeats itself: nothing is lost without a word', async () => {
  const before = [0, 1, 2, 3].map((at) => chatRecord({ nodeId: 'restarted', localSequenceNumber: at }));
  const after = before.map((record) => ({
    ...record,
    startTime: record.startTime + 5000,
    endTime: record.endTime + 5000,
  }));
  const renamed = after.map((record) => ({ ...record, nodeId: 'restarted~2' }));
  const log = { topic: 'restarted', partition: 0, lane: 'restarted-0' };
  const records = rawRecords([...before, ...before, ...after, ...renamed], Date.UTC(2026, 10, 30));
  const source = memorySource(log, records);
  const { records: outcomes } = await runEngine({ store: opened.store, source, catalogue: chatCatalogue() });
  expect(outcomes).toEqual({ charged: 8, not_sponsored: 0, duplicate: 4, rejected: 4 });
  const reasons = await opened.store.query("SELECT DISTINCT reason FROM rejections WHERE topic = 'restarted'");
  expect(reasons).toEqual([{ reason: 'conflicting_duplicate' }]);
});
