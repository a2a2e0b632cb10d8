import { setTimeout as pause } from 'node:timers/promises';
import { insertSettings } from '../journal/insert-statement.ts';
import { type NativeColumn, nativeBlock, structureOf } from '../platform/native-block.ts';
import type { Store } from '../platform/store.ts';
import { StoreError } from '../platform/store-error.ts';

/** Rows that are booked together under one number, in a table whose facts are numbered from 1 without a gap. */
export interface NumberedFact {
  table: string;
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

/** Insert, look, and wait a little longer each time: about half a minute. */
const DELAYS_MS = [0, 100, 200, 400, 800, 1600, 3200, 6400, 12_800];

/**
 * Books a fact under its number, exactly once, as the journal books a batch (design section 3): a guard in the same
 * statement, a token that names the number before, and no acknowledgement is believed. `outrun`: another stands there, or the
 * number is not the next one. Rejects with a StoreError when nothing stands there in the end.
 */
export async function bookFact(store: Store, fact: NumberedFact): Promise<'booked' | 'outrun'> {
  const { table, number, columns, rows = 1, isOurs } = fact;
  const block = nativeBlock(rows, columns);
  let deadTokens = 0;
  let failure: StoreError | null = null;
  for (const delayMs of DELAYS_MS) {
    await pause(delayMs);
    const insert = (source: string) => factStatement(fact, source, deadTokens);
    failure = await store.insertBlock(insert, structureOf(columns), block).then(
      () => null,
      (error: StoreError) => error,
    );
    const standing = await store.query(`SELECT 1 FROM ${table} WHERE number = ${number} LIMIT 1`).catch(() => null);
    if (standing !== null && standing.length > 0) return (await isOurs()) ? 'booked' : 'outrun';
    if (failure?.code === 'batch_fenced') return 'outrun';
    if (failure !== null && !failure.canRetry) throw failure;
    // Acknowledged and not there: the table knows a token whose insert it does not have.
    if (failure === null && standing !== null) deadTokens++;
  }
  throw (
    failure ?? new StoreError('store_broken', `number ${number} of ${table} was acknowledged and does not stand there`)
  );
}

/** The last number of a table; 0 before the first. */
export async function lastNumber(store: Store, table: string): Promise<number> {
  const [{ last }] = await store.query<{ last: number }>(`SELECT max(number) AS last FROM ${table}`);
  return Number(last);
}

function factStatement({ table, number, columns, guard }: NumberedFact, source: string, deadTokens: number): string {
  const names = columns.map(({ name }) => name).join(', ');
  const token = `${table}@${number - 1}${deadTokens === 0 ? '' : `~${deadTokens}`}`;
  const guards = [`(SELECT max(number) FROM ${table}) != ${number - 1}`, ...(guard === undefined ? [] : [guard])];
  return (
    `INSERT INTO ${table} (${names}) SETTINGS ${insertSettings(token)} SELECT ${names} FROM ${source} ` +
    `WHERE ${guards.map((held) => `throwIf(${held}) = 0`).join(' AND ')} ORDER BY ALL`
  );
}
