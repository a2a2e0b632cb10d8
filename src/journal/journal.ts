import { literal, StoreError } from '../platform/clickhouse/store.ts';
import type { Clock } from '../platform/clock.ts';
import type { SourceProof } from '../platform/kafka/log-record.ts';
import type { TopicPartition } from '../rating/lane.ts';
import type { PreparedCatalogue } from '../rating/prepared-catalogue.ts';
import type { QuotaUpdates } from '../rating/quota-updates.ts';
import type { RestoredCounters, RestoredIdentities } from '../rating/restored-columns.ts';
import type { Facts } from '../rating/rules.ts';
import { BATCH_NUMBERS, BATCH_TEXTS, type JournalBlock } from './journal-block.ts';

/** The state of a lane after its last batch. Zeros and an empty topic when it has none. */
export interface LaneHead {
  /** The last batch's number. */
  sequence: number;
  /** Records read in the lane. */
  position: number;
  /** The last batch's topic, corrected records' left out: a topic that was recreated is booked under another name. */
  topic: string;
  /** The last batch's booking date, days since 1970-01-01. */
  bookingDay: number;
  /** As the last batch has it; NOT_RECORDED where there is none, or it was booked by a version that did not record it. */
  publishedThrough: number;
}

/** How far a log is booked. */
export interface LogCursor {
  /** The last offset booked; -1 before the first. */
  offset: number;
  /** Of the record at that offset. */
  sourceProof: SourceProof;
}

/** The last state of a quota counter that batches moved, as their charge rows say, or their moves of further quotas. */
export interface BookedMove {
  /** Pseudonym, 32 hex digits. */
  subscriber: string;
  /** Or the id of a further quota. */
  planId: string;
  planVersion: number;
  periodStart: number;
  usedOctets: number;
  topic: string;
  partition: number;
  offset: number;
}

/** The journal as the engine sees it. Every method rejects with a StoreError. */
export interface Journal {
  /**
   * One atomic insert, guarded twice: it is refused with `batch_fenced` when the lane is not where the block's `prev` and
   * `laneSequence` say, and dropped without a word when another insert that began in the same state has landed since.
   * `deadTokens`: how many tokens of this place the store knows of inserts that it does not have.
   */
  insert(block: JournalBlock, deadTokens?: number): Promise<void>;
  /** The digest of the batch that has this number in its lane; null when there is none. */
  digestAt(lane: string, laneSequence: number): Promise<string | null>;
  head(lane: string): Promise<LaneHead>;
  /** How far a log is booked. */
  cursor(log: TopicPartition): Promise<LogCursor>;
  /** The counters of the periods that begin in [fromDay, toDay), each of them once, in as many pieces as it likes. */
  counters(lane: string, fromDay: number, toDay: number): AsyncIterable<RestoredCounters>;
  /** Identities of the records with ordinals in [fromOrdinal, toOrdinal), in the order in which they were read. */
  seen(lane: string, fromOrdinal: number, toOrdinal: number): AsyncIterable<RestoredIdentities>;
  /**
   * Identities of the records of all other logs of a rewritten file's name that were booked before this number of the lane, in the
   * order in which they were read. `topic`: of which rewrittenName gives a name.
   */
  seenByEarlier(lane: string, topic: string, beforeSequence: number): AsyncIterable<RestoredIdentities>;
  /** Counters that the lane's batches in (after, through] moved, each once, with its state after the last of them. */
  moves(lane: string, after: number, through: number): Promise<BookedMove[]>;
  /** Who is suspended now, which months are closed and which campaigns are in force, with the numbers of the last facts that say so. */
  facts(): Promise<Facts>;
  /** Keeps a catalogue under its hash, for those who read the journal later. */
  keepCatalogue(catalogue: Pick<PreparedCatalogue, 'hash' | 'document'>): Promise<void>;
}

export type QuotaPublisherErrorCode =
  | 'kafka_unavailable'
  | 'kafka_refused'
  | 'topic_unusable'
  | 'file_unwritable'
  /** Another publisher has claimed the lane, or it is unknown what was published of it: it must be claimed again. */
  | 'claim_lost';

/** Quota updates could not be made durable. They are derived again from the journal. */
export class QuotaPublisherError extends Error {
  override readonly name = 'QuotaPublisherError';
  readonly code: QuotaPublisherErrorCode;
  /** Whether the same call may succeed later with nothing changed by hand. */
  readonly canRetry: boolean;

