import { afterAll, beforeAll, expect, test } from 'vitest';
import { auditJournal } from '../assurance/audit/audit.ts';
import type { AuditFault } from '../assurance/audit/invariants.ts';
import { ClickHouseJournal } from '../journal/clickhouse-journal.ts';
import { ClickHouseEvidence } from '../journal/evidence/clickhouse-evidence.ts';
import type { JournalBlock } from '../journal/journal-block.ts';
import { StoreError } from '../platform/clickhouse/store.ts';
import { type Clock, systemClock } from '../platform/clock.ts';
import { decodeJson } from '../rating/decode/decode-json.ts';
import type { BookedBatch, WorkerPorts, WorkerSettings } from './book-batch.ts';
import { memoryPublisher, OPEN_STORE, type OpenedStore, rawRecords, recordAt } from './engine.fixture.ts';
import { laneWorker, noBounds } from './lane-worker.fixture.ts';
import { chatRecord } from './traffic.fixture.ts';

let opened: OpenedStore;
let topics = 0;

beforeAll(async () => {
  opened = await OPEN_STORE.embedded();
});
afterAll(() => opened?.close());

const records = rawRecords(
  Array.from({ length: 30 }, (_, at) => chatRecord({ localSequenceNumber: at })),
  Date.UTC(2026, 10, 30),
);

const worker = (
  ports: Partial<WorkerPorts> = {},
  settings: Partial<WorkerSettings> = {},
  topic = `worker-${++topics}`,
) => laneWorker(opened.store, topic, ports, settings);

test('a batch that does not fill is booked after its delay, without another record', async () => {
  const done = waiting<BookedBatch>();
  const { log, lane } = worker({ onBooked: done.resolve }, { maxDelayMs: 20 });
  expect(await lane.assign(log, noBounds)).toBe(0);
  await lane.deliver(log, records.slice(0, 3), decodeJson);
  expect((await done.promise).place.lastOffset).toBe(2);
});

test('a batch whose time is over takes what is available, and is booked then, without another timer', async () => {
  const timers: (() => void)[] = [];
  const after = (_ms: number, call: () => void) => {
    timers.push(call);
    return () => {};
  };
  const done = waiting<BookedBatch>();
  const { log, lane } = worker({ clock: { ...systemClock, after }, onBooked: done.resolve });
  await lane.assign(log, noBounds);
  await lane.deliver(log, records.slice(0, 2), decodeJson);
  void lane.deliver(log, records.slice(2, 4), decodeJson);
  timers[0]();
  void lane.deliver(log, records.slice(4, 6), decodeJson);
  expect((await done.promise).place.lastOffset).toBe(5);
});

test('batches end at their cap in records, and at their cap in octets', async () => {
  const byRecords = worker({}, { maxRecords: 8 });
  const byOctets = worker({}, { maxBytes: records[0].value.length * 3 - 50 });
  for (const { log, lane } of [byRecords, byOctets]) {
    await lane.assign(log, noBounds);
    await lane.deliver(log, records.slice(0, 20), decodeJson);
    await lane.flush(log);
  }
  expect(byRecords.booked.map(({ place }) => place.lastOffset)).toEqual([7, 15, 19]);
  expect(byOctets.booked.map(({ place }) => place.lastOffset)).toEqual([2, 5, 8, 11, 14, 17, 19]);
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
  await lane.assign(log, noBounds);
  await lane.deliver(log, largest, decodeJson);
  await lane.flush(log);
  const sums = booked.map(({ octets }) => octets.not_sponsored);
  expect(sums.every(Number.isSafeInteger)).toBe(true);
  expect(sums.reduce((total, sum) => total + BigInt(sum), 0n)).toBe(80n * (2n ** 48n - 1n));
});

