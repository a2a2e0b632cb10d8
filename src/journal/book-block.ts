import type { Clock } from '../platform/clock.ts';
import { StoreError } from '../platform/store-error.ts';
import type { Journal } from './journal.ts';
import type { JournalBlock } from './journal-block.ts';

/** Each of them is a commit that failed in the one place where that leaves a token behind, or a loss. */
const MAX_DEAD_TOKENS = 8;

export interface RetryPolicy {
  firstDelayMs: number;
  maxDelayMs: number;
  /** After this long without an answer from the store the batch is given up. */
  giveUpAfterMs: number;
}

/**
 * Books a block exactly once, by compare-and-swap on the lane's batch number (design section 3).
 *
 * Two guards: `throwIf` in the same statement stops a writer that is behind; the deduplication token names only the
 * predecessor, so of two writers that race from the same state one is dropped, though their batches end differently. And
 * no acknowledgement is believed: what the journal holds afterwards decides.
 *
 * A token can outlive its insert: ClickHouse writes it down before it commits the part, and keeps it when the commit fails
 * or the part is lost. An insert that was acknowledged and is not there has met such a token, and the next spelling is
 * tried. Nobody goes on to a spelling before the store knows the one before, so what a rival still has under way with that
 * is dropped: one of them lands, as ever.
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
  const giveUpAtMs = clock.monotonicMs() + retry.giveUpAfterMs;
  let deadTokens = 0;
  for (let delayMs = retry.firstDelayMs; ; delayMs = Math.min(delayMs * 2, retry.maxDelayMs)) {
    const failure = await journal.insert(block, deadTokens).then(
      () => null,
      (error: StoreError) => error,
    );
    const standing = await journal.digestAt(block.log.lane, block.laneSequence).catch((error: StoreError) => error);
    if (!(standing instanceof StoreError)) {
      if (standing === block.digest) return;
      if (standing !== null || failure?.code === 'batch_fenced') throw fenced(block, standing);
    }
    const reason = failure ?? (standing instanceof StoreError ? standing : null);
    if (reason === null) {
      if (++deadTokens > MAX_DEAD_TOKENS) throw broken(block);
      continue;
    }
    if (!reason.canRetry || clock.monotonicMs() + delayMs > giveUpAtMs) throw reason;
    await clock.sleep(delayMs);
  }
}

function fenced(block: JournalBlock, standing: string | null): StoreError {
  const other =
    standing === null ? 'the lane is not where this writer left it' : `batch ${standing.slice(0, 12)} stands there`;
  return new StoreError('batch_fenced', `${nameOf(block)} was not booked: ${other}`, { canRetry: true });
}

function broken(block: JournalBlock): StoreError {
  const remedy = 'run `zerorate audit`, and look at the log of ClickHouse: it loses what it acknowledges';
  return new StoreError('store_broken', `${nameOf(block)} was acknowledged and is not in the journal: ${remedy}`);
}

function nameOf({ log, laneSequence }: JournalBlock): string {
  return `batch ${laneSequence} of lane ${log.lane}`;
}
