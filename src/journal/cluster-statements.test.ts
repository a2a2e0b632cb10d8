import { expect, test } from 'vitest';
import { packagePath } from '../platform/package-paths.ts';
import { clusterStatements, readMigrations, statementsOf } from './migrate.ts';

const migrations = await readMigrations(packagePath('schemas/clickhouse'));
const statements = migrations.flatMap(({ name, sql }) =>
  statementsOf(sql).map((statement, index): [string, string] => [`${name}, statement ${index + 1}`, statement]),
);

test('the journal is a replicated table in each shard, and one over all shards, cut by lane', () => {
  const [local, all] = clusterStatements(
    '-- The journal.\nCREATE TABLE IF NOT EXISTS journal\n(lane String)\nENGINE = MergeTree ORDER BY lane ' +
      'SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, old_parts_lifetime = 480',
    'carrier',
  );
  expect(local).toBe(
    "CREATE TABLE IF NOT EXISTS journal_local ON CLUSTER 'carrier'\n(lane String)\n" +
      "ENGINE = ReplicatedMergeTree('/clickhouse/tables/{database}/journal_local/{shard}', '{replica}') ORDER BY lane " +
      'SETTINGS replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 31536000, ' +
      'fsync_after_insert = 1, min_compressed_bytes_to_fsync_after_fetch = 1, old_parts_lifetime = 480',
  );
  expect(all).toBe(
    "CREATE TABLE IF NOT EXISTS journal ON CLUSTER 'carrier' AS journal_local " +
      "ENGINE = Distributed('carrier', currentDatabase(), 'journal_local', sipHash64(lane))",
  );
});

test('a table of facts has every server of the cluster for a replica', () => {
  expect(
    clusterStatements('CREATE TABLE IF NOT EXISTS closings (n UInt64) ENGINE = MergeTree ORDER BY n', 'c'),
  ).toEqual([
    "CREATE TABLE IF NOT EXISTS closings ON CLUSTER 'c' (n UInt64) " +
      "ENGINE = ReplicatedMergeTree('/clickhouse/tables/{database}/closings/all', '{shard}-{replica}') ORDER BY n",
  ]);
});

test.each([
  ['CREATE OR REPLACE VIEW v AS SELECT 1', ["CREATE OR REPLACE VIEW v ON CLUSTER 'c' AS SELECT 1"]],
  ["ALTER TABLE v MODIFY COMMENT 'x'", ["ALTER TABLE v ON CLUSTER 'c' MODIFY COMMENT 'x'"]],
  [
    'ALTER TABLE journal ADD COLUMN IF NOT EXISTS a Int8',
    [
      "ALTER TABLE journal_local ON CLUSTER 'c' ADD COLUMN IF NOT EXISTS a Int8",
      "ALTER TABLE journal ON CLUSTER 'c' ADD COLUMN IF NOT EXISTS a Int8",
    ],
  ],
  [
    'ALTER TABLE journal ADD PROJECTION IF NOT EXISTS p (SELECT count() GROUP BY kind)',
    ["ALTER TABLE journal_local ON CLUSTER 'c' ADD PROJECTION IF NOT EXISTS p (SELECT count() GROUP BY kind)"],
  ],
  [
    'ALTER TABLE journal MATERIALIZE PROJECTION p',
    ["ALTER TABLE journal_local ON CLUSTER 'c' MATERIALIZE PROJECTION p"],
  ],
  [
    'ALTER TABLE closings ADD COLUMN IF NOT EXISTS a Int8',
    ['ALTER TABLE closings ADD COLUMN IF NOT EXISTS a Int8 SETTINGS alter_sync = 2'],
  ],
])('%s', (statement, expected) => {
  expect(clusterStatements(statement, 'c')).toEqual(expected);
});

test.each(statements)('%s has a form for a cluster, with nothing of a single server in it', (_, statement) => {
  const forms = clusterStatements(statement, 'c');
  expect(forms.length).toBeGreaterThan(0);
  for (const form of forms) {
    expect(form).not.toMatch(/non_replicated|ENGINE = \w*(?<!Replicated|ReplicatedReplacing)MergeTree/);
    expect(form).toMatch(/ ON CLUSTER 'c'| SETTINGS alter_sync = 2$/);
  }
});

test('what has no such form is refused where it is written', () => {
  expect(() => clusterStatements('DROP TABLE journal', 'c')).toThrow('no form for a cluster: DROP TABLE journal');
});

/** Columns keep their values and take another form: what the version before writes into them is converted. */
const SAME_VALUES: ReadonlySet<string> = new Set(['0025_plain_texts.sql, statement 1']);

// An engine of the version before continues while a new one applies migrations (docs/operate/upgrading.md).
test.each(statements.filter(([name]) => !SAME_VALUES.has(name)))('%s only adds', (_, statement) => {
  const sql = statement.replaceAll(/^--.*$/gm, '').trim();
  expect(sql).toMatch(/^(CREATE (TABLE|VIEW) IF NOT EXISTS|CREATE OR REPLACE VIEW|ALTER TABLE) /);
  if (!sql.startsWith('ALTER TABLE')) return;
  const commands = sql.replaceAll(/'(?:[^'\\]|''|\\.)*'/g, "''");
  expect(commands).not.toMatch(/\b(DROP|RENAME|DELETE|UPDATE|CLEAR|MODIFY (?!COMMENT)|ADD COLUMN (?!IF NOT EXISTS))/);
});
