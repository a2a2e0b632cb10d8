import type { Admin, Kafka } from 'kafkajs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type KafkaServer, startKafka } from '../../test/servers/kafka-server.ts';
import { QuotaPublisherError } from '../journal/journal.ts';
import { kafkaQuotaPublisher } from '../journal/quota-publisher-kafka.ts';
import { QUOTA_UPDATE_SCHEMA } from '../journal/quota-update.fixture.ts';
import { readQuotaState } from '../journal/read-quota-state.ts';
import { type Clock, systemClock } from '../platform/clock.ts';
import { decodeJson } from '../rating/decode/decode-json.ts';
import type { QuotaUpdate } from '../rating/quota-updates.ts';
import { testKafka, testLogger } from '../sources/kafka/kafka-source.fixture.ts';
import type { WorkerPorts, WorkerSettings } from './book-batch.ts';
import {
  memoryPublisher,
  memorySource,
  OPEN_STORE,
  type OpenedStore,
  rawRecords,
  runEngine,
  TEST_SETTINGS,
} from './engine.fixture.ts';
import { laneWorker, noBounds } from './lane-worker.fixture.ts';
import { chatCatalogue, chatRecord } from './traffic.fixture.ts';

const HOUR_MS = 3_600_000;
const BOOKED_AT_MS = Date.UTC(2026, 10, 30);
const SUBSCRIBERS = 7;
/** Each of another subscriber: the last two batches are not all that waits. */
const BATCH_RECORDS = 2;

let opened: OpenedStore;
let topics = 0;

beforeAll(async () => {
  opened = await OPEN_STORE.embedded();
});
afterAll(() => opened?.close());

/** Records of some subscribers in turns, each of 366 sponsored octets of 30,000. */
const records = rawRecords(
  Array.from({ length: 60 }, (_, at) =>
    chatRecord({ localSequenceNumber: at, servedMsisdn: `99900000${String(at % SUBSCRIBERS).padStart(2, '0')}` }),
  ),
  BOOKED_AT_MS,
);

/** A clock that the test puts forward, and whose timers it ends. */
function handClock() {
  const timers = new Map<object, { ms: number; call: () => void }>();
  const ahead = { ms: 0 };
  const clock: Clock = {
    ...systemClock,
    monotonicMs: () => systemClock.monotonicMs() + ahead.ms,
    after(ms, call) {
      const timer = {};
      const end = () => timers.delete(timer) && call();
      timers.set(timer, { ms, call: end });
      return () => timers.delete(timer);
    },
  };
  return { clock, timers, ahead };
}

function worker(
  { topic = `interval-${++topics}`, ...ports }: Partial<WorkerPorts> & { topic?: string } = {},
  settings: Partial<WorkerSettings> = {},
) {
  return laneWorker(opened.store, topic, ports, { maxRecords: BATCH_RECORDS, quotaIntervalMs: HOUR_MS, ...settings });
}

/** Books whole batches: the updates of a lane's first one are published at once, the others' wait. */
async function book({ log, lane, booked }: ReturnType<typeof worker>, from: number, to: number): Promise<void> {
  const before = booked.length;
  await lane.deliver(log, records.slice(from, to), decodeJson);
  await until(() => booked.length === before + (to - from) / BATCH_RECORDS);
}

async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await systemClock.sleep(2);
}

/** What a consumer ends with: subscriber and use. */
const endOf = (published: readonly QuotaUpdate[]) =>
  [...new Map(published.map((update) => [update.subscriber, update.usedOctets]))].toSorted();

/** What the journal has. */
async function usedIn(lane: string) {
  const rows = await opened.store.query<{ who: string; used: number }>(
    'SELECT lower(hex(subscriber)) AS who, max(used_octets_after) AS used FROM journal ' +
      `WHERE kind = 'charge' AND lane = '${lane}' GROUP BY who ORDER BY who`,
  );
  return rows.map(({ who, used }) => [who, Number(used)]);
}

const publishedThrough = async (lane: string) => {
  const rows = await opened.store.query<{ through: number }>(
    `SELECT published_through AS through FROM journal WHERE kind = 'batch' AND lane = '${lane}' ORDER BY lane_sequence`,
  );
  return rows.map(({ through }) => Number(through));
};

test('batches within the interval publish nothing and say so, and a flush publishes the newest of each counter', async () => {
  const one = worker();
  await one.lane.assign(one.log, noBounds);
  await book(one, 0, 8);
  expect(one.published).toHaveLength(BATCH_RECORDS);
  expect(one.booked.map(({ quotaUpdates, publishedThrough }) => [quotaUpdates, publishedThrough])).toEqual([
    [BATCH_RECORDS, 1],
    [0, 1],
    [0, 1],
    [0, 1],
  ]);
  await one.lane.flush(one.log);
  expect(one.published).toHaveLength(BATCH_RECORDS + 6);
  expect(endOf(one.published)).toEqual(await usedIn(one.log.lane));
  expect((await publishedThrough(one.log.lane)).slice(2)).toEqual([1, 1]);
});

test('a lane that is given up publishes what waits, before the next owner reads the journal', async () => {
  const one = worker();
  await one.lane.assign(one.log, noBounds);
  await book(one, 0, 20);
  await one.lane.release(one.log);
  expect(endOf(one.published)).toEqual(await usedIn(one.log.lane));
  expect(one.failures).toEqual([]);
});

test('a lane that another owner has claimed meanwhile is given up all the same, and the failure is reported', async () => {
  const lost = new QuotaPublisherError('claim_lost', 'another publisher has claimed it', { canRetry: true });
  let isClaimed = false;
  const publisher = { ...memoryPublisher(), publish: async () => (isClaimed ? Promise.reject(lost) : undefined) };
  const one = worker({ publisher });
  await one.lane.assign(one.log, noBounds);
  await book(one, 0, 20);
  isClaimed = true;
  await one.lane.release(one.log);
  expect(one.failures).toEqual([lost]);
});

