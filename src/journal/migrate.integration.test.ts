import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { OPEN_STORE, type OpenedStore } from '../engine/engine.fixture.ts';
import { packagePath } from '../platform/package-paths.ts';
import { migrate, requireKnown } from './migrate.ts';

const MIGRATIONS = packagePath('schemas/clickhouse');
let opened: OpenedStore;

beforeAll(async () => {
  opened = await OPEN_STORE.embedded();
});
afterAll(() => opened?.close());

test('every migration runs once, in order', async () => {
  expect(await migrate(opened.store, MIGRATIONS)).toEqual([]);
  const names = await opened.store.query<{ name: string }>('SELECT name FROM schema_migrations ORDER BY number');
  const files = (await readdir(MIGRATIONS)).filter((name) => name !== 'roles.sql');
  expect(names.map(({ name }) => name)).toEqual(files.sort());
});

// Of a batch's rows all but one have empty arrays, and a dictionary in them costs each of these rows more than its other columns.
test('no array of a table has a dictionary', async () => {
  const columns = await opened.store.query(
    "SELECT table, name FROM system.columns WHERE database = currentDatabase() AND type LIKE '%Array(%LowCardinality%'",
  );
  expect(columns).toEqual([]);
});

test('a migration that a crash cut in two continues', async () => {
  await opened.store.command('ALTER TABLE schema_migrations DELETE WHERE number = 3 SETTINGS mutations_sync = 2');
  await opened.store.command('DROP VIEW torn_subscribers');
  expect(await migrate(opened.store, MIGRATIONS)).toEqual(['0003_views.sql']);
  expect(await opened.store.query('SELECT * FROM torn_subscribers')).toEqual([]);
});

test('a store that was made for a cluster, or for none, is not booked into as the other', async () => {
  const asCluster = { ...opened.store, cluster: 'carrier' };
  const refusal = { code: 'store_refused', message: expect.stringContaining('leave store.cluster out') };
  await expect(migrate(asCluster, MIGRATIONS)).rejects.toMatchObject(refusal);
});

test('a store that another program of the same age has brought up to date is refused, whatever it is opened for', async () => {
  await opened.store.command("INSERT INTO schema_migrations (number, name) VALUES (7, '0007_other.sql')");
  const refusal = { code: 'store_refused', message: expect.stringContaining('0007_other.sql') };
  await expect(migrate(opened.store, MIGRATIONS)).rejects.toMatchObject(refusal);
  await expect(requireKnown(opened.store, MIGRATIONS)).rejects.toMatchObject(refusal);
  await opened.store.command(
    "ALTER TABLE schema_migrations DELETE WHERE name = '0007_other.sql' SETTINGS mutations_sync = 2",
  );
  await requireKnown(opened.store, MIGRATIONS);
});

test('a store that is newer than the program is refused, and numbers without a gap are asked for', async () => {
  await opened.store.command("INSERT INTO schema_migrations (number, name) VALUES (99, '0099_later.sql')");
  await expect(migrate(opened.store, MIGRATIONS)).rejects.toMatchObject({ code: 'store_refused' });
  const directory = await mkdtemp(join(tmpdir(), 'zerorate-migrations-'));
  await writeFile(join(directory, '0002_second.sql'), 'SELECT 1;');
  await expect(migrate(opened.store, directory)).rejects.toThrow('should be number 1');
  await rm(directory, { recursive: true });
});
