import { afterAll, beforeAll, expect, test } from 'vitest';
import { decodeJson } from '../billing/decode-json.ts';
import { Rules } from '../billing/rules.ts';
import { StoreError } from '../platform/store-error.ts';
import { DOORS, memoryPublisher, type OpenedStore, PSEUDONYM_KEY, rawRecords, systemClock } from './engine.fixture.ts';
import { JournalReader } from './journal-reader.ts';
import { bookBlock } from './journal-writer.ts';
import { type BookedBatch, LaneWorker, type WorkerPorts, type WorkerSettings } from './lane-worker.ts';
import { chatCatalogue, chatRecord } from './traffic.fixture.ts';

let opened: OpenedStore;
let topics = 0;

beforeAll(async () => {
  opened = await DOORS.embedded();
});
afterAll(() => opened?.close());

const records = rawRecords(
  Array.from({ length: 30 }, (_, at) => chatRecord({ localSequenceNumber: at })),
  Date.UTC(2026, 10, 30),
);

function worker(
  ports: Partial<WorkerPorts> = {},
  settings: Partial<WorkerSettings> = {},
  topic = `worker-${++topics}`,
) {
  const log = { topic, partition: 0, lane: `${topic}-0` };
  const booked: BookedBatch[] = [];
  const rules = new Rules(chatCatalogue());
  const lane = new LaneWorker(
    log.lane,
    {
      reader: new JournalReader(opened.store),
      book: (block) =>
        bookBlock(opened.store, block, { firstDelayMs: 1, maxDelayMs: 1, giveUpAfterMs: 1 }, systemClock),
      publisher: memoryPublisher(),
      rules: async () => rules,
      clock: systemClock,
      onBooked: (batch) => booked.push(batch),
      onFailure: () => {},
      ...ports,
    },
    {
      maxRecords: 100,
      maxOctets: 1 << 20,
      maxDelayMs: 60_000,
      rejectionPayloadOctets: 100,
      duplicateWindowRecords: 100,
      pseudonymKey: PSEUDONYM_KEY,
      ...settings,
    },
  );
  return { log, lane, booked };
}

test('a batch that does not fill is booked after its delay, without another record', async () => {
  const done = waiting<BookedBatch>();
  const { log, lane } = worker({ onBooked: done.resolve }, { maxDelayMs: 20 });
  expect(await lane.assign(log, null)).toBe(0);
  await lane.deliver(log, records.slice(0, 3), decodeJson);
  expect((await done.promise).block.lastOffset).toBe(2);
});

test('batches end at their cap in records, and at their cap in octets', async () => {
  const byRecords = worker({}, { maxRecords: 8 });
  const byOctets = worker({}, { maxOctets: records[0].value.length * 3 - 50 });
  for (const { log, lane } of [byRecords, byOctets]) {
    await lane.assign(log, null);
    await lane.deliver(log, records.slice(0, 20), decodeJson);
    await lane.flush(log);
  }
  expect(byRecords.booked.map(({ block }) => block.lastOffset)).toEqual([7, 15, 19]);
  expect(byOctets.booked.map(({ block }) => block.lastOffset)).toEqual([2, 5, 8, 11, 14, 17, 19]);
});

test('a batch ends before its octets could leave the exact integers', async () => {
  const largest = rawRecords(
    Array.from({ length: 40 }, (_, at) =>
      chatRecord({
        localSequenceNumber: at,
        remoteIp: '8.8.8.8',
        uplinkOctets: 2 ** 48 - 1,
        downlinkOctets: 2 ** 48 - 1,
      }),
    ),
    Date.UTC(2026, 10, 30),
  );
  const { log, lane, booked } = worker();
  await lane.assign(log, null);
  await lane.deliver(log, largest, decodeJson);
  await lane.flush(log);
  const sums = booked.map(({ summary }) => summary.octets.not_sponsored);
  expect(sums.every(Number.isSafeInteger)).toBe(true);
  expect(sums.reduce((total, sum) => total + BigInt(sum), 0n)).toBe(80n * (2n ** 48n - 1n));
});

test('after a failure nothing is taken until the log is assigned again, and then nothing is lost', async () => {
  const failure = new StoreError('store_unreachable', 'down', { canRetry: true });
  const failed = waiting<unknown>();
  let isDown = true;
  const { log, lane, booked } = worker(
    {
      book: (block) =>
        isDown
          ? Promise.reject(failure)
          : bookBlock(opened.store, block, { firstDelayMs: 1, maxDelayMs: 1, giveUpAfterMs: 1 }, systemClock),
      onFailure: failed.resolve,
    },
    { maxDelayMs: 20 },
  );
  await lane.assign(log, null);
  await lane.deliver(log, records.slice(0, 5), decodeJson);
  expect(await failed.promise).toBe(failure);
  isDown = false;
  // Going on here would skip the records before it.
  await expect(lane.deliver(log, records.slice(5, 9), decodeJson)).rejects.toMatchObject({ code: 'batch_fenced' });
  await expect(lane.flush(log)).rejects.toMatchObject({ code: 'batch_fenced' });
  expect(await lane.assign(log, null)).toBe(0);
  await lane.deliver(log, records.slice(0, 9), decodeJson);
  await lane.flush(log);
  expect(booked.map(({ summary }) => summary.records.charged)).toEqual([9]);
});

test('what is released is forgotten, and what another process booked meanwhile is read back', async () => {
  const { log, lane, booked } = worker();
  await lane.assign(log, null);
  await lane.deliver(log, records.slice(0, 10), decodeJson);
  await lane.release(log);
  const other = worker({}, {}, log.topic).lane;
  await other.assign(log, null);
  await other.deliver(log, records.slice(0, 4), decodeJson);
  await other.flush(log);
  expect(await lane.assign(log, null)).toBe(4);
  await lane.deliver(log, records.slice(4, 10), decodeJson);
  await lane.flush(log);
  expect(booked.map(({ block }) => [block.prev, block.laneSequence])).toEqual([[3, 2]]);
});

function waiting<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => {};
  const promise = new Promise<T>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}
