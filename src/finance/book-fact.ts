import { type NativeColumn, nativeBlock, structureOf } from '../platform/native-block.ts';
import { literal, type Store } from '../platform/store.ts';
import { StoreError } from '../platform/store-error.ts';

/** A fact of one of the numbered tables: one block, whose rows all have the next number. */
export interface Fact {
  table: 'account_entries' | 'closings' | 'corrections';
  number: number;
  columns: readonly NativeColumn[];
  rows?: number;
  /** Does what stands under the number say the same? */
  isOurs: () => Promise<boolean>;
  /** A condition more under which nothing is booked. */
  guard?: string;
}

/** Each of them is an insert that failed after its token was written down. */
const MAX_DEAD_TOKENS = 8;

/**
 * Books a fact once, by compare-and-swap on the number before it, as the journal books a batch (design section 3): a guard
 * in the same statement, a token that names only the fact before, and no acknowledgement is believed. `outrun`: another one
 * stands in its place. Rejects with the store's error when nothing stands there after a failure.
 */
export async function bookFact(store: Store, fact: Fact): Promise<'booked' | 'outrun'> {
  const { table, number, columns, rows = 1, isOurs } = fact;
  for (let deadTokens = 0; deadTokens <= MAX_DEAD_TOKENS; deadTokens++) {
    const failure = await store
      .insertBlock(
        (source) => insertStatement(fact, source, deadTokens),
        structureOf(columns),
        nativeBlock(rows, columns),
      )
      .then(
        () => null,
        (error: StoreError) => error,
      );
    if ((await lastNumber(store, table)) >= number) return (await isOurs()) ? 'booked' : 'outrun';
    if (failure?.code === 'batch_fenced') return 'outrun';
    if (failure !== null) throw failure;
  }
  throw new StoreError(
    'store_broken',
    `${table} ${number} was acknowledged and is not there: look at the log of ClickHouse`,
  );
}

/** The last number of a table; 0 before the first. */
export async function lastNumber(store: Store, table: Fact['table']): Promise<number> {
  const [{ last }] = await store.query<{ last: number }>(`SELECT max(number) AS last FROM ${table}`);
  return Number(last);
}

function insertStatement({ table, number, columns, guard }: Fact, source: string, deadTokens: number): string {
  const names = columns.map(({ name }) => name).join(', ');
  const token = `${table}@${number - 1}${deadTokens === 0 ? '' : `~${deadTokens}`}`;
  const outrun = `(SELECT max(number) FROM ${table}) != ${number - 1}`;
  return (
    `INSERT INTO ${table} (${names}) SETTINGS insert_deduplication_token = ${literal(token)}, insert_deduplicate = 1, ` +
    'async_insert = 0, max_insert_threads = 1, max_threads = 1, max_block_size = 4000000, max_insert_block_size = 4000000, ' +
    'min_insert_block_size_rows = 4000000, min_insert_block_size_bytes = 0 ' +
    `SELECT ${names} FROM ${source} WHERE throwIf(${guard === undefined ? outrun : `${outrun} OR ${guard}`}) = 0 ORDER BY ALL`
  );
}
