import { trace } from '@opentelemetry/api';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { QuotaPublisherError } from '../journal/journal.ts';
import { quotaUpdate, quotaUpdates } from '../journal/quota-update.fixture.ts';
import type { Clock } from '../platform/clock.ts';
import { QuotaUpdates } from '../rating/quota-updates.ts';
import { BatchSteps } from './batch-steps.ts';
import type { BookedBatch, FailedBatch, PublishedUpdates, UnpublishedBatch, WorkerPorts } from './book-batch.ts';
import { LaneQuotas, PendingMemory } from './lane-quotas.ts';

const LOG = { topic: 'flows', partition: 0, lane: 'flows-0' };
const INTERVAL_MS = 1000;
const tracer = trace.getTracer('test');

/** A subscriber's use, and whether its update must not wait. */
type Move = [subscriber: number, usedOctets: number, isUrgent?: boolean | undefined];

const subscriberOf = (who: number) => who.toString(16).padStart(32, '0');

/** A lane's quotas with a clock and a publisher of the test's own. */
class TestLane {
  nowMs = 0;
  readonly timers = new Map<object, { atMs: number; call: () => void }>();
  /** Of each publication: subscriber and use of its updates. */
  readonly published: [subscriber: number, usedOctets: number][][] = [];
  readonly booked: BookedBatch[] = [];
  readonly later: PublishedUpdates[] = [];
  readonly failed: FailedBatch[] = [];
  readonly lost: unknown[] = [];
  /** By number of a batch: its moves, and through which batch updates were published when it was booked. */
  readonly journal = new Map<number, { moves: readonly Move[]; publishedThrough: number }>();
  failure: Error | null = null;
  due = 0;
  readonly quotas: LaneQuotas;

  constructor(intervalMs = INTERVAL_MS, memory = new PendingMemory(1 << 30)) {
    const ports: Partial<WorkerPorts> = {
      clock: this.#clock(),
      tracer,
      publisher: {
        start: async () => {},
        claim: async () => {},
        stop: async () => {},
        publish: async (_lane, updates) => this.#publish(updates),
      },
      onBooked: (batch) => this.booked.push(batch),
      onPublished: (updates) => this.later.push(updates),
      onFailed: (batch) => this.failed.push(batch),
    };
    this.quotas = new LaneQuotas(LOG.lane, ports as WorkerPorts, intervalMs, memory, {
      onDue: () => this.due++,
      onLost: (_log, error) => this.lost.push(error),
    });
  }

  /** Books the next batch and waits until what is due with it is published. */
  async book(...moves: readonly Move[]): Promise<void> {
    const laneSequence = this.journal.size + 1;
    this.journal.set(laneSequence, { moves, publishedThrough: this.quotas.publishedThrough });
    const updates = quotaUpdates(
      moves.map(([who, usedOctets]) =>
        quotaUpdate({ subscriber: subscriberOf(who), usedOctets, version: laneSequence }),
      ),
    );
    updates.urgent.push(...moves.flatMap(([, , isUrgent], at) => (isUrgent ? [at] : [])));
    await this.bookUpdates(updates, laneSequence);
  }

  async bookUpdates(updates: QuotaUpdates, laneSequence: number): Promise<void> {
    const steps = new BatchSteps(LOG.lane, tracer, this.#clock());
    const batch = { booked: { place: { log: LOG, laneSequence } }, updates, steps } as unknown as UnpublishedBatch;
    await this.quotas.take(LOG, batch, this.quotas.publishing);
    await this.settled();
  }

  async settled(): Promise<void> {
    while (this.quotas.publishing !== null) await this.quotas.publishing.done.catch(() => {});
  }

  pass(ms: number): void {
    this.nowMs += ms;
    for (const [timer, { atMs, call }] of this.timers) {
      if (atMs > this.nowMs) continue;
      this.timers.delete(timer);
      call();
    }
  }

  #clock(): Clock {
    return {
      nowMs: () => this.nowMs,
      monotonicMs: () => this.nowMs,
      sleep: async () => {},
      after: (ms, call) => {
        const timer = {};
        this.timers.set(timer, { atMs: this.nowMs + ms, call });
        return () => this.timers.delete(timer);
      },
    };
  }

  #publish(updates: QuotaUpdates): void {
    if (this.failure !== null) throw this.failure;
    if (updates.length === 0) return;
    this.published.push([...updates].map(({ subscriber, usedOctets }) => [Number(`0x${subscriber}`), usedOctets]));
  }
}

const outcomes = ({ booked }: TestLane) =>
  booked.map(({ quotaUpdates, publishedThrough }) => [quotaUpdates, publishedThrough]);

test('without an interval every batch publishes its updates, and nothing waits', async () => {
  const lane = new TestLane(0);
  await lane.book([1, 10], [2, 20]);
  await lane.book([1, 11]);
  await lane.book();
  expect(lane.published).toEqual([
    [
      [1, 10],
      [2, 20],
    ],
    [[1, 11]],
  ]);
  expect(outcomes(lane)).toEqual([
    [2, 1],
    [1, 2],
    [0, 3],
  ]);
  expect(lane.timers.size).toBe(0);
});

