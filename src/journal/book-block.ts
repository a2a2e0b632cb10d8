import type { Clock } from '../platform/clock.ts';
import { StoreError } from '../platform/store-error.ts';
import { bookOnce, type RetryPolicy } from './book-once.ts';
import type { Journal } from './journal.ts';
import type { JournalBlock } from './journal-block.ts';

/**
 * Books a block exactly once, by compare-and-swap on the lane's batch number: see `bookOnce`. The digest that stands under
 * the number says whose batch it is.
 *
 * Resolves when the block is booked. Rejects with `batch_fenced` when another batch stands in its place, or with the
 * store's error when it did not answer for too long.
 */
export async function bookBlock(
  journal: Pick<Journal, 'insert' | 'digestAt'>,
  block: JournalBlock,
  retry: RetryPolicy,
  clock: Pick<Clock, 'monotonicMs' | 'sleep'>,
): Promise<void> {
  const { log, laneSequence } = block;
  const name = `batch ${laneSequence} of lane ${log.lane}`;
  let digest: string | null = null;
  const insert = (deadTokens: number) => journal.insert(block, deadTokens);
  const standing = async () => {
    digest = await journal.digestAt(log.lane, laneSequence);
    if (digest === null) return 'nothing';
    return digest === block.digest ? 'ours' : 'another';
  };
  if ((await bookOnce({ name, insert, standing }, retry, clock)) === 'outrun') throw fenced(name, digest);
}

function fenced(name: string, standing: string | null): StoreError {
  const other =
    standing === null ? 'the lane is not where this writer left it' : `batch ${standing.slice(0, 12)} stands there`;
  return new StoreError('batch_fenced', `${name} was not booked: ${other}`, { canRetry: true });
}
