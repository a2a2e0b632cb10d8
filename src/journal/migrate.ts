import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { onCluster } from '../platform/clickhouse/server-cluster.ts';
import { literal, type Store, StoreError } from '../platform/clickhouse/store.ts';

interface Migration {
  number: number;
  name: string;
  sql: string;
}

const MIGRATIONS_TABLE =
  "CREATE TABLE IF NOT EXISTS schema_migrations (number UInt32 COMMENT 'as its file begins', name String COMMENT 'its file', " +
  "applied_at DateTime DEFAULT now() COMMENT 'when this store was brought up to it') " +
  "ENGINE = MergeTree ORDER BY number SETTINGS fsync_after_insert = 1 COMMENT 'migrations that this store has been through'";

/**
 * Brings the store to the newest numbered migration (`0001_name.sql`, in order, each once), in the form that a cluster needs
 * where the store is one. A store that is newer than this program is refused. Returns the names of the migrations that were run.
 */
export async function migrate(store: Store, directory: string): Promise<string[]> {
  const migrations = await readMigrations(directory);
  const pending = await pendingMigrations(store, migrations);
  if (pending.length === 0) return [];
  await requireCluster(store);
  for (const form of formsOf(store, MIGRATIONS_TABLE)) await store.command(form);
  for (const { number, name, sql } of pending) {
    for (const statement of statementsOf(sql)) {
      for (const form of formsOf(store, statement)) await store.command(form);
    }
    await store.command(`INSERT INTO schema_migrations (number, name) SELECT ${number}, ${literal(name)}`);
  }
  return pending.map(({ name }) => name);
}

/** Refuses a store that this program does not know, or not in this form. A store without anything in it is fine. */
export async function requireKnown(store: Pick<Store, 'query' | 'cluster'>, directory: string): Promise<void> {
  await pendingMigrations(store, await readMigrations(directory));
}

/** What the store has not been through yet. Who may only book may look: a store that is up to date is left alone. */
async function pendingMigrations(
  store: Pick<Store, 'query' | 'cluster'>,
  migrations: readonly Migration[],
): Promise<Migration[]> {
  const [{ result: isThere }] = await store.query<{ result: number }>('EXISTS TABLE schema_migrations');
  if (Number(isThere) === 0) return [...migrations];
  await requireForm(store);
  const rows = await store.query<{ number: number; name: string }>('SELECT number, name FROM schema_migrations');
  const known = new Map(migrations.map(({ number, name }) => [number, name]));
  const stranger = rows.find(({ number, name }) => known.get(Number(number)) !== name);
  if (stranger !== undefined) {
    throw new StoreError(
      'store_refused',
      `the store has migration ${stranger.name}, which this program does not know: upgrade it`,
    );
  }
  const applied = new Set(rows.map(({ number }) => Number(number)));
  return migrations.filter(({ number }) => !applied.has(number));
}

/** Booking into replicas as if they were one server would lose what makes them one journal, and the other way round. */
async function requireForm(store: Pick<Store, 'query' | 'cluster'>): Promise<void> {
  const [journal] = await store.query<{ engine: string }>(
    "SELECT engine FROM system.tables WHERE database = currentDatabase() AND name = 'journal'",
  );
  if (journal === undefined) return;
  const isCluster = journal.engine === 'Distributed';
  if (isCluster === (store.cluster !== undefined)) return;
  const [is, remedy] = isCluster ? ['a cluster', 'set store.cluster'] : ['one server', 'leave store.cluster out'];
  throw new StoreError('store_refused', `the database was made for ${is}: ${remedy}, or name another database`);
}

async function requireCluster({ cluster, query }: Store): Promise<void> {
  if (cluster === undefined) return;
  const known = await query<{ cluster: string }>('SELECT DISTINCT cluster FROM system.clusters ORDER BY cluster');
  if (known.some((row) => row.cluster === cluster)) return;
  const names = known.map((row) => row.cluster).join(', ');
  throw new StoreError(
    'store_refused',
    `store.cluster.name: the server knows no cluster ${cluster}, but: ${names || 'none'}`,
  );
}

function formsOf({ cluster }: Store, statement: string): string[] {
  return cluster === undefined ? [statement] : clusterStatements(statement, cluster);
}

