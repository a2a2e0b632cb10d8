import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bench, describe } from 'vitest';
import { openEmbeddedStore } from '../src/platform/embedded-store.ts';
import {
  fixedColumn,
  int64Column,
  lowCardinalityColumn,
  nativeBlock,
  structureOf,
} from '../src/platform/native-block.ts';

const ROWS = 100_000;
const PLANS = Array.from({ length: 50 }, (_, plan) => `plan-${plan}`);

/** Columns as a rated batch has them; each side starts from these and ends with the rows in a MergeTree. */
const octets = Float64Array.from({ length: ROWS }, (_, row) => row * 977);
const plan = Uint32Array.from({ length: ROWS }, (_, row) => row % PLANS.length);
const day = Uint16Array.from({ length: ROWS }, (_, row) => 20_000 + (row % 30));

const store = await openEmbeddedStore(await mkdtemp(join(tmpdir(), 'zerorate-bench-')), { create: true });
for (const side of ['native', 'json']) {
  await store.command(
    `CREATE TABLE ${side} (octets UInt64, plan LowCardinality(String), day Date) ENGINE = MergeTree ORDER BY (plan, day)`,
  );
}

describe(`insert ${ROWS} rows, the encoding included`, () => {
  bench('Native blocks from typed arrays', async () => {
    const columns = [
      int64Column('octets', 'UInt64', octets),
      lowCardinalityColumn('plan', PLANS, plan),
      fixedColumn('day', 'Date', day),
    ];
    await store.insertBlock(
      (source) => `INSERT INTO native SELECT * FROM ${source}`,
      structureOf(columns),
      nativeBlock(ROWS, columns),
    );
  });

  bench('JSONEachRow from objects', async () => {
    const lines: string[] = [];
    for (let row = 0; row < ROWS; row++) {
      lines.push(JSON.stringify({ octets: octets[row], plan: PLANS[plan[row]], day: day[row] }));
    }
    await store.command(`INSERT INTO json FORMAT JSONEachRow\n${lines.join('\n')}`);
  });
});