test('after a failure nothing is taken until the log is assigned again, and then nothing is lost', async () => {
  const failure = new StoreError('store_unreachable', 'down', { canRetry: true });
  const failed = waiting<unknown>();
  let isDown = true;
  const { log, lane, booked } = worker(
    {
      journal: Object.assign(new ClickHouseJournal(opened.store), {
        insert(block: JournalBlock) {
          return isDown ? Promise.reject(failure) : ClickHouseJournal.prototype.insert.call(this, block);
        },
      }),
      onFailure: (_, error) => failed.resolve(error),
    },
    { maxDelayMs: 20 },
  );
  await lane.assign(log, noBounds);
  await lane.deliver(log, records.slice(0, 5), decodeJson);
  expect(await failed.promise).toBe(failure);
  isDown = false;
  // Continuing here would skip the records before it.
  await expect(lane.deliver(log, records.slice(5, 9), decodeJson)).rejects.toMatchObject({ code: 'batch_fenced' });
  await expect(lane.flush(log)).rejects.toMatchObject({ code: 'batch_fenced' });
  expect(await lane.assign(log, noBounds)).toBe(0);
  await lane.deliver(log, records.slice(0, 9), decodeJson);
  await lane.flush(log);
  expect(booked.map(({ records }) => records.charged)).toEqual([9]);
});

test('a worker that is closed waits for nothing more: what it still does leaves no timer behind', async () => {
  const timers = new Set<object>();
  const after: Clock['after'] = (ms, call) => {
    const timer = {};
    timers.add(timer);
    const takeBack = systemClock.after(ms, () => {
      timers.delete(timer);
      call();
    });
    return () => {
      timers.delete(timer);
      takeBack();
    };
  };
  const { log, lane } = worker({ clock: { ...systemClock, after } });
  await lane.assign(log, noBounds);
  await lane.deliver(log, records.slice(0, 5), decodeJson);
  const delivered = lane.deliver(log, records.slice(5, 9), decodeJson);
  const released = lane.release(log);
  lane.close();
  await Promise.all([delivered, released]);
  expect(timers.size).toBe(0);
});

test('what is released is forgotten, and what another process booked meanwhile is read back', async () => {
  const { log, lane, booked } = worker();
  await lane.assign(log, noBounds);
  await lane.deliver(log, records.slice(0, 10), decodeJson);
  await lane.release(log);
  const other = worker({}, {}, log.topic).lane;
  await other.assign(log, noBounds);
  await other.deliver(log, records.slice(0, 4), decodeJson);
  await other.flush(log);
  expect(await lane.assign(log, noBounds)).toBe(4);
  await lane.deliver(log, records.slice(4, 10), decodeJson);
  await lane.flush(log);
  expect(booked.map(({ place }) => [place.prev, place.laneSequence])).toEqual([[3, 2]]);
});

test('the lane is claimed before the journal is read, and the log is looked at after its cursor', async () => {
  const calls: string[] = [];
  const noting =
    <A extends unknown[], R>(name: string, call: (...args: A) => R) =>
    (...args: A) => {
      calls.push(name);
      return call(...args);
    };
  const journal = new ClickHouseJournal(opened.store);
  const noted = {
    head: noting('head', journal.head.bind(journal)),
    cursor: noting('cursor', journal.cursor.bind(journal)),
  };
  const publisher = { ...memoryPublisher(), claim: noting('claim', async () => {}) };
  const { log, lane } = worker({ journal: Object.assign(journal, noted), publisher });
  await lane.assign(log, noting('bounds', noBounds));
  // Else what another engine books in between would be beyond an end that is known from before.
  expect([...new Set(calls)]).toEqual(['claim', 'head', 'cursor', 'bounds']);
});

test('a lane whose log was taken away in the meantime is not claimed: that would fence the next owner', async () => {
  const claims: (AbortSignal | undefined)[] = [];
  const publisher = {
    ...memoryPublisher(),
    claim: async (_lane: string, signal?: AbortSignal) => void claims.push(signal),
  };
  const { log, lane } = worker({ publisher });
  const round = new AbortController();
  await lane.assign(log, noBounds, round.signal);
  round.abort(new Error('reassigned'));
  await expect(lane.assign(log, noBounds, round.signal)).rejects.toThrow('reassigned');
  expect(claims).toEqual([round.signal]);
});

