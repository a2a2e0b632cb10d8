import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { literal, type Store } from '../platform/store.ts';
import { StoreError } from '../platform/store-error.ts';

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
 * Brings the store to the newest numbered migration (`0001_name.sql`, in order, each once). A store that is newer than
 * this program is refused. Returns the names of the migrations that were run.
 */
export async function migrate(store: Store, directory: string): Promise<string[]> {
  // Who may only book may look: a store that is up to date is left alone.
  const [{ result: isThere }] = await store.query<{ result: number }>('EXISTS TABLE schema_migrations');
  if (Number(isThere) === 0) await store.command(MIGRATIONS_TABLE);
  const rows = await store.query<{ number: number }>('SELECT number FROM schema_migrations');
  const applied = new Set(rows.map(({ number }) => Number(number)));
  const migrations = await readMigrations(directory);
  const newest = Math.max(0, ...applied);
  if (newest > migrations.length) {
    throw new StoreError(
      'store_refused',
      `the store has migration ${newest}, which this program does not know: upgrade it`,
    );
  }
  const pending = migrations.filter(({ number }) => !applied.has(number));
  for (const { number, name, sql } of pending) {
    for (const statement of statementsOf(sql)) await store.command(statement);
    await store.command(`INSERT INTO schema_migrations (number, name) SELECT ${number}, ${literal(name)}`);
  }
  return pending.map(({ name }) => name);
}

async function readMigrations(directory: string): Promise<Migration[]> {
  const names = (await readdir(directory)).filter((name) => /^\d+_.*\.sql$/.test(name)).sort();
  return Promise.all(
    names.map(async (name, index) => {
      const number = Number.parseInt(name, 10);
      if (number !== index + 1) throw new Error(`migration ${name} should be number ${index + 1}`);
      return { number, name, sql: await readFile(join(directory, name), 'utf8') };
    }),
  );
}

/** A statement ends with a semicolon at the end of a line. All of them say IF NOT EXISTS, so one that a crash cut goes on. */
function statementsOf(sql: string): string[] {
  return sql
    .split(/;\s*$/m)
    .map((statement) => statement.trim())
    .filter((statement) => statement.replaceAll(/^--.*$/gm, '').trim() !== '');
}
