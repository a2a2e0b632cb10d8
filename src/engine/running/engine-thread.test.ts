import { expect, test, vi } from 'vitest';
import type { Logger } from '../../platform/telemetry/logger.ts';
import type { PackedCatalogue } from '../reload/packed-catalogue.ts';
import { EngineThread, type ReportWhileRunning } from './engine-thread.ts';
import type { ThreadData } from './thread-messages.ts';

const TOTALS = '{ batches: 3, read: 30, keyMismatches: 0, records: {} }';
const data = {} as ThreadData;
const WAIT = { timeout: 5000, interval: 5 };

/** A thread that runs this instead of an engine. */
function thread(program: string, stopWithinMs?: number) {
  const reports: ReportWhileRunning[] = [];
  const lines: string[] = [];
  const logger = { warn: (_fields: object, text: string) => lines.push(text) } as unknown as Logger;
  const source = `import { parentPort } from 'node:worker_threads';\n${program}`;
  const engine = new EngineThread({
    number: 2,
    data,
    logger,
    onReport: (report) => reports.push(report),
    program: new URL(`data:text/javascript,${encodeURIComponent(source)}`),
    ...(stopWithinMs !== undefined && { stopWithinMs }),
  });
  return { engine, reports, lines };
}

const threads = () => process.getActiveResourcesInfo().filter((resource) => resource === 'MessagePort').length;

test('what the thread reports arrives in order, with its totals, and a stop ends it', async () => {
  const before = threads();
  const { engine, reports } = thread(`
    parentPort.postMessage({ kind: 'problem', part: 'source', problem: 'joining' });
    parentPort.on('message', ({ kind }) => {
      if (kind === 'take') parentPort.postMessage({ kind: 'taken' });
      else parentPort.postMessage({ kind: 'ended', totals: ${TOTALS} });
    });`);
  const running = engine.run();
  await engine.take({} as PackedCatalogue);
  expect(reports).toEqual([{ kind: 'problem', part: 'source', problem: 'joining' }]);
  await engine.stop();
  await running;
  expect(engine.totals).toMatchObject({ batches: 3, read: 30 });
  expect(threads()).toBe(before);
  // There is no thread to take it any more.
  await engine.take({} as PackedCatalogue);
});

test('an engine that halted rejects with its error, and with what it had booked', async () => {
  const error = `{ name: 'SourceError', message: 'flows-0: lost', stack: '', fields: { code: 'records_lost', canRetry: false }, cause: null }`;
  const { engine } = thread(
    `parentPort.on('message', () => {}); parentPort.postMessage({ kind: 'halted', error: ${error}, totals: ${TOTALS} });`,
  );
  await expect(engine.run()).rejects.toMatchObject({ code: 'records_lost', message: 'flows-0: lost', canRetry: false });
  expect(engine.totals.batches).toBe(3);
});

test('a thread that throws, or ends, is an error that names it, and a catalogue is not waited for', async () => {
  const { engine: throwing } = thread(
    `parentPort.once('message', () => setImmediate(() => { throw new Error('a bug') }));`,
  );
  const running = throwing.run();
  const taking = throwing.take({} as PackedCatalogue);
  await expect(running).rejects.toMatchObject({
    code: 'engine_thread_died',
    message: expect.stringMatching(/^engine thread 2 failed: a bug\. Nothing that was booked is lost/),
    canRetry: false,
    cause: expect.objectContaining({ message: 'a bug' }),
  });
  await taking;
  await expect(thread('process.exit(7)').engine.run()).rejects.toMatchObject({ code: 'engine_thread_died' });
});

test('a thread that has failed by itself and does not close what it works with is ended, with its own error', async () => {
  const error = `{ name: 'StoreError', message: 'down', stack: '', fields: { code: 'store_unreachable', canRetry: true }, cause: null }`;
  const hanging = `parentPort.on('message', () => {});
    parentPort.postMessage({ kind: 'problem', part: 'store', problem: 'down' });
    parentPort.postMessage({ kind: 'halting', error: ${error}, totals: ${TOTALS} });`;
  for (const isStopped of [false, true]) {
    const { engine, lines, reports } = thread(hanging, 100);
    const running = engine.run();
    running.catch(() => {});
    // A thread that has not begun yet would be one that does not answer.
    await vi.waitFor(() => expect(reports).toHaveLength(1), WAIT);
    if (isStopped) void engine.stop();
    await expect(running).rejects.toMatchObject({ code: 'store_unreachable', message: 'down', canRetry: true });
    expect(engine.totals.batches).toBe(3);
    expect(lines).toEqual([
      expect.stringMatching(/^engine thread 2 failed, did not close .* within 0\.1 s and was ended/),
    ]);
  }
});

test('one that closes in time after a failure is not waited for any longer', async () => {
  const error = `{ name: 'Error', message: 'a bug', stack: '', fields: {}, cause: null }`;
  const report = (kind: string) => `parentPort.postMessage({ kind: '${kind}', error: ${error}, totals: ${TOTALS} });`;
  const { engine, lines } = thread(
    `${report('halting')} ${report('halted')} parentPort.on('message', () => {});`,
    60_000,
  );
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  try {
    await expect(engine.run()).rejects.toThrow('a bug');
    expect([lines, vi.getTimerCount()]).toEqual([[], 0]);
  } finally {
    vi.useRealTimers();
  }
});

test('a thread that does not stop is ended', async () => {
  const { engine, reports } = thread(
    `parentPort.postMessage({ kind: 'problem', part: 'source', problem: 'busy' }); for (;;);`,
    200,
  );
  const running = engine.run();
  running.catch(() => {});
  while (reports.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  await engine.stop();
  await expect(running).rejects.toMatchObject({ code: 'engine_thread_silent', canRetry: true });
});
