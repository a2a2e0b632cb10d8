import type { RetryPolicy } from '../journal/book-block.ts';
import { type Clock, systemClock } from '../platform/clock.ts';
import { type NativeColumn, nativeBlock, structureOf } from '../platform/native-block.ts';
import { literal, type Store } from '../platform/store.ts';
import { StoreError } from '../platform/store-error.ts';

const RETRY: RetryPolicy = { firstDelayMs: 100, maxDelayMs: 2000, giveUpAfterMs: 30_000 };
/** Each of them is a commit that failed in the one place where that leaves a token behind, or a loss. */
const MAX_DEAD_TOKENS = 8;
/** ClickHouse's own default: a smaller block has no use. */
const LEAST_BLOCK_ROWS = 65_536;

export type FactTable = 'account_entries' | 'closings' | 'corrections' | 'recyclings';

/** Rows that are booked together under one number, in a table whose facts are numbered from 1 without a gap. */
export interface NumberedFact {
  table: FactTable;
  /** The last number that the writer saw, and one. */
  number: number;
  /** The column `number` is among them. */
  columns: readonly NativeColumn[];
  /** How many rows the columns have; 1 where it is not said. */
  rows?: number;
  /** Whether what stands under the number is this fact. */
  isOurs: () => Promise<boolean>;
  /** SQL: true where the fact must not be booked, though the number is free. */
  guard?: string;
}

/**
 * Books a fact under its number, exactly once, as `bookBlock` does with batches: `throwIf` in the same statement, a token
 * that names only the fact before, and no acknowledgement is believed. `outrun`: another stands there, the number is not the
 * next one, or the guard holds it back; whoever gets that looks at the table again. Rejects with a StoreError when the store
 * did not answer for too long: whoever asks again finds whether the fact was booked.
 */
export async function bookFact(
  store: Store,
  fact: NumberedFact,
  retry: RetryPolicy = RETRY,
  clock: Pick<Clock, 'monotonicMs' | 'sleep'> = systemClock,
): Promise<'booked' | 'outrun'> {
  const { table, number, columns, rows = 1 } = fact;
  const block = nativeBlock(rows, columns);
  const giveUpAtMs = clock.monotonicMs() + retry.giveUpAfterMs;
  let deadTokens = 0;
  for (let delayMs = retry.firstDelayMs; ; delayMs = Math.min(delayMs * 2, retry.maxDelayMs)) {
    const insert = (source: string) => insertStatement(fact, source, deadTokens);
    const failure = await store.insertBlock(insert, structureOf(columns), block).then(
      () => null,
      (error: StoreError) => error,
    );
    const standing = await whatStands(store, fact).catch((error: StoreError) => error);
    if (standing === 'ours') return 'booked';
    if (standing === 'another' || (standing === 'nothing' && failure?.code === 'batch_fenced')) return 'outrun';
    const reason = failure ?? (standing instanceof StoreError ? standing : null);
    if (reason === null) {
      // Acknowledged, and not there: the table knows a token whose insert it does not have.
      if (++deadTokens > MAX_DEAD_TOKENS) {
        throw new StoreError('store_broken', `number ${number} of ${table} was acknowledged and is not there`);
      }
      continue;
    }
    if (!reason.canRetry || clock.monotonicMs() + delayMs > giveUpAtMs) throw reason;
    await clock.sleep(delayMs);
  }
}

/** The last number of a table; 0 before the first. */
export async function lastNumber(store: Store, table: FactTable): Promise<number> {
  const [{ last }] = await store.query<{ last: number }>(`SELECT max(number) AS last FROM ${table}`);
  return Number(last);
}

async function whatStands(
  store: Store,
  { table, number, isOurs }: NumberedFact,
): Promise<'ours' | 'another' | 'nothing'> {
  const standing = await store.query(`SELECT 1 FROM ${table} WHERE number = ${number} LIMIT 1`);
  if (standing.length === 0) return 'nothing';
  return (await isOurs()) ? 'ours' : 'another';
}

function insertStatement(fact: NumberedFact, source: string, deadTokens: number): string {
  const { table, number, rows = 1, columns, guard } = fact;
  const names = columns.map(({ name }) => name).join(', ');
  const isBehind = `(SELECT max(number) FROM ${table}) != ${number - 1}`;
  const condition = guard === undefined ? isBehind : `${isBehind} OR ${guard}`;
  const token = `${table}@${number - 1}${deadTokens === 0 ? '' : `~${deadTokens}`}`;
  return (
    `INSERT INTO ${table} (${names}) SETTINGS ${insertSettings(token, rows)} ` +
    `SELECT ${names} FROM ${source} WHERE throwIf(${condition}) = 0 ORDER BY ALL`
  );
}

/** One block, one part, or nothing, however many rows it has. */
function insertSettings(token: string, rows: number): string {
  const blockRows = Math.max(LEAST_BLOCK_ROWS, rows);
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
