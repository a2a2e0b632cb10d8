// Preloaded into each thread of an engine's process: writes how long its event loop was held up, a line each, and how long the thread
// itself worked in that time.
import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { isMainThread, workerData } from 'node:worker_threads';

const LEAST_MS = 10;

/** The engine's thread, or the one that keeps log, metrics and health where engines have threads of their own. */
function nameOf() {
  if (isMainThread) return 'main';
  return workerData?.generations === undefined ? null : 'engine';
}

const buffer = Buffer.alloc(100);

/** Milliseconds that this thread has had a processor for (proc(5), schedstat). */
function workedMs() {
  const file = openSync('/proc/thread-self/schedstat', 'r');
  try {
    return Number.parseInt(buffer.toString('latin1', 0, readSync(file, buffer, 0, buffer.length, 0)), 10) / 1e6;
  } finally {
    closeSync(file);
  }
}

const thread = nameOf();
if (thread !== null) {
  let [lastMs, lastWorkedMs] = [performance.now(), workedMs()];
  setInterval(() => {
    const [nowMs, nowWorkedMs] = [performance.now(), workedMs()];
    const [pauseMs, workMs] = [nowMs - lastMs - 1, nowWorkedMs - lastWorkedMs];
    [lastMs, lastWorkedMs] = [nowMs, nowWorkedMs];
    if (pauseMs >= LEAST_MS) writeSync(2, `${JSON.stringify({ thread, pauseMs, workMs })}\n`);
  }, 1).unref();
}
