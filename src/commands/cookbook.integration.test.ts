import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { REASONS } from '../billing/outcome.ts';
import { DOORS, type OpenedStore } from '../engine/engine.fixture.ts';
import { packagePath } from '../platform/package-paths.ts';
import { bookTwoMonths } from './booked-store.fixture.ts';

/** Title and statement of every query of the page. */
const QUERIES = [
  ...readFileSync(packagePath('docs/queries.md'), 'utf8').matchAll(/^### (.+)$[^#]*?^```sql\n([\s\S]*?)^```$/gm),
].map(([, title, sql]): [string, string] => [title, sql]);
const READS_THE_SUMS = '-- reads the sums\n';

let opened: OpenedStore;
beforeAll(async () => {
  opened = await DOORS.embedded();
  await bookTwoMonths(opened.store);
});
afterAll(() => opened?.close());

const rowsOf = (sql: string) => opened.store.query(sql);

describe('the query cookbook', () => {
  test('has a sentence and a query under every title', () => {
    const titles = [...readFileSync(packagePath('docs/queries.md'), 'utf8').matchAll(/^### (.+)$/gm)];
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

  test('no record is unaccounted for', async () => {
    for (const { unaccounted } of await rowsOf(queryOf('Completeness by day'))) expect(Number(unaccounted)).toBe(0);
  });

  test('knows every reason for which traffic is not sponsored', () => {
    const listed = [...queryOf('Why traffic was not sponsored').matchAll(/'(\w+)'/g)].map(([, reason]) => reason);
    expect(listed).toEqual(
      REASONS.filter(({ outcome }) => outcome === 'not_sponsored').map(({ reason }) => String(reason)),
    );
  });
});

test('every table, view and column says what it is', async () => {
  const silent = await rowsOf(
    "SELECT table || '.' || name AS name FROM system.columns WHERE database = currentDatabase() AND comment = '' " +
      "UNION ALL SELECT name FROM system.tables WHERE database = currentDatabase() AND comment = ''",
  );
  expect(silent).toEqual([]);
});
