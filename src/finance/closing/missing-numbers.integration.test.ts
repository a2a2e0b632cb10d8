import { afterAll, beforeAll, expect, test } from 'vitest';
import { memorySource, OPEN_STORE, type OpenedStore, rawRecords, runEngine } from '../../engine/engine.fixture.ts';
import { chatCatalogue, chatRecord } from '../../engine/traffic.fixture.ts';
import { MissingNumbers } from './missing-numbers.ts';

const HIGHEST = 2 ** 32 - 1;
let opened: OpenedStore;
let nodes = 0;

beforeAll(async () => {
  opened = await OPEN_STORE.embedded();
});
afterAll(() => opened?.close());

async function send(log: { topic: string; partition: number; lane: string }, numbers: number[], firstOffset = 0) {
  const records = numbers.map((localSequenceNumber) =>
    chatRecord({
      nodeId: log.topic,
      localSequenceNumber,
      startTime: Date.UTC(2026, 10, 23, 12) + (localSequenceNumber % 1000),
    }),
  );
  const source = memorySource(log, rawRecords(records, Date.UTC(2026, 10, 30), firstOffset));
  await runEngine({ store: opened.store, source, catalogue: chatCatalogue(), maxRecords: 2 });
}

const newLog = () => {
  const topic = `node-${++nodes}`;
  return { topic, partition: 0, lane: `${topic}-0` };
};
const listed = async () =>
  Number((await opened.store.query<{ n: number }>('SELECT sum(missing) AS n FROM sequence_gaps'))[0].n);

test('each look counts what the view lists: gaps that open, gaps that close, and the end of the numbers', async () => {
  const watched = new MissingNumbers(opened.store);
  expect(await watched.look()).toBe(0);
  const log = newLog();
  await send(log, [7, 3, 4, 12]);
  expect(await watched.look()).toBe(6);
  expect(await watched.look()).toBe(6);
  await send(log, [5, 9], 4);
  expect(await watched.look()).toBe(4);
  await send(newLog(), [HIGHEST - 5, HIGHEST - 2, 2, 4]);
  await send(newLog(), [2 ** 33, 2 ** 33 + 5]);
  expect(await watched.look()).toBe(4 + 7 + 4);
  expect(await listed()).toBe(15);
  expect(await new MissingNumbers(opened.store).look()).toBe(15);
});

test('numbers that are hashes of content have no gaps between them, nor do those of rejected records', async () => {
  const watched = new MissingNumbers(opened.store);
  const before = await watched.look();
  const log = { topic: '192.0.2.1/content', partition: 0, lane: '192.0.2.1/content-0' };
  await send(log, [7, 2 ** 52, 12]);
  const rejected = chatRecord({ nodeId: log.topic, localSequenceNumber: 99, uplinkOctets: -1 });
  const records = rawRecords([rejected], Date.UTC(2026, 10, 30), 3);
  await runEngine({ store: opened.store, source: memorySource(log, records), catalogue: chatCatalogue() });
  expect(await watched.look()).toBe(before);
  expect(await listed()).toBe(await new MissingNumbers(opened.store).look());
});

test('a rejected record has arrived, and one that conflicts with an earlier one has no number of its own', async () => {
  const watched = new MissingNumbers(opened.store);
  const before = await watched.look();
  const log = newLog();
  const of = (localSequenceNumber: number, uplinkOctets: number) =>
    chatRecord({ nodeId: log.topic, localSequenceNumber, uplinkOctets });
  const records = rawRecords([of(1, 10), of(2, -1), of(1, 11), of(5, 10)], Date.UTC(2026, 10, 30));
  await runEngine({ store: opened.store, source: memorySource(log, records), catalogue: chatCatalogue() });
  expect((await watched.look()) - before).toBe(2);
});
