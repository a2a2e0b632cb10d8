import type { Readable } from 'node:stream';
import { readRowBinary } from '../../journal/row-binary.ts';
import { literal, type Store } from '../../platform/clickhouse/store.ts';
import { CSV_COLUMNS, LEAF_EXPRESSION, ROW_FIELDS, ROW_ORDER, TYPED_COLUMNS } from '../statements/exported-row.ts';
import { type Coverage, coveredBookings } from './coverage.ts';

/** What is read at once: an embedded store has a whole result in memory. */
const PAGE_ROWS = 250_000;

/** Yields the leaves of the covered rows in order; `rows` is their number. */
export async function* coveredLeaves(
  store: Store,
  coverage: Coverage,
  rows: number,
  pageRows = PAGE_ROWS,
): AsyncIterable<Uint8Array> {
  for await (const page of pages(store, coverage, rows, pageRows)) {
    const leaves = await store.stream(
      `SELECT ${LEAF_EXPRESSION} FROM bookings WHERE ${page} ORDER BY ${ROW_ORDER} FORMAT RowBinary`,
    );
    yield* readRowBinary(leaves, (reader) => reader.octets(32));
  }
}

/** Yields the covered rows as CSV, with a header line, in the order of their leaves. */
export async function* coveredCsv(
  store: Store,
  coverage: Coverage,
  rows: number,
  pageRows = PAGE_ROWS,
): AsyncIterable<Buffer> {
  yield Buffer.from(`${ROW_FIELDS.join(',')}\n`);
  for await (const page of pages(store, coverage, rows, pageRows)) {
    yield* await store.stream(`SELECT ${CSV_COLUMNS} FROM bookings WHERE ${page} ORDER BY ${ROW_ORDER} FORMAT CSV`);
  }
}

/** Returns the covered rows as a Parquet file. */
export function coveredParquet(store: Store, coverage: Coverage): Promise<Readable> {
  // In a subquery, because the alias `month` would hide the column in the condition.
  const rows = `SELECT * FROM bookings WHERE ${coveredBookings(coverage)} ORDER BY ${ROW_ORDER}`;
  return store.stream(`SELECT ${TYPED_COLUMNS} FROM (${rows}) FORMAT Parquet`);
}

/** Yields conditions on `bookings`: the covered rows, a page at a time, in order. A page ends with all rows of a record. */
async function* pages(store: Store, coverage: Coverage, rows: number, pageRows: number): AsyncIterable<string> {
  let rest = coveredBookings(coverage);
  for (let left = rows; left > pageRows; left -= pageRows) {
    const [last] = await store.query<{ topic: string; partition: number; last_offset: string }>(
      `SELECT topic, partition, toString(offset) AS last_offset FROM bookings WHERE ${rest} ` +
        `ORDER BY ${ROW_ORDER} LIMIT 1 OFFSET ${pageRows - 1}`,
    );
    if (last === undefined) break;
    const place = `(${literal(last.topic)}, ${last.partition}, ${last.last_offset})`;
    yield `${rest} AND (topic, partition, offset) <= ${place}`;
    rest = `${coveredBookings(coverage)} AND (topic, partition, offset) > ${place}`;
  }
  yield rest;
}
