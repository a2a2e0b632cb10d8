import { expect, test } from 'vitest';
import type { Clock } from '../platform/clock.ts';
import type { FlowBatch } from '../rating/flow-record.ts';
import { BatchMemory } from './batch-memory.ts';

const MIB = 2 ** 20;

/** A clock that advances only when a test advances it. */
function manualClock() {
  let nowMs = 0;
  const timers = new Map<object, { atMs: number; call: () => void }>();
  const clock: Clock = {
    nowMs: () => nowMs,
    monotonicMs: () => nowMs,
    sleep: async () => {},
    after(ms, call) {
      const timer = {};
      timers.set(timer, { atMs: nowMs + ms, call });
      return () => timers.delete(timer);
    },
  };
  const pass = (ms: number) => {
    nowMs += ms;
    for (const [timer, { atMs, call }] of [...timers]) if (atMs <= nowMs && timers.delete(timer)) call();
  };
  return { clock, pass };
}

function filled(batch: FlowBatch, rows: number): FlowBatch {
  const record = { offset: 0, octets: new Uint8Array(0), valueStart: 0, valueEnd: 0 };
  batch.addRows(new Array(rows).fill(record), 0, rows);
  return batch;
}

test('a batch takes what its records need: 1,000 of them less than 160 KiB, not the room of 100,000', async () => {
  const memory = new BatchMemory({ maxRecords: 100_000 }, manualClock().clock);
  const batch = filled(await memory.take(), 1000);
  expect(batch.bytes).toBeLessThan(160 * 1024);
  memory.count(batch);
  expect(memory.lentBytes).toBe(batch.bytes);
});

test('200 lanes that have booked one after the other take the columns and the block of one', async () => {
  const memory = new BatchMemory({ maxRecords: 100_000 }, manualClock().clock);
  const kept = [];
  for (let lane = 0; lane < 200; lane++) {
    const batch = filled(await memory.take(), 20_000);
    const block = memory.takeBlock();
    block.begin();
    block.octets(MIB);
    memory.giveBackBlock(block);
    memory.giveBack(batch);
    kept.push(memory.spareBytes);
  }
  expect(new Set(kept).size).toBe(1);
  expect(memory.lentBytes).toBe(0);
});

test('above the total no batch begins before another one is booked, and then in the order of asking', async () => {
  const memory = new BatchMemory({ maxRecords: 100, maxTotalBytes: 2 * MIB }, manualClock().clock);
  const [first, second] = [await memory.take(), await memory.take()];
  expect(memory.isShort).toBe(true);
  const given: number[] = [];
  const waiting = [3, 4].map(async (lane) => {
    await memory.take();
    given.push(lane);
  });
  await Promise.resolve();
  expect(given).toEqual([]);
  memory.giveBack(first);
  await waiting[0];
  expect(given).toEqual([3]);
  // A batch that is given up makes room too, once.
  memory.drop(second);
  memory.drop(second);
  await waiting[1];
  expect(given).toEqual([3, 4]);
  expect(memory.lentBytes).toBe(2 * MIB);
});

test('a batch that waits for more records is booked when another lane waits for its memory', async () => {
  const memory = new BatchMemory({ maxRecords: 100, maxTotalBytes: MIB }, manualClock().clock);
  const open = await memory.take();
  memory.linger({}, () => memory.giveBack(open));
  expect(await memory.take()).toBe(open);
});

test('spare memory is let go of after a while without a batch, and what was much is collected', async () => {
  const { clock, pass } = manualClock();
  let collections = 0;
  const memory = new BatchMemory({ maxRecords: 200_000 }, clock, () => collections++);
  memory.giveBack(filled(await memory.take(), 150_000));
  pass(2000);
  memory.giveBack(await memory.take());
  pass(2000);
  expect(memory.spareBytes).toBeGreaterThan(16 * MIB);
  pass(1000);
  expect(memory.spareBytes).toBe(0);
  expect(collections).toBe(1);
});
