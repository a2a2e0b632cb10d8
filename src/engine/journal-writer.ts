import { structureOf } from '../platform/native-block.ts';
import { literal, type Store } from '../platform/store.ts';
import { StoreError } from '../platform/store-error.ts';
import { BATCH_NUMBERS, BATCH_TEXTS, type JournalBlock } from './journal-block.ts';

export interface RetryPolicy {
  firstDelayMs: number;
  maxDelayMs: number;
  /** After this long without an answer from the store the batch is given up. */
  giveUpAfterMs: number;
}

export interface Clock {
  nowMs(): number;
  sleep(ms: number): Promise<void>;
}

/**
 * Books a block exactly once, by compare-and-swap on the lane's batch number (design section 3).
 *
 * Two guards: `throwIf` in the same statement stops a writer that is behind; the deduplication token names only the
 * predecessor, so of two writers that race from the same state one is dropped, though their batches end differently. And
 * no acknowledgement is believed: what the journal holds afterwards decides.
 *
 * Resolves when the block is booked. Rejects with `batch_fenced` when another batch stands in its place, or with the
 * store's error when it did not answer for too long.
 */
export async function bookBlock(store: Store, block: JournalBlock, retry: RetryPolicy, clock: Clock): Promise<void> {
  const giveUpAtMs = clock.nowMs() + retry.giveUpAfterMs;
  for (let delayMs = retry.firstDelayMs; ; delayMs = Math.min(delayMs * 2, retry.maxDelayMs)) {
    const failure = await insert(store, block).then(
      () => null,
      (error: StoreError) => error,
    );
    const standing = await standingBatch(store, block).catch((error: StoreError) => error);
    if (!(standing instanceof StoreError)) {
      if (standing === block.digest) return;
      if (standing !== null || failure?.code === 'batch_fenced') throw fenced(block, standing);
    }
    const reason = failure ?? (standing instanceof StoreError ? standing : null);
    // An insert that was acknowledged and is not there: the token collided with a batch that was dropped since.
    if (reason === null)
      throw new StoreError('store_broken', `${nameOf(block)} was acknowledged and is not in the journal`);
    if (!reason.canRetry || clock.nowMs() + delayMs > giveUpAtMs) throw reason;
    await clock.sleep(delayMs);
  }
}

function insert(store: Store, block: JournalBlock): Promise<void> {
  return store.insertBlock((source) => insertStatement(block, source), structureOf(block.columns), block.bytes);
}

/** The digest of the batch that has the block's number in its lane, or null. */
async function standingBatch(store: Store, { log, laneSequence }: JournalBlock): Promise<string | null> {
  const [row] = await store.query<{ digest: string }>(
    `SELECT digest FROM journal WHERE kind = 'batch' AND lane = ${literal(log.lane)} AND lane_sequence = ${laneSequence}`,
  );
  return row?.digest ?? null;
}

function insertStatement(block: JournalBlock, source: string): string {
  const { log, laneSequence, prev, bookingDay } = block;
  const lane = literal(log.lane);
  const own = block.columns.map(({ name }) => name).filter((name) => !name.startsWith('batch_'));
  const columns: [name: string, value: string][] = [
    ['lane', lane],
    ['topic', literal(log.topic)],
    ['partition', String(log.partition)],
    ['booking_date', `toDate(${bookingDay})`],
    ...own.map((name): [string, string] => [name, name]),
    ...BATCH_NUMBERS.map((name, index): [string, string] => [name, `batch_numbers[${index + 1}]`]),
    ...BATCH_TEXTS.map((name, index): [string, string] => [name, `batch_texts[${index + 1}]`]),
  ];
  const cursor =
    `(SELECT (max(lane_sequence), ifNull(maxOrNullIf(offset, topic = ${literal(log.topic)} AND partition = ${log.partition}), -1)) ` +
    `FROM journal WHERE kind = 'batch' AND lane = ${lane})`;
  return (
    `INSERT INTO journal (${columns.map(([name]) => name).join(', ')}) ` +
    `SETTINGS ${insertSettings(`${log.lane}@${laneSequence - 1}`)} ` +
    `SELECT ${columns.map(([, value]) => value).join(', ')} FROM ${source} ` +
    `WHERE throwIf(${cursor} != (${laneSequence - 1}, ${prev})) = 0 ORDER BY ALL`
  );
}

/** One block, one part, in order, or nothing; and a part that outlives a power cut (fsync is a setting of the table). */
function insertSettings(token: string): string {
  return [
    `insert_deduplication_token = ${literal(token)}`,
    'insert_deduplicate = 1',
    'async_insert = 0',
    'max_insert_threads = 1',
    'max_threads = 1',
    'max_block_size = 4000000',
    'max_insert_block_size = 4000000',
    'min_insert_block_size_rows = 4000000',
    'min_insert_block_size_bytes = 0',
  ].join(', ');
}

function fenced(block: JournalBlock, standing: string | null): StoreError {
  const other =
    standing === null ? 'the lane is not where this writer left it' : `batch ${standing.slice(0, 12)} stands there`;
  return new StoreError('batch_fenced', `${nameOf(block)} was not booked: ${other}`, { canRetry: true });
}

function nameOf({ log, laneSequence }: JournalBlock): string {
  return `batch ${laneSequence} of lane ${log.lane}`;
}
