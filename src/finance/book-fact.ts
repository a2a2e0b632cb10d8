import { insertOnce, insertSettings, placeToken, type RetryPolicy } from '../journal/journal.ts';
import {
  type NativeColumn,
  nativeBlock,
  sparseStringColumn,
  structureOf,
} from '../platform/clickhouse/native-block.ts';
import { rowsDigest } from '../platform/clickhouse/rows-digest.ts';
import { literal, type Store } from '../platform/clickhouse/store.ts';
import { type Clock, systemClock } from '../platform/clock.ts';

const RETRY: RetryPolicy = { firstDelayMs: 100, maxDelayMs: 2000, giveUpAfterMs: 30_000 };

/** ClickHouse's own default: a smaller block brings no gain. */
const LEAST_BLOCK_ROWS = 65_536;

export type FactTable =
  | 'account_entries'
  | 'campaign_facts'
  | 'closings'
  | 'corrections'
  | 'recyclings'
  | 'pseudonym_keys';

/** Rows that are booked together under one number, in a table whose facts are numbered from 1 without a gap. */
export interface NumberedFact {
  table: FactTable;
  /** The last number that the writer has read, plus one. */
  number: number;
  /** The column `number` is among them. */
  columns: readonly NativeColumn[];
  /** Number of rows of the columns; default 1. */
  rows?: number;
  /** Resolves with whether the booked fact of this number is this one; default: its digest is that of these rows. */
  isOurs?: () => Promise<boolean>;
  /** SQL: true where the fact must not be booked, although the number is free. */
  guard?: string;
}

/**
 * Books a fact under its number, exactly once (see `insertOnce`). Its last row gets the digest over all of them, by which
 * an audit finds what was changed since. `fenced`: another fact has the number, the number is not the next one, or the guard refuses it; the
 * caller reads the table again. Rejects with a StoreError.
 */
export function bookFact(
  store: Store,
  fact: NumberedFact,
  retry: RetryPolicy = RETRY,
  clock: Pick<Clock, 'monotonicMs' | 'sleep'> = systemClock,
): Promise<'booked' | 'fenced'> {
  const { table, number, rows = 1 } = fact;
  const digest = rowsDigest(rows, fact.columns);
  const columns = [...fact.columns, sparseStringColumn('digest', rows, [rows - 1], [digest])];
  const block = nativeBlock(rows, columns);
  const isOurs =
    fact.isOurs ??
    (async () =>
      (await store.query(`SELECT 1 FROM ${table} WHERE number = ${number} AND digest = ${literal(digest)}`)).length >
      0);
  return insertOnce(
    {
      name: `number ${number} of ${table}`,
      insert: (deadTokens) =>
        store.insertBlock(
          (source) => factStatement({ ...fact, columns }, source, deadTokens),
          structureOf(columns),
          block,
        ),
      async status() {
        // Ownership is checked after that: an insert that lands between the two queries is recognised as ours.
        const found = await store.query(`SELECT 1 FROM ${table} WHERE number = ${number} LIMIT 1`);
        if (found.length === 0) return 'nothing';
        return (await isOurs()) ? 'ours' : 'another';
      },
    },
    retry,
    clock,
  );
}

/** Returns the last number of a table; 0 before the first. */
export async function lastNumber(store: Store, table: FactTable): Promise<number> {
  const [{ last }] = await store.query<{ last: number }>(`SELECT max(number) AS last FROM ${table}`);
  return Number(last);
}

/** Returns the insert of one part, under the guards of the journal's own insert: the number before, and its token. */
function factStatement(fact: NumberedFact, source: string, deadTokens: number): string {
  const { table, number, columns, rows = 1, guard } = fact;
  const names = columns.map(({ name }) => name).join(', ');
  const isBehind = `(SELECT max(number) FROM ${table}) != ${number - 1}`;
  const condition = guard === undefined ? isBehind : `${isBehind} OR ${guard}`;
  const token = placeToken(table, number, deadTokens);
  return (
    `INSERT INTO ${table} (${names}) SETTINGS ${insertSettings(token, Math.max(LEAST_BLOCK_ROWS, rows))} ` +
    `SELECT ${names} FROM ${source} WHERE throwIf(${condition}) = 0 ORDER BY ALL`
  );
}