test('what a fenced engine books while the lane is being read is found by the one that reads', async () => {
  const rival = worker();
  await rival.lane.assign(rival.log, noBounds);
  await rival.lane.deliver(rival.log, records.slice(0, 3), decodeJson);
  const journal = new ClickHouseJournal(opened.store);
  const cursor = journal.cursor.bind(journal);
  let isBooked = false;
  const late = {
    async cursor(log: Parameters<typeof cursor>[0]) {
      if (!isBooked) await rival.lane.flush(rival.log);
      isBooked = true;
      return cursor(log);
    },
  };
  const publisher = memoryPublisher();
  const { lane } = worker({ journal: Object.assign(journal, late), publisher }, {}, rival.log.topic);
  expect(await lane.assign(rival.log, noBounds)).toBe(3);
  // No record comes after it: the journal would not be read again for a long time.
  expect(publisher.published.map(({ version }) => version)).toEqual([3]);
});

test('a gap is booked as a fact, once, when it is accepted, and the next batch continues behind it', async () => {
  const halted = worker();
  await halted.lane.assign(halted.log, noBounds);
  await halted.lane.deliver(halted.log, records.slice(0, 5), decodeJson);
  await halted.lane.flush(halted.log);
  const bounds = async () => ({ startOffset: 8, endOffset: 30 });
  await expect(halted.lane.assign(halted.log, bounds)).rejects.toMatchObject({ code: 'records_lost' });

  const gaps: unknown[] = [];
  const { log, lane } = worker({ onGap: (gap) => gaps.push(gap) }, { acceptGaps: true }, halted.log.topic);
  expect(await lane.assign(log, bounds)).toBe(8);
  await lane.deliver(log, records.slice(8, 12), decodeJson);
  await lane.flush(log);
  await halted.lane.release(log);
  expect(await halted.lane.assign(log, bounds)).toBe(12);
  expect(gaps).toEqual([{ reason: 'records_lost', log, firstOffset: 5, lastOffset: 7 }]);
  expect(await sourceGaps(log.topic)).toEqual([{ reason: 'records_lost', topic: log.topic, lost: 3, first: 5 }]);
  expect(await faults(log.lane)).toEqual([]);
});

test('a topic that was recreated is booked under another name, and its lane continues', async () => {
  const { log, lane, booked } = worker({}, { acceptGaps: true });
  await lane.assign(log, noBounds);
  await lane.deliver(log, records.slice(0, 5), decodeJson);
  await lane.flush(log);
  await lane.release(log);
  const bounds = async () => ({ startOffset: 0, endOffset: 3 });
  expect(await lane.assign(log, bounds)).toBe(0);
  // The first two are duplicates of what was booked from the old topic: the window belongs to the lane.
  const recreated = [records[3], records[4], records[20]].map(recordAt);
  await lane.deliver(log, recreated, decodeJson);
  await lane.flush(log);
  expect(booked.at(-1)?.records).toMatchObject({ duplicate: 2, charged: 1 });
  const other = worker({}, {}, log.topic).lane;
  expect(await other.assign(log, bounds)).toBe(3);
  expect(await sourceGaps(`${log.topic}~2`)).toEqual([
    { reason: 'topic_recreated', topic: `${log.topic}~2`, lost: 0, first: 0 },
  ]);
  expect(await faults(log.lane)).toEqual([]);
});

const sourceGaps = (topic: string) =>
  opened.store.query(
    'SELECT reason, topic, offsets_lost AS lost, first_lost_offset AS first FROM source_gaps ' +
      `WHERE topic = '${topic}'`,
  );

async function faults(lane: string): Promise<AuditFault[]> {
  const found: AuditFault[] = [];
  for await (const fault of auditJournal(new ClickHouseEvidence(opened.store))) {
    if (fault.lane === lane) found.push(fault);
  }
  return found;
}

function waiting<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => {};
  const promise = new Promise<T>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}
