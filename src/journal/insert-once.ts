import { StoreError } from '../platform/clickhouse/store-error.ts';
import type { Clock } from '../platform/clock.ts';
import type { Journal } from './journal.ts';
import type { JournalBlock } from './journal-block.ts';

/** Each of them is a commit that failed in the one place where that leaves a token behind, or a loss. */
const MAX_DEAD_TOKENS = 8;

export interface RetryPolicy {
  firstDelayMs: number;
  maxDelayMs: number;
  /** After this long without an answer from the store the insert is given up. */
  giveUpAfterMs: number;
}

/** An insert under a number, guarded by what is under the number before it. Its methods reject with a StoreError. */
export interface NumberedInsert {
  /** For messages: `batch 7 of lane flows-0`. */
  name: string;
  /**
   * Refused with `batch_fenced` when its predecessor is not the one that its writer saw. `deadTokens`: how many tokens of this
   * place the store knows of inserts that it does not have.
   */
  insert(deadTokens: number): Promise<void>;
  /** What is under the number now. */
  status(): Promise<'ours' | 'another' | 'nothing'>;
}

/**
 * Books an insert exactly once, by compare-and-swap on the number before it (design section 3).
 *
 * Two guards: `throwIf` in the same statement stops a writer that is behind; the deduplication token names only the
 * predecessor, so of two writers that race from the same state one is dropped, though what they book differs. And no
 * acknowledgement is trusted: what is read back decides.
 *
 * A token can outlive its insert: ClickHouse writes it down before it commits the part, and keeps it when the commit fails
 * or the part is lost. An insert that was acknowledged and is not there has met such a token, and the next spelling is
 * tried. No writer uses a spelling before the store knows the one before, so what a rival still has under way with that
 * is dropped: one of them lands, as always.
 *
 * `fenced`: another is in its place, or its predecessor has changed. Rejects with the store's error when it did
 * not answer for too long.
 */
export async function insertOnce(
  { name, insert, status }: NumberedInsert,
  retry: RetryPolicy,
  clock: Pick<Clock, 'monotonicMs' | 'sleep'>,
): Promise<'booked' | 'fenced'> {
  const giveUpAtMs = clock.monotonicMs() + retry.giveUpAfterMs;
  let deadTokens = 0;
  for (let delayMs = retry.firstDelayMs; ; delayMs = Math.min(delayMs * 2, retry.maxDelayMs)) {
    const failure = await insert(deadTokens).then(
      () => null,
      (error: StoreError) => error,
    );
    const found = await status().catch((error: StoreError) => error);
    if (found === 'ours') return 'booked';
    if (found === 'another' || (found === 'nothing' && failure?.code === 'batch_fenced')) return 'fenced';
    const unread = found === 'nothing' ? null : found;
    // What refused it may be this very insert, which landed before its answer was lost: only a look into the journal shows it.
    const reason = failure?.code === 'batch_fenced' ? unread : (failure ?? unread);
    if (reason === null) {
      if (++deadTokens > MAX_DEAD_TOKENS) throw broken(name);
      continue;
    }
    if (!reason.canRetry || clock.monotonicMs() + delayMs > giveUpAtMs) throw reason;
    await clock.sleep(delayMs);
  }
}

function broken(name: string): StoreError {
  const remedy = 'run `zerorate audit`, and look at the log of ClickHouse: it loses what it acknowledges';
  return new StoreError('store_broken', `${name} was acknowledged and is not there: ${remedy}`);
}

/**
 * Books a block exactly once, by compare-and-swap on the lane's batch number: see `insertOnce`. The digest under
 * the number says whose batch it is.
 *
 * Resolves when the block is booked. Rejects with `batch_fenced` when another batch is in its place, or with the
 * store's error when it did not answer for too long.
 */
export async function insertBlockOnce(
  journal: Pick<Journal, 'insert' | 'digestAt'>,
  block: JournalBlock,
  retry: RetryPolicy,
  clock: Pick<Clock, 'monotonicMs' | 'sleep'>,
): Promise<void> {
  const { log, laneSequence } = block;
  const name = `batch ${laneSequence} of lane ${log.lane}`;
  let digest: string | null = null;
  const insert = (deadTokens: number) => journal.insert(block, deadTokens);
  const status = async () => {
    digest = await journal.digestAt(log.lane, laneSequence);
    if (digest === null) return 'nothing';
    return digest === block.digest ? 'ours' : 'another';
  };
  if ((await insertOnce({ name, insert, status }, retry, clock)) === 'fenced') throw fenced(name, digest);
}

function fenced(name: string, status: string | null): StoreError {
  const other = status === null ? 'the lane is not where this writer left it' : `batch ${status.slice(0, 12)} is there`;
  return new StoreError('batch_fenced', `${name} was not booked: ${other}`, { canRetry: true });
}
