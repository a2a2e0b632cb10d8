import { expect, test } from 'vitest';
import { StoreError } from '../../platform/clickhouse/store.ts';
import type { Config } from '../../platform/config/config.ts';
import { StopFlag } from '../../platform/stop-request.ts';
import type { Logger } from '../../platform/telemetry/logger.ts';
import type { RunTotals } from '../engine.ts';
import type { PackedCatalogue } from '../reload/packed-catalogue.ts';
import { NO_TOTALS, RunTally } from './run-totals.ts';
import { type EngineSuccession, runUntilEnd } from './run-until-end.ts';
import { type RunnableEngine, RunningEngine } from './running-engine.ts';

const config = { source: { kafka: {} } } as Config;
const catalogue = {} as PackedCatalogue;
const fenced = () => new StoreError('batch_fenced', 'fenced', { canRetry: true });
const unreachable = () => new StoreError('store_unreachable', 'down', { canRetry: true });
const damaged = () => new StoreError('store_refused', 'refused');

/** An engine that ends when it is stopped, or with the error that it is given. */
function engine(batches: number) {
  let settle: { resolve: () => void; reject: (error: unknown) => void } | null = null;
  const totals: RunTotals = { ...NO_TOTALS, batches };
  const counts = { stops: 0 };
  const runnable: RunnableEngine = {
    totals,
    run: () => new Promise<void>((resolve, reject) => (settle = { resolve, reject })),
    take: () => {},
    async stop() {
      counts.stops++;
      settle?.resolve();
    },
  };
  return { runnable, counts, fail: (error: unknown) => settle?.reject(error) };
}

/** Threads, each with the engines that it begins. */
function threads(count: number, batches: readonly number[]) {
  const engines: ReturnType<typeof engine>[][] = Array.from({ length: count }, () => []);
  const restarts: number[] = [];
  const successions: EngineSuccession[] = engines.map((own, thread) => ({
    thread,
    running: new RunningEngine(catalogue),
    makeEngine: () => {
      own.push(engine(batches[thread]));
      return own[own.length - 1].runnable;
    },
    onBegin: () => {},
    onRestart: () => void restarts.push(thread),
  }));
  const errors: unknown[] = [];
  const logger = { warn: () => {}, error: ({ err }: { err: unknown }) => errors.push(err) } as unknown as Logger;
  const stop = new StopFlag();
  const tally = new RunTally();
  const done = runUntilEnd(successions, { config, logger, tally, stop });
  done.catch(() => {});
  return { engines, restarts, errors, stop, tally, done };
}

async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await new Promise((resolve) => setTimeout(resolve, 5));
}

test('a stop reaches the engines of all threads, and their totals are summed', async () => {
  const { engines, stop, tally, done } = threads(3, [1, 2, 4]);
  stop.raise();
  await done;
  expect(engines.map(([own]) => own.counts.stops)).toEqual([1, 1, 1]);
  expect(tally.sum().batches).toBe(7);
});

test('after a fence the thread’s own engine begins again, what both have booked counts once, and the others continue', async () => {
  const { engines, restarts, stop, tally, done } = threads(2, [3, 5]);
  engines[0][0].fail(fenced());
  await until(() => restarts.length === 1);
  expect(tally.sum().batches).toBe(8);
  await until(() => engines[0].length === 2);
  stop.raise();
  await done;
  expect([engines[0].length, engines[1].length, restarts, tally.sum().batches]).toEqual([2, 1, [0], 11]);
});

test('an error that passes is waited out by a thread that has booked nothing, when another one has', async () => {
  const booked = threads(2, [0, 1]);
  booked.engines[0][0].fail(unreachable());
  await until(() => booked.engines[0].length === 2);
  booked.stop.raise();
  await booked.done;

  const never = threads(2, [0, 0]);
  never.engines[0][0].fail(unreachable());
  await expect(never.done).rejects.toMatchObject({ code: 'store_unreachable' });
});

test('the first error that does not pass stops all engines in order and ends the run; a second one is logged', async () => {
  const { engines, errors, done } = threads(3, [1, 1, 1]);
  const [first, second] = [damaged(), damaged()];
  engines[1][0].fail(first);
  engines[2][0].fail(second);
  await expect(done).rejects.toBe(first);
  expect(engines[0][0].counts.stops).toBe(1);
  expect(errors).toEqual([second]);
});