  constructor(code: QuotaPublisherErrorCode, message: string, options: { cause?: unknown; canRetry?: boolean } = {}) {
    super(message, { cause: options.cause });
    this.code = code;
    this.canRetry = options.canRetry ?? false;
  }
}

/** Where remaining quotas go. */
export interface QuotaPublisher {
  start(): Promise<void>;
  /**
   * From now on only this publisher speaks for the lane: what another one has not finished publishing will never arrive,
   * so that nothing older can come after what is published here. `signal` ends the attempts: then it rejects.
   */
  claim(lane: string, signal?: AbortSignal): Promise<void>;
  /** Resolves when the updates are durable. Rejects with `claim_lost` when the lane has to be claimed again first. */
  publish(lane: string, updates: QuotaUpdates): Promise<void>;
  stop(): Promise<void>;
}

/** Each of them is a commit that failed in the one place where that leaves a token behind, or a loss. */
const MAX_DEAD_TOKENS = 8;

export interface RetryPolicy {
  firstDelayMs: number;
  maxDelayMs: number;
  /** After this long without an answer from the store the insert is given up. */
  giveUpAfterMs: number;
}

/** An insert under a number, guarded by what is under the number before it. Its methods reject with a StoreError. */
interface NumberedInsert {
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

function fenced(name: string, digest: string | null): StoreError {
  const other = digest === null ? 'the lane is not where this writer left it' : `batch ${digest.slice(0, 12)} is there`;
  return new StoreError('batch_fenced', `${name} was not booked: ${other}`, { canRetry: true });
}

/**
 * The statement that books a block, reading it from `source`: the guard and the token of `Journal.insert` (design
 * section 3). Both look at the state that the writer was in: the lane's last number and the log's cursor.
 */
export function insertStatement(block: JournalBlock, source: string, deadTokens = 0): string {
  const { log, laneSequence, prev, bookingDay, chainedDay } = block;
  const lane = literal(log.lane);
  const own = block.columns.map(({ name }) => name).filter((name) => !name.startsWith('batch_'));
  const columns: [name: string, value: string][] = [
    ['lane', lane],
    ['topic', literal(log.topic)],
    ['partition', String(log.partition)],
    ['booking_date', `toDate(${bookingDay})`],
    ['chained_on', `toDate(${chainedDay})`],
    ...own.map((name): [string, string] => [name, name]),
    ...BATCH_NUMBERS.map((name, index): [string, string] => [name, `batch_numbers[${index + 1}]`]),
    ...BATCH_TEXTS.map((name, index): [string, string] => [name, `batch_texts[${index + 1}]`]),
  ];
  const cursor =
    `(SELECT (max(lane_sequence), ifNull(maxOrNullIf(offset, topic = ${literal(log.topic)} AND partition = ${log.partition}), -1)) ` +
    `FROM journal WHERE kind = 'batch' AND lane = ${lane})`;
  return (
    `INSERT INTO journal (${columns.map(([name]) => name).join(', ')}) ` +
    `SETTINGS ${insertSettings(tokenOf(block, deadTokens))} ` +
    `SELECT ${columns.map(([, value]) => value).join(', ')} FROM ${source} ` +
    `WHERE throwIf(${cursor} != (${laneSequence - 1}, ${prev})) = 0 ORDER BY ALL`
  );
}

/** Names the batch before, and nothing of this one: rivals that extend the same batch have the same token. */
export function tokenOf({ log, laneSequence }: JournalBlock, deadTokens: number): string {
  return placeToken(log.lane, laneSequence, deadTokens);
}

/** The token of what comes after number - 1 in a chain, in its next spelling for each token that died there. */
export function placeToken(chain: string, number: number, deadTokens: number): string {
  return `${chain}@${number - 1}${deadTokens === 0 ? '' : `~${deadTokens}`}`;
}

/** A batch has at most a million records, each of one row, and its own. */
const BATCH_BLOCK_ROWS = 4_000_000;

/**
 * One block of at most so many rows, one part, in order, or nothing; and a part that outlives a power cut (fsync is a setting
 * of the table).
 */
export function insertSettings(token: string, blockRows: number = BATCH_BLOCK_ROWS): string {
  return [
    `insert_deduplication_token = ${literal(token)}`,
    'insert_deduplicate = 1',
    'async_insert = 0',
    'max_insert_threads = 1',
    'max_threads = 1',
    `max_block_size = ${blockRows}`,
    `max_insert_block_size = ${blockRows}`,
    `min_insert_block_size_rows = ${blockRows}`,
    'min_insert_block_size_bytes = 0',
  ].join(', ');
}
