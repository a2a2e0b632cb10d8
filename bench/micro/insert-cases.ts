import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openEmbeddedStore } from '../../src/platform/embedded-store.ts';
import {
  fixedColumn,
  int64Column,
  lowCardinalityColumn,
  nativeBlock,
  structureOf,
} from '../../src/platform/native-block.ts';
import type { MicroCase } from './core-cases.ts';

/** As many as a batch of the engine has: a small insert is all overhead. */
const RECORDS = 100_000;
const GROUP = 'insert, the encoding included';
const PLANS = Array.from({ length: 50 }, (_, plan) => `plan-${plan}`);
const FIRST_DAY = 20_000;

/** Columns as a rated batch has them; each side starts from these and ends with the rows in a MergeTree. */
export async function insertCases(): Promise<MicroCase[]> {
  const octets = Float64Array.from({ length: RECORDS }, (_, row) => row * 977);
  const plan = Uint32Array.from({ length: RECORDS }, (_, row) => row % PLANS.length);
  const day = Uint16Array.from({ length: RECORDS }, (_, row) => FIRST_DAY + (row % 30));
  const store = await openEmbeddedStore(await mkdtemp(join(tmpdir(), 'zerorate-bench-')), { create: true });
  for (const table of ['native', 'json', 'tsv']) {
    await store.command(
      `CREATE TABLE ${table} (octets UInt64, plan LowCardinality(String), day UInt16) ENGINE = MergeTree ORDER BY (plan, day)`,
    );
  }
  const lines = (line: (row: number) => string) => Array.from({ length: RECORDS }, (_, row) => line(row)).join('\n');
  return [
    {
      group: GROUP,
      records: RECORDS,
      name: 'Native, from typed arrays',
      run: () => {
        const columns = [
          int64Column('octets', 'UInt64', octets),
          lowCardinalityColumn('plan', PLANS, plan),
          fixedColumn('day', 'UInt16', day),
        ];
        const insert = (source: string) => `INSERT INTO native SELECT * FROM ${source}`;
        return store.insertBlock(insert, structureOf(columns), nativeBlock(RECORDS, columns));
      },
    },
    {
      group: GROUP,
      records: RECORDS,
      name: 'TSV',
      run: () =>
        store.command(
          `INSERT INTO tsv FORMAT TSV\n${lines((row) => `${octets[row]}\t${PLANS[plan[row]]}\t${day[row]}`)}\n`,
        ),
    },
    {
      group: GROUP,
      records: RECORDS,
      name: 'JSONEachRow',
      run: () =>
        store.command(
          `INSERT INTO json FORMAT JSONEachRow\n${lines((row) =>
            JSON.stringify({ octets: octets[row], plan: PLANS[plan[row]], day: day[row] }),
          )}`,
        ),
    },
  ];
}