test('with one the newest of each counter is published when it is over, and batches say what was not published', async () => {
  const lane = new TestLane();
  await lane.book([1, 10]);
  await lane.book([1, 11], [2, 20]);
  await lane.book([1, 12]);
  expect(lane.published).toEqual([[[1, 10]]]);
  lane.pass(INTERVAL_MS);
  await lane.book([3, 30]);
  expect(lane.published.slice(1)).toEqual([
    [
      [1, 12],
      [2, 20],
      [3, 30],
    ],
  ]);
  expect(outcomes(lane)).toEqual([
    [1, 1],
    [0, 1],
    [0, 1],
    [3, 4],
  ]);
  expect([...lane.journal.values()].map(({ publishedThrough }) => publishedThrough)).toEqual([0, 1, 1, 1]);
});

test('what waits is published when the interval is over, though no batch comes', async () => {
  const lane = new TestLane();
  await lane.book([1, 10]);
  lane.pass(300);
  await lane.book([1, 11]);
  await lane.book([2, 20]);
  expect(lane.timers.size).toBe(1);
  lane.pass(INTERVAL_MS - 301);
  expect(lane.due).toBe(0);
  lane.pass(1);
  expect(lane.due).toBe(1);
  await lane.quotas.publishDue();
  expect(lane.published.at(-1)).toEqual([
    [1, 11],
    [2, 20],
  ]);
  expect(lane.later).toEqual([{ lane: LOG.lane, quotaUpdates: 2, publishedThrough: 3 }]);
  expect([lane.quotas.publishedThrough, lane.timers.size]).toEqual([3, 0]);
});

test('a timer that comes after a batch has published waits for the next interval', async () => {
  const lane = new TestLane();
  await lane.book([1, 10]);
  await lane.book([1, 11]);
  lane.pass(INTERVAL_MS);
  await lane.book([1, 12]);
  await lane.book([1, 13]);
  await lane.quotas.publishDue();
  expect(lane.published).toEqual([[[1, 10]], [[1, 12]]]);
  expect(lane.timers.size).toBe(1);
});

test('updates that must not wait go with their batch, and are not sent again', async () => {
  const lane = new TestLane();
  await lane.book([1, 10]);
  await lane.book([1, 11], [2, 20]);
  await lane.book([1, 12, true], [3, 30]);
  expect(lane.published.at(-1)).toEqual([[1, 12]]);
  await lane.book([2, 21, true], [3, 31, true]);
  // Now nothing waits: all that was booked is published.
  expect(outcomes(lane)).toEqual([
    [1, 1],
    [0, 1],
    [1, 1],
    [2, 4],
  ]);
  await lane.book([4, 40]);
  await lane.quotas.publishPending();
  expect(lane.published.at(-1)).toEqual([[4, 40]]);
});

test('batches without updates wait for nothing', async () => {
  const lane = new TestLane();
  await lane.book([1, 10]);
  await lane.book();
  expect([lane.quotas.publishedThrough, lane.timers.size]).toEqual([2, 0]);
  await lane.book([1, 11]);
  await lane.book();
  expect(lane.quotas.publishedThrough).toBe(2);
});

test('after 1000 batches a lane publishes early', async () => {
  const lane = new TestLane();
  await lane.book([1, 1]);
  for (let batch = 2; batch <= 1000; batch++) await lane.book([1, batch]);
  expect(lane.published).toEqual([[[1, 1]]]);
  await lane.book([1, 1001]);
  expect(lane.published.at(-1)).toEqual([[1, 1001]]);
});

test('with more than 262,144 updates a lane publishes early', async () => {
  const lane = new TestLane();
  const batch = (from: number, count: number) => {
    const updates = new QuotaUpdates(count);
    updates.heads.push(quotaUpdate());
    for (let at = 0; at < count; at++) updates.subscriber[at * 4] = Math.imul(from + at, 0x9e3779b1);
    updates.length = count;
    return updates;
  };
  await lane.book([1, 1]);
  await lane.bookUpdates(batch(0, 262_143), 2);
  await lane.bookUpdates(batch(262_143, 1), 3);
  expect(lane.published).toHaveLength(1);
  await lane.bookUpdates(batch(262_144, 1), 4);
  expect(lane.published.at(-1)).toHaveLength(262_145);
});

test('lanes share the memory of waiting updates: one that adds to it when it is short publishes', async () => {
  const many = Array.from({ length: 500 }, (_, who): Move => [who, 1]);
  const memory = new PendingMemory(300_000);
  const [one, other] = [new TestLane(INTERVAL_MS, memory), new TestLane(INTERVAL_MS, memory)];
  for (const lane of [one, other]) await lane.book([1, 1]);
  await one.book(...many);
  expect(one.published).toHaveLength(1);
  await other.book(...many);
  expect(other.published).toHaveLength(2);
  await other.book([1, 2]);
  expect(other.published).toHaveLength(2);
  one.quotas.discard();
  await other.book(...many);
  expect(other.published).toHaveLength(2);
});

