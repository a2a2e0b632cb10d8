import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openEmbeddedStore } from '../../src/platform/clickhouse/embedded-store.ts';
import { literal, type Store } from '../../src/platform/clickhouse/store.ts';
import type { BenchmarkGroup, Prepared } from './benchmark.ts';
import {
  type ChargeColumns,
  chargeColumns,
  jsonEachRow,
  native,
  rowBinary,
  TABLE_COLUMNS,
  TEXT_STRUCTURE,
  tsv,
} from './insert-rows.ts';

type Insert = (store: Store, folder: string, columns: ChargeColumns) => Promise<void>;

/** Rows from columns into a MergeTree of embedded ClickHouse, the encoding included; every format comes by a file. */
export function insertGroup(rows: number, seed: number): BenchmarkGroup {
  const prepare = (insert: Insert) => () => inserting(insert, rows, seed);
  return {
    name: 'insert into embedded ClickHouse',
    benchmarks: [
      { name: 'Native', prepare: prepare(insertNative) },
      { name: 'RowBinary', prepare: prepare(byFile('RowBinary', rowBinary)) },
      { name: 'TSV', prepare: prepare(byFile('TSV', tsv)) },
      { name: 'JSONEachRow', prepare: prepare(byFile('JSONEachRow', jsonEachRow)) },
    ],
  };
}

async function inserting(insert: Insert, rows: number, seed: number): Promise<Prepared> {
  const columns = chargeColumns(rows, seed);
  const folder = await mkdtemp(join(tmpdir(), 'zerorate-bench-'));
  const store = await openEmbeddedStore(folder, { create: true });
  await store.command(`CREATE TABLE charges (${TABLE_COLUMNS}) ENGINE = MergeTree ORDER BY (plan_id, period_start)`);
  const work = () => insert(store, folder, columns);
  await work();
  await assertInserted(store, columns);
  return {
    records: rows,
    before: () => store.command('TRUNCATE TABLE charges'),
    work,
    after: async () => {
      await assertInserted(store, columns);
      await store.close();
      await rm(folder, { recursive: true });
    },
  };
}

const insertNative: Insert = async (store, _folder, columns) => {
  const { structure, block } = native(columns);
  await store.insertBlock((source) => `INSERT INTO charges SELECT * FROM ${source}`, structure, block);
};

function byFile(format: string, encode: (columns: ChargeColumns) => string | Buffer): Insert {
  return async (store, folder, columns) => {
    const path = join(folder, 'rows');
    await writeFile(path, encode(columns));
    const source = `file(${literal(path)}, ${literal(format)}, ${literal(TEXT_STRUCTURE)})`;
    await store.command(`INSERT INTO charges SELECT * FROM ${source}`);
  };
}

async function assertInserted(store: Store, columns: ChargeColumns): Promise<void> {
  const sum = (values: ArrayLike<number>) => Array.from(values).reduce((total, value) => total + value, 0);
  const [stored] = await store.query(
    'SELECT count() AS rows, sum(offset) AS offset, sum(sponsored_octets) AS sponsoredOctets, ' +
      'sum(charge_micros) AS chargeMicros, sum(toUInt32(substring(plan_id, 6))) AS plan, ' +
      'sum(toUInt16(period_start)) AS periodStart FROM charges',
  );
  const { rows, offset, sponsoredOctets, chargeMicros, plan, periodStart } = columns;
  assert.equal(Number(stored.rows), rows);
  for (const [name, values] of Object.entries({ offset, sponsoredOctets, chargeMicros, plan, periodStart })) {
    assert.equal(Number(stored[name]), sum(values), name);
  }
}
