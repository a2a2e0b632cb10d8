import { afterAll, beforeAll, expect, test } from 'vitest';
import { OPEN_STORE, type OpenedStore } from '../../engine/engine.fixture.ts';
import {
  arrayColumn,
  bytesOf,
  fixedColumn,
  int64Column,
  int64Words,
  lowCardinalityColumn,
  nativeBlock,
  stringColumn,
  strings,
  structureOf,
} from './native-block.ts';
import { digestParts, isRowsDigest, rowsDigest, rowsDigestExpression } from './rows-digest.ts';

let opened: OpenedStore;
beforeAll(async () => {
  opened = await OPEN_STORE.embedded();
});
afterAll(() => opened?.close());

/** Rows of every kind of column; `names` so many that the dictionary's keys take four octets. */
function columnsOf(rows: number, names: number) {
  const each = <T>(of: (row: number) => T) => Array.from({ length: rows }, (_, row) => of(row));
  const ends = Float64Array.from(each((row) => Math.floor(row / 2) * 2));
  const tuples = ends[rows - 1] ?? 0;
  const inTuples = <T>(of: (at: number) => T) => Array.from({ length: tuples }, (_, at) => of(at));
  return [
    int64Column('number', 'UInt64', Float64Array.from(each((row) => row % 3))),
    fixedColumn('kind', 'Int8', Int8Array.from(each((row) => (row % 3) - 1))),
    fixedColumn('partition', 'Int32', Int32Array.from(each((row) => -row))),
    int64Column('amount', 'Int64', Float64Array.from(each((row) => -row * 1e12))),
    fixedColumn('day', 'Date', Uint16Array.from(each((row) => row))),
    int64Column('at', "DateTime64(3, 'UTC')", Float64Array.from(each((row) => row * 1001))),
    fixedColumn(
      'subscriber',
      'FixedString(16)',
      new Uint8Array(rows * 16).map((_, at) => at % 251),
    ),
    stringColumn(
      'why',
      each((row) => 'ü'.repeat(row * 7)),
    ),
    lowCardinalityColumn(
      'topic',
      Array.from({ length: names }, (_, at) => `topic ${at}`),
      Uint32Array.from(each((row) => (row * 31) % names)),
    ),
    arrayColumn('logs', 'Tuple(lane String, partition Int32, last Int64)', ends, [
      strings(inTuples((at) => `lane ${at}`)),
      bytesOf(Int32Array.from(inTuples((at) => at))),
      bytesOf(int64Words(inTuples((at) => at * 1e10))),
    ]),
  ];
}

test.each([
  [1, 1],
  [40, 3],
  [700, 600],
])('%i rows with %i names have the digest that the store computes, in any order', async (rows, names) => {
  const { store } = opened;
  const columns = columnsOf(rows, names);
  const structure = structureOf(columns);
  await store.command(`CREATE OR REPLACE TABLE digested (${structure}) ENGINE = MergeTree ORDER BY (why, topic)`);
  await store.insertBlock(
    (source) => `INSERT INTO digested SELECT * FROM ${source} ORDER BY amount`,
    structure,
    nativeBlock(rows, columns),
  );
  const digest = rowsDigest(rows, columns);
  const [{ has, says, over, whether }] = await store.query<Record<string, string | number>>(
    `SELECT ${rowsDigestExpression(structure)} AS has, '${digest.replaceAll("'", "\\'")}' AS digest, ` +
      `${digestParts('digest').digits} AS says, ${digestParts('digest').structure} AS over, ${isRowsDigest('digest')} AS whether FROM digested`,
  );
  expect(has).toBe(says);
  expect(over).toBe(structure);
  expect(Number(whether)).toBe(1);
});

test('the digest follows from every cell', () => {
  const digest = (change: number) => rowsDigest(2, [fixedColumn('kind', 'Int8', Int8Array.of(1, change))]);
  expect(digest(1)).toBe(digest(1));
  expect(digest(1)).not.toBe(digest(2));
});
