import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse as parseYaml } from 'yaml';
import { OPEN_STORE, type OpenedStore } from '../../src/engine/engine.fixture.ts';
import { packagePath } from '../../src/platform/package-paths.ts';
import { REASONS } from '../../src/rating/outcome.ts';
import { bookAgain, bookTwoMonths } from './booked-store.fixture.ts';
import { cookbookAnswers } from './cookbook-answers.fixture.ts';
import { dbtSources } from './dbt-sources.fixture.ts';

/** Title and statement of every query of the page. */
const QUERIES = [
  ...readFileSync(packagePath('docs/finance/queries.md'), 'utf8').matchAll(
    /^### (.+)$[^#]*?^```sql\n([\s\S]*?)^```$/gm,
  ),
].map(([, title, sql]): [string, string] => [title, sql]);
const READS_THE_SUMS = '-- reads the sums\n';

interface Panel {
  id: number;
  title: string;
  datasource: object;
  gridPos: Record<'x' | 'y' | 'w' | 'h', number>;
  targets: { rawSql: string; format: number }[];
}

let opened: OpenedStore;
beforeAll(async () => {
  opened = await OPEN_STORE.embedded();
  await bookTwoMonths(opened.store);
  await bookAgain(opened.store);
});
afterAll(() => opened?.close());

/** Rows with their numbers as numbers, whatever the order of rows and columns. */
function inOrder(rows: readonly object[]): string[] {
  return rows.map((row) => JSON.stringify(plain(row))).sort();
}

function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(
      Object.entries(value)
        .map(([name, own]) => [name, plain(own)])
        .sort(),
    );
  }
  const isNumber = typeof value === 'bigint' || (typeof value === 'string' && /^-?\d+(\.\d+)?$/.test(value));
  return isNumber ? Number(value) : value;
}

const rowsOf = (sql: string) => opened.store.query(sql);

describe('the query cookbook', () => {
  test('has a sentence and a query under every title', () => {
    const titles = [...readFileSync(packagePath('docs/finance/queries.md'), 'utf8').matchAll(/^### (.+)$/gm)];
    expect(QUERIES.map(([title]) => title)).toEqual(titles.map(([, title]) => title));
    expect(QUERIES.length).toBeGreaterThanOrEqual(15);
  });

  test.each(QUERIES)('%s: gives rows', async (_, sql) => {
    expect((await rowsOf(sql)).length).toBeGreaterThan(0);
  });

  test.each(QUERIES)('%s: reads what it says', async (_, sql) => {
    const plan = JSON.stringify(await rowsOf(`EXPLAIN projections = 1 ${sql}`));
    const readsSums = sql.startsWith(READS_THE_SUMS);
    expect(plan.includes('(usage_totals)')).toBe(readsSums);
    if (!readsSums) return;
    expect(plan).not.toMatch(/ReadFromMergeTree \(\w+\.journal\)/);
    expect(await rowsOf(`${sql} SETTINGS optimize_use_projections = 0`)).toEqual(await rowsOf(sql));
  });

  const queryOf = (title: string) => QUERIES.find(([other]) => other === title)?.[1] ?? '';

  test('every query gives what its rows come to, computed one by one', async () => {
    const answers = await cookbookAnswers(opened.store);
    expect(Object.keys(answers).sort()).toEqual(QUERIES.map(([title]) => title).sort());
    for (const [title, sql] of QUERIES) {
      const got = inOrder(await rowsOf(sql));
      expect.soft(got, title).toEqual(inOrder(answers[title]));
    }
  });

  test('no record is unaccounted for', async () => {
    for (const { unaccounted } of await rowsOf(queryOf('Completeness by day'))) expect(Number(unaccounted)).toBe(0);
  });

  test('records that are charged twice are counted once for each time too many, with what it cost', async () => {
    const again = "SELECT node_id, local_sequence_number, charge_micros FROM charges WHERE topic = 'flows-41-again'";
    const [copies] = await rowsOf(
      `SELECT count() AS records, sum(charge_micros) AS micros FROM (${again} AND sponsored_octets > 0)`,
    );
    const rows = await rowsOf(queryOf('Charged twice'));
    const sum = (name: string) => rows.reduce((total, row) => total + Number(row[name]), 0);
    expect(Number(copies.records)).toBeGreaterThan(5);
    expect(sum('repeated')).toBe(Number(copies.records));
    expect(sum('micros')).toBeGreaterThan(0);
    expect(rows[0].example).toMatch(/^flows-41-0 offset \d+$/);
  });

  test('knows every reason for which traffic is not sponsored', () => {
    const listed = [...queryOf('Why traffic was not sponsored').matchAll(/'(\w+)'/g)].map(([, reason]) => reason);
    expect(listed).toEqual(
      REASONS.filter(({ outcome }) => outcome === 'not_sponsored').map(({ reason }) => String(reason)),
    );
  });
});

describe("Grafana's dashboard", () => {
  const { panels, templating } = JSON.parse(
    readFileSync(packagePath('docker/grafana/dashboards/zerorate.json'), 'utf8'),
  );
  const [source] = parseYaml(
    readFileSync(packagePath('docker/grafana/provisioning/datasources/zerorate.yaml'), 'utf8'),
  ).datasources;
  /** As the plug-in fills in the time range and the variable. */
  const filledIn = (sql: string) =>
    sql
      .replaceAll(/\$__dateFilter\((\w+)\)/g, "$1 >= toDate('2026-09-01') AND $1 <= toDate('2026-10-31')")
      .replaceAll(/\$\{sponsor:singlequote\}/g, "'chatter', 'lumen', 'parley', 'pigeon'");

  test.each(panels as Panel[])('$title: gives rows from the provisioned source', async ({ datasource, targets }) => {
    expect(datasource).toEqual({ type: source.type, uid: source.uid });
    for (const target of targets) {
      const rows = await rowsOf(filledIn(target.rawSql));
      expect(rows.length).toBeGreaterThan(0);
      // A time series has its time first, and at least one number.
      if (target.format === 0) {
        expect(Object.keys(rows[0])[0]).toBe('time');
        expect(Object.values(rows[0]).some((value) => typeof value === 'number')).toBe(true);
      }
    }
  });

  test('its sponsors are those that have an account, and its panels do not cover each other', async () => {
    expect(await rowsOf(templating.list[0].query)).toHaveLength(4);
    const cells = (panels as Panel[]).flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, at) => `${x + (at % w)} ${y + Math.floor(at / w)}`),
    );
    expect(new Set(cells).size).toBe(cells.length);
    expect(new Set((panels as Panel[]).map(({ id }) => id)).size).toBe(panels.length);
  });
});

test('the dbt sources are the tables and views, with what they say of themselves', async () => {
  // After a change: npx vitest run --project integration test/cli/cookbook.integration.test.ts -u
  await expect(await dbtSources(opened.store)).toMatchFileSnapshot(packagePath('docs/finance/dbt/models/sources.yml'));
});

test('every table, view and column says what it is', async () => {
  const silent = await rowsOf(
    "SELECT table || '.' || name AS name FROM system.columns WHERE database = currentDatabase() AND comment = '' " +
      "UNION ALL SELECT name FROM system.tables WHERE database = currentDatabase() AND comment = ''",
  );
  expect(silent).toEqual([]);
});
