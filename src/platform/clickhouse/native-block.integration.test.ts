import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openEmbeddedStore } from './embedded-store.ts';
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
import type { Store } from './store.ts';

let directory: string;
let store: Store;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'zerorate-native-'));
  store = await openEmbeddedStore(directory, { create: true });
});
afterAll(async () => {
  await store?.close();
  await rm(directory, { recursive: true, force: true });
});

test('ClickHouse reads every kind of column back as it was written', async () => {
  const names = Array.from({ length: 300 }, (_, index) => `name ${index} ü`);
  const columns = [
    fixedColumn('small', 'Int8', Int8Array.of(-1, 0, 127)),
    fixedColumn('day', 'Date', Uint16Array.of(0, 20000, 65535)),
    int64Column('signed', 'Int64', Float64Array.of(-1, -(2 ** 53 - 1), 2 ** 53 - 1)),
    int64Column('unsigned', 'UInt64', Float64Array.of(0, 2 ** 32, 2 ** 53 - 1)),
    int64Column('time', "DateTime64(3, 'UTC')", Float64Array.of(0, 1_430_069_021_959, 5_662_310_400_000)),
    stringColumn('text', ['', "a'b\\c\n", 'x'.repeat(300)]),
    lowCardinalityColumn('few', ['one', ''], Uint32Array.of(1, 0, 0)),
    lowCardinalityColumn('many', names, Uint32Array.of(0, 299, 256)),
    arrayColumn('list', 'Tuple(n UInt64, s String)', Float64Array.of(0, 0, 2), [
      bytesOf(int64Words([7, 2 ** 40])),
      strings(['p', '']),
    ]),
  ];
  await store.command(`CREATE TABLE wire (${structureOf(columns)}) ENGINE = MergeTree ORDER BY small`);
  await store.insertBlock(
    (source) => `INSERT INTO wire SELECT * FROM ${source}`,
    structureOf(columns),
    nativeBlock(3, columns),
  );
  const rows = await store.query(
    'SELECT small, toUInt16(day) AS day, toString(signed) AS signed, toString(unsigned) AS unsigned, ' +
      'toUnixTimestamp64Milli(time) AS time, text, few, many, list FROM wire ORDER BY small',
  );
  const first = {
    small: -1,
    day: 0,
    signed: '-1',
    unsigned: '0',
    time: 0,
    text: '',
    few: '',
    many: 'name 0 ü',
    list: [],
  };
  const second = { small: 0, day: 20000, signed: `${-(2 ** 53 - 1)}`, unsigned: `${2 ** 32}`, time: 1_430_069_021_959 };
  const third = {
    small: 127,
    day: 65535,
    signed: `${2 ** 53 - 1}`,
    unsigned: `${2 ** 53 - 1}`,
    time: 5_662_310_400_000,
  };
  expect(rows).toEqual([
    first,
    { ...second, text: "a'b\\c\n", few: 'one', many: 'name 299 ü', list: [] },
    {
      ...third,
      text: 'x'.repeat(300),
      few: 'one',
      many: 'name 256 ü',
      list: [
        { n: 7, s: 'p' },
        { n: 2 ** 40, s: '' },
      ],
    },
  ]);
});

test('a second opening of another directory says that this process has one open, and no other process', async () => {
  const other = await mkdtemp(join(tmpdir(), 'zerorate-native-'));
  await expect(openEmbeddedStore(other, { create: true })).rejects.toMatchObject({
    code: 'store_refused',
    message: expect.stringContaining('this process has another store open'),
  });
  await expect(openEmbeddedStore(join(other, 'none'), { create: false })).rejects.toMatchObject({
    code: 'store_missing',
  });
  await rm(other, { recursive: true });
});
