import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import type { FlowRecord } from '../rating/flow-record.ts';
import {
  memoryPublisher,
  memorySource,
  OPEN_STORE,
  type OpenedStore,
  rawRecords,
  runEngine,
} from './engine.fixture.ts';
import { chatCatalogue, chatRecord } from './traffic.fixture.ts';

const BOOKED_AT_MS = Date.UTC(2026, 10, 30, 23, 59, 59);

describe.each(['embedded', 'http', 'cluster'] as const)('the engine with a store of access %s', (access) => {
  let opened: OpenedStore;
  let topics = 0;

  beforeAll(async () => {
    opened = await OPEN_STORE[access]();
  });
  afterAll(() => opened?.close());

  const newLog = () => {
    const topic = `flows-${++topics}`;
    return { topic, partition: 0, lane: `${topic}-0` };
  };
  const charges = (topic: string) =>
    opened.store.query(`SELECT * EXCEPT booking_date FROM charges WHERE topic = '${topic}' ORDER BY offset`);

  test('books every record once, whatever the batches, and a second run books nothing', async () => {
    const records = rawRecords(stream(200), BOOKED_AT_MS);
    const [log, other] = [newLog(), newLog()];
    const run = (of: typeof log, maxRecords: number) =>
      runEngine({ store: opened.store, source: memorySource(of, records), catalogue: chatCatalogue(), maxRecords });
    const totals = await run(log, 30);
    await run(other, 7);

    expect(totals.read).toBe(200);
    expect(await run(log, 30)).toMatchObject({ read: 0, batches: 0 });
    const strip = (rows: Record<string, unknown>[]) => rows.map(({ topic: _, ...row }) => row);
    const booked = await charges(log.topic);
    expect(booked.length).toBe(totals.records.charged);
    expect(strip(await charges(other.topic))).toEqual(strip(booked));
  });

  test('an engine that takes over continues with the counters and the duplicates of the one before', async () => {
    const all = rawRecords([...stream(60), ...stream(60), ...stream(80)], BOOKED_AT_MS);
    const [whole, parted] = [newLog(), newLog()];
    const run = (log: typeof whole, records: typeof all) =>
      runEngine({ store: opened.store, source: memorySource(log, records), catalogue: chatCatalogue() });
    await run(whole, all);
    await run(parted, all.slice(0, 61));
    await run(parted, all.slice(0, 130));
    await run(parted, all);

    const sums = (topic: string) =>
      opened.store.query(
        `SELECT application_id, reason, sum(records) AS records, sum(octets) AS octets FROM outcomes ` +
          `WHERE topic = '${topic}' GROUP BY ALL ORDER BY ALL`,
      );
    expect(await sums(parted.topic)).toEqual(await sums(whole.topic));
    expect((await sums(whole.topic)).some(({ reason }) => reason === 'duplicate')).toBe(true);
    const [balance] = await opened.store.query<{ charged: number }>(
      `SELECT sumIf(charge_micros, topic = '${whole.topic}') - sumIf(charge_micros, topic = '${parted.topic}') AS charged FROM charges`,
    );
    expect(balance.charged).toBe(0);
  });

  test('of writers that race from one cursor one books, and the others are fenced', async () => {
    const log = newLog();
    const racers = Array.from({ length: 4 }, (_, racer) => {
      // Each sees another end of the log, so each would book another batch.
      const records = rawRecords(stream(40 + racer), BOOKED_AT_MS);
      return runEngine({
        store: opened.store,
        source: memorySource(log, records),
        catalogue: chatCatalogue(),
        maxRecords: 100,
      });
    });
    const results = await Promise.allSettled(racers);
    const [{ batches, offsets, records }] = await opened.store.query<Record<string, number>>(
      `SELECT count() AS batches, max(last_offset) + 1 AS offsets, sum(records_read) AS records FROM batches WHERE topic = '${log.topic}'`,
    );
    expect(records).toBe(offsets);
    const won = results.filter(({ status }) => status === 'fulfilled').length;
    expect(won).toBeGreaterThanOrEqual(1);
    expect(batches).toBeLessThanOrEqual(won);
    for (const result of results) {
      if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'batch_fenced', canRetry: true });
    }
  });

  test('quota updates are published after booking, and the last batch’s once more after a start', async () => {
    const log = newLog();
    const records = rawRecords(stream(50), BOOKED_AT_MS);
    const first = memoryPublisher();
    const second = memoryPublisher();
    const run = (publisher: typeof first) =>
      runEngine({ store: opened.store, source: memorySource(log, records), catalogue: chatCatalogue(), publisher });
    await run(first);
    await run(second);
    expect(first.published.length).toBeGreaterThan(0);
    expect(second.published).toEqual(first.published.filter(({ version }) => version === 50));
  });
});

/** Traffic of three subscribers, some of it not sponsored. */
function stream(records: number): FlowRecord[] {
  return Array.from({ length: records }, (_, index) =>
    chatRecord({
      localSequenceNumber: index,
      servedMsisdn: `99900000000${index % 3}`,
      uplinkOctets: 100 + index,
      downlinkOctets: 1000 * (index % 7),
      ...(index % 5 === 4 ? { remoteIp: '8.8.8.8', zeroRatingTag: null } : {}),
    }),
  );
}