test('what waited when an engine died is published by the next owner of the lane, whatever its interval', async () => {
  for (const quotaIntervalMs of [0, HOUR_MS]) {
    const dead = worker();
    await dead.lane.assign(dead.log, noBounds);
    await book(dead, 0, 20);
    const next = worker({ topic: dead.log.topic }, { quotaIntervalMs });
    expect(await next.lane.assign(next.log, noBounds)).toBe(20);
    expect(next.published).toHaveLength(SUBSCRIBERS);
    expect(endOf(next.published)).toEqual(await usedIn(dead.log.lane));
    await next.lane.deliver(next.log, records.slice(20, 22), decodeJson);
    await next.lane.flush(next.log);
    expect((await publishedThrough(next.log.lane)).at(-1)).toBe(10);
    expect(endOf([...dead.published, ...next.published])).toEqual(await usedIn(dead.log.lane));
  }
});

test('a store of a version that did not record what was published continues with the last two batches', async () => {
  const old = worker({}, { quotaIntervalMs: 0, maxRecords: 4 });
  await old.lane.assign(old.log, noBounds);
  await old.lane.deliver(old.log, records.slice(0, 20), decodeJson);
  await old.lane.flush(old.log);
  await opened.store.command(
    `ALTER TABLE journal UPDATE published_through = -1 WHERE lane = '${old.log.lane}' SETTINGS mutations_sync = 2`,
  );
  const next = worker({ topic: old.log.topic });
  await next.lane.assign(next.log, noBounds);
  expect(new Set(next.published.map(({ offset }) => offset))).toEqual(new Set([13, 14, 15, 16, 17, 18, 19]));
});

test('what waits is published when the interval is over, and a closed worker leaves no timer behind', async () => {
  const { clock, timers, ahead } = handClock();
  const one = worker({ clock });
  // All other timers are of a minute at the most.
  const intervals = () => [...timers.values()].filter(({ ms }) => ms > 60_000);
  await one.lane.assign(one.log, noBounds);
  await book(one, 0, 8);
  ahead.ms += HOUR_MS;
  for (const timer of intervals()) timer.call();
  await until(() => one.published.length === BATCH_RECORDS + 6);
  expect(endOf(one.published)).toEqual(await usedIn(one.log.lane));
  await book(one, 8, 10);
  one.lane.close();
  await book(one, 10, 12);
  expect(intervals()).toEqual([]);
});

test('an update that says that a threshold is reached comes with its batch', async () => {
  const one = worker({}, { maxRecords: 1 });
  await one.lane.assign(one.log, noBounds);
  const heavy = rawRecords(
    [10, 46_000, 20, 100_000, 30].map((downlinkOctets, at) =>
      chatRecord({ localSequenceNumber: at, uplinkOctets: 0, downlinkOctets }),
    ),
    BOOKED_AT_MS,
  );
  await one.lane.deliver(one.log, heavy, decodeJson);
  await until(() => one.booked.length === 5);
  // The first is due; then half of the quota is used, and then all of it.
  expect(one.published.map(({ offset, thresholdReached }) => [offset, thresholdReached])).toEqual([
    [0, 0],
    [1, 5000],
    [3, 10_000],
  ]);
});

test('while a gap is booked nothing that waits is lost', async () => {
  const one = worker({}, { acceptGaps: true });
  await one.lane.assign(one.log, noBounds);
  await book(one, 0, 10);
  // Assigned again without being released, after the topic has lost what comes next.
  await one.lane.assign(one.log, async () => ({ startOffset: 15, endOffset: 60 }));
  const next = worker({ topic: one.log.topic });
  await next.lane.assign(next.log, noBounds);
  expect(endOf(next.published)).toEqual(await usedIn(one.log.lane));
});

/** With `KAFKA_SERVER` of the tests: the compacted topic itself. */
test('a topic ends with the same updates with and without an interval, in fewer messages', async () => {
  let server: KafkaServer | null = null;
  let admin: Admin | null = null;
  try {
    server = await startKafka();
    const kafka: Kafka = testKafka(server.brokers);
    admin = kafka.admin();
    await admin.connect();
    const messages: number[] = [];
    const ends: unknown[] = [];
    for (const quotaIntervalMs of [0, HOUR_MS]) {
      const topic = `interval-${quotaIntervalMs}`;
      const log = { topic, partition: 0, lane: `${topic}-0` };
      const options = { kafka, topic: `${topic}-quota`, schema: QUOTA_UPDATE_SCHEMA, logger: testLogger };
      await runEngine({
        store: opened.store,
        source: memorySource(log, records, 4),
        catalogue: chatCatalogue(),
        publisher: kafkaQuotaPublisher(options),
        settings: { ...TEST_SETTINGS, maxRecords: 4, quotaIntervalMs },
      });
      const { byCompaction, byVersion } = await readQuotaState(options);
      const withoutTopic = (updates: ReadonlyMap<string, QuotaUpdate>) =>
        [...updates].map(([key, { topic: _, ...update }]) => [key, update]).toSorted();
      ends.push([withoutTopic(byCompaction), withoutTopic(byVersion)]);
      const offsets = await admin.fetchTopicOffsets(options.topic);
      messages.push(offsets.reduce((sum, { high }) => sum + Number(high), 0));
    }
    expect(ends[1]).toEqual(ends[0]);
    expect((ends[0] as unknown[][])[0]).toHaveLength(SUBSCRIBERS);
    expect(messages[1]).toBeLessThan(messages[0] / 2);
  } finally {
    await admin?.disconnect();
    await server?.stop();
  }
});