export async function readMigrations(directory: string): Promise<Migration[]> {
  const names = (await readdir(directory)).filter((name) => /^\d+_.*\.sql$/.test(name)).sort();
  return Promise.all(
    names.map(async (name, index) => {
      const number = Number.parseInt(name, 10);
      if (number !== index + 1) throw new Error(`migration ${name} should be number ${index + 1}`);
      return { number, name, sql: await readFile(join(directory, name), 'utf8') };
    }),
  );
}

/** A statement ends with a semicolon at the end of a line. All of them say IF NOT EXISTS, so one that a crash cut is run again. */
export function statementsOf(sql: string): string[] {
  return sql
    .split(/;\s*$/m)
    .map((statement) => statement.trim())
    .filter((statement) => statement.replaceAll(/^--.*$/gm, '').trim() !== '');
}

/** The one table that is cut into shards, by lane: a lane's chain, its counters and its guard are in one of them. */
const SHARDED = 'journal';
/** The table of each shard; the one under the table's own name reads and writes all shards. */
const LOCAL = 'journal_local';

const HEAD = /^(CREATE TABLE IF NOT EXISTS|CREATE VIEW IF NOT EXISTS|CREATE OR REPLACE VIEW|ALTER TABLE) (\w+)/;
const PROJECTION = /^\s+(ADD|MATERIALIZE) PROJECTION\b/;
const CHANGES_MORE_THAN_COMMENTS = /\b(ADD|DROP|RENAME|MODIFY) (COLUMN|INDEX|PROJECTION|SETTING)\b/;

/**
 * A migration's statement as a cluster takes it (docs/operate/cluster.md). The journal is replicated in each shard and read through
 * a `Distributed` table; all other tables are numbered facts, of which every server of the cluster is a replica, so that a
 * guard reads them on its own server. Throws on a statement that has no such form: the tests of a new migration fail.
 */
export function clusterStatements(statement: string, cluster: string): string[] {
  const sql = statement.replace(/^(\s*--.*\n|\s+)+/, '');
  const [head = '', verb = '', name = ''] = HEAD.exec(sql) ?? [];
  const rest = sql.slice(head.length);
  const everywhere = (table: string, body = rest) => `${verb} ${table}${onCluster(cluster)}${body}`;
  switch (verb) {
    case 'CREATE TABLE IF NOT EXISTS': {
      if (name !== SHARDED) return [everywhere(name, replicated(rest, `${name}/all`, '{shard}-{replica}'))];
      const shards = `Distributed(${literal(cluster)}, currentDatabase(), ${literal(LOCAL)}, sipHash64(lane))`;
      const local = replicated(rest, `${LOCAL}/{shard}`, '{replica}');
      return [everywhere(LOCAL, local), everywhere(SHARDED, ` AS ${LOCAL} ENGINE = ${shards}`)];
    }
    case 'CREATE VIEW IF NOT EXISTS':
    case 'CREATE OR REPLACE VIEW':
      return [everywhere(name)];
    case 'ALTER TABLE':
      // Projections are of the shards' own parts.
      if (name === SHARDED)
        return PROJECTION.test(rest) ? [everywhere(LOCAL)] : [everywhere(LOCAL), everywhere(SHARDED)];
      // A table's comment is each server's own. Its columns are shared: one server changes them, the replicas follow.
      return CHANGES_MORE_THAN_COMMENTS.test(rest) ? [`${sql} SETTINGS alter_sync = 2`] : [everywhere(name)];
    default:
      throw new Error(`a migration's statement has no form for a cluster: ${sql.slice(0, 80)}`);
  }
}

/** Tokens are forgotten by number and not by age, and a part that was fetched outlives a power cut like one that was inserted. */
function replicated(definition: string, path: string, replica: string): string {
  return definition
    .replace(
      /ENGINE = (\w*MergeTree)\b/,
      `ENGINE = Replicated$1('/clickhouse/tables/{database}/${path}', '${replica}')`,
    )
    .replace(
      /non_replicated_deduplication_window = (\d+)/,
      'replicated_deduplication_window = $1, replicated_deduplication_window_seconds = 31536000',
    )
    .replace(/fsync_after_insert = 1/, 'fsync_after_insert = 1, min_compressed_bytes_to_fsync_after_fetch = 1');
}
