import { runEngineThread } from '../../src/engine/running/run-engine-thread.ts';
import type { Journal } from '../../src/journal/journal.ts';

// An engine thread with a bug: at the first insert for partition 0 an error that has no code, or with THREAD_FAILS=uncaught one that
// nothing catches. With THREAD_FAILS=hanging its publisher never stops then.
let hasFailed = false;
const failing =
  (journal: Journal): Journal['insert'] =>
  async (block, deadTokens) => {
    if (block.log.partition !== 0) return journal.insert(block, deadTokens);
    hasFailed = true;
    if (process.env.THREAD_FAILS !== 'uncaught') throw new Error('a bug in a thread');
    setImmediate(() => {
      throw new Error('a bug in a thread');
    });
    return new Promise(() => {});
  };

await runEngineThread(({ journal, publisher, ...parts }) => ({
  ...parts,
  journal: { ...journal, insert: failing(journal) },
  publisher: {
    ...publisher,
    stop: () => (hasFailed && process.env.THREAD_FAILS === 'hanging' ? new Promise(() => {}) : publisher.stop()),
  },
}));