test('what waits is forgotten with the copy of the journal, and what is read again counts as published', async () => {
  const lane = new TestLane();
  await lane.book([1, 10]);
  await lane.book([1, 11]);
  lane.quotas.discard();
  expect(lane.timers.size).toBe(0);
  await lane.quotas.recover([quotaUpdates([quotaUpdate({ subscriber: subscriberOf(1), usedOctets: 11 })])], 2);
  await lane.quotas.publishPending();
  expect(lane.published).toEqual([[[1, 10]], [[1, 11]]]);
  expect(lane.quotas.publishedThrough).toBe(2);
});

test('a batch that was on its way when what waits was forgotten publishes its own updates, and vouches for no others', async () => {
  const lane = new TestLane();
  await lane.book([1, 10]);
  await lane.book([1, 11], [2, 20]);
  lane.quotas.discard();
  await lane.book([1, 12]);
  expect(lane.published.at(-1)).toEqual([[1, 12]]);
  expect([lane.quotas.publishedThrough, lane.timers.size]).toEqual([1, 0]);
});

test('a closed lane leaves no timer behind, and publishes nothing that waits', async () => {
  const lane = new TestLane();
  await lane.book([1, 10]);
  await lane.book([1, 11]);
  lane.quotas.close();
  expect(lane.timers.size).toBe(0);
  await lane.book([1, 12]);
  lane.quotas.beginPending(LOG);
  await lane.settled();
  expect([lane.timers.size, lane.published]).toEqual([0, [[[1, 10]]]]);
});

test('a failed publication is reported with the last batch, and what it was to publish does not count as published', async () => {
  const lane = new TestLane();
  await lane.book([1, 10]);
  await lane.book([1, 11]);
  await lane.book([2, 20]);
  lane.failure = new QuotaPublisherError('claim_lost', 'fenced', { canRetry: true });
  lane.quotas.beginPending(LOG);
  await lane.settled();
  expect(lane.lost).toEqual([lane.failure]);
  expect(lane.failed.map(({ place, stage }) => [place.laneSequence, stage])).toEqual([[3, 'publish']]);
  expect(lane.quotas.publishedThrough).toBe(1);
  await expect(lane.book([3, 30, true])).resolves.toBeUndefined();
  expect(lane.lost).toHaveLength(2);
  expect(lane.booked).toHaveLength(3);
});

type Action = { book: Move[] } | { passMs: number };

const anyAction: fc.Arbitrary<Action> = fc.oneof(
  fc.record({
    book: fc.uniqueArray(fc.tuple(fc.nat(4), fc.constant(0), fc.boolean()), {
      selector: ([who]) => who,
      maxLength: 4,
    }) as fc.Arbitrary<Move[]>,
  }),
  fc.record({ passMs: fc.integer({ min: 1, max: INTERVAL_MS }) }),
);

test('wherever a run is cut: what was published, and what the journal says was not, are the newest of each counter, no sooner than after the interval', async () => {
  const anyRun = fc.tuple(fc.array(anyAction, { maxLength: 40 }), fc.constantFrom(0, INTERVAL_MS));
  await fc.assert(
    fc.asyncProperty(anyRun, async ([run, intervalMs]) => {
      const lane = new TestLane(intervalMs);
      const used = new Map<number, number>();
      let lastAtMs = Number.NEGATIVE_INFINITY;
      const published = () => {
        expect(lane.nowMs - lastAtMs).toBeGreaterThanOrEqual(intervalMs);
        lastAtMs = lane.nowMs;
      };
      for (const action of run) {
        if ('passMs' in action) {
          lane.pass(action.passMs);
          const before = lane.later.length;
          if (lane.due > 0) await lane.quotas.publishDue();
          lane.due = 0;
          if (lane.later.length > before) published();
        } else {
          const moves = action.book.map(([who, , isUrgent]): Move => [who, (used.get(who) ?? 0) + 1, isUrgent]);
          for (const [who, octets] of moves) used.set(who, octets);
          await lane.book(...moves);
          const urgent = moves.filter(([, , isUrgent]) => isUrgent).length;
          if ((lane.booked.at(-1)?.quotaUpdates ?? 0) > urgent) published();
          // What must not wait has not waited.
          const consumer = new Map(lane.published.flat());
          for (const [who, octets, isUrgent] of moves) if (isUrgent) expect(consumer.get(who)).toBe(octets);
        }
        const consumer = new Map(lane.published.flat());
        const last = lane.journal.get(lane.journal.size);
        const after = Math.min(last?.publishedThrough ?? 0, lane.journal.size - 2);
        for (const [batch, { moves }] of lane.journal) {
          if (batch > after) for (const [who, octets] of moves) consumer.set(who, octets);
        }
        expect(consumer).toEqual(used);
      }
      await lane.quotas.publishPending();
      expect(new Map(lane.published.flat())).toEqual(used);
    }),
  );
});
