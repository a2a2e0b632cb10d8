import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import type { BatchPlace } from '../../journal/block-rows.ts';
import { ConsumerLag } from './consumer-lag.ts';
import { metricOf, parseExposition } from './scrape.fixture.ts';

const log = (partition: number) => ({ topic: 'flows', partition, lane: `flows-${partition}` });
const booked = (partition: number, lastOffset: number, topic = 'flows') =>
  ({ log: { ...log(partition), topic }, lastOffset }) as BatchPlace;

/** Partition 0 has the offsets 100 to 149, partition 1 has 0 to 9. */
async function watched() {
  const registry = new Registry();
  const bounds = new Map([
    [0, { startOffset: 100, endOffset: 150 }],
    [1, { startOffset: 0, endOffset: 10 }],
  ]);
  let problems = 0;
  const timers: (() => void)[] = [];
  const lag = new ConsumerLag({
    registry,
    topic: 'flows',
    fetchBounds: async () => {
      if (bounds.size === 0) throw new Error('no broker');
      return new Map(bounds);
    },
    clock: {
      after(_ms, call) {
        timers.push(call);
        return () => {};
      },
    },
    onProblem: () => problems++,
  });
  lag.start();
  const look = async () => {
    const scrape = parseExposition(await registry.metrics());
    const of = (name: string) => ['0', '1'].map((partition) => metricOf(scrape, `zerorate_${name}`, { partition }));
    return { lag: of('consumer_lag_records'), lost: of('source_lost_records') };
  };
  const askAgain = async () => {
    timers.shift()?.();
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { lag, look, bounds, askAgain, problems: () => problems };
}

test('the lag is the offsets of a held partition past its cursor; other partitions have none', async () => {
  const { lag, look } = await watched();
  expect((await look()).lag).toEqual([null, null]);
  lag.onAssigned(log(0), 119);
  lag.onAssigned(log(1), -1);
  expect(await look()).toEqual({ lag: [30, 10], lost: [0, 0] });
  lag.onJournaled(booked(0, 149));
  // A recreated topic is booked under another name, in the same lane.
  lag.onJournaled(booked(1, 3, 'flows~2'));
  expect((await look()).lag).toEqual([0, 6]);
  lag.onJournaled(booked(0, 129));
  expect((await look()).lag).toEqual([0, 6]);
  lag.onReleased(log(0));
  expect((await look()).lag).toEqual([null, 6]);
  // Bookings by the partition's previous engine no longer count here.
  lag.onJournaled(booked(0, 150));
  expect((await look()).lag).toEqual([null, 6]);
});

test('offsets that the log no longer has after the cursor are lost, and not part of the lag', async () => {
  const { lag, look } = await watched();
  lag.onAssigned(log(0), 59);
  expect(await look()).toEqual({ lag: [50, null], lost: [40, null] });
  lag.onGap({ reason: 'records_lost', log: log(0), firstOffset: 60, lastOffset: 99 });
  expect(await look()).toEqual({ lag: [50, null], lost: [0, null] });
});

test('brokers that do not answer are asked again, and the last values stay', async () => {
  const { lag, look, bounds, askAgain, problems } = await watched();
  lag.onAssigned(log(1), 4);
  expect((await look()).lag).toEqual([null, 5]);
  bounds.clear();
  await askAgain();
  expect([problems(), (await look()).lag]).toEqual([1, [null, 5]]);
  bounds.set(1, { startOffset: 0, endOffset: 25 });
  await askAgain();
  expect((await look()).lag).toEqual([null, 20]);
});
