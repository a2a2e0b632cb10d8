import { setTimeout as pause } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { heartbeatWhile } from './kafka-feed.ts';

function setUp(heartbeat: (beats: number) => Promise<void> = async () => {}) {
  const counted = { beats: 0 };
  const options = {
    heartbeat: () => heartbeat(++counted.beats),
    intervalMs: 2,
    isFatal: (error: unknown) => error === 'rebalance',
    isAbandoned: () => false,
  };
  return { counted, options };
}

test('beats until the work is done', async () => {
  const { counted, options } = setUp();
  await heartbeatWhile(pause(50), options);
  expect(counted.beats).toBeGreaterThan(1);
  const { beats } = counted;
  await pause(10);
  expect(counted.beats).toBe(beats);
});

test('work that is done already needs no beat', async () => {
  const { counted, options } = setUp();
  await heartbeatWhile(Promise.resolve(), options);
  expect(counted.beats).toBe(0);
});

test('a beat that fails is tried again, a fatal one ends the waiting', async () => {
  const { counted, options } = setUp(async (beats) => {
    throw beats < 3 ? 'time-out' : 'rebalance';
  });
  const never = new Promise(() => {});
  await expect(heartbeatWhile(never, options)).rejects.toBe('rebalance');
  expect(counted.beats).toBe(3);
});

test('passes on what the work fails with, and gives up on request', async () => {
  const { options } = setUp();
  const failing = pause(10).then(() => Promise.reject(new Error('full')));
  await expect(heartbeatWhile(failing, options)).rejects.toThrow('full');
  await heartbeatWhile(new Promise(() => {}), { ...options, isAbandoned: () => true });
});
