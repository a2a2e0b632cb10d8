import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CHDB_CLUSTER } from '../../test/servers/clickhouse-cluster.ts';
import { type ClickHouseProcess, startClickHouseProcess } from '../development/servers/clickhouse-process.ts';
import { openServerStore } from '../platform/clickhouse/server-store.ts';
import { literal, type Store } from '../platform/clickhouse/store.ts';
import { packagePath } from '../platform/package-paths.ts';
import { clusterStatements, migrate, readMigrations, statementsOf } from './migrate.ts';

const MIGRATIONS = packagePath('schemas/clickhouse');
const forms = (await readMigrations(MIGRATIONS)).flatMap(({ name, sql }) =>
  statementsOf(sql)
    .flatMap((statement) => clusterStatements(statement, 'zerorate'))
    .map((form, index): [string, string] => [`${name}, form ${index + 1}`, form]),
);

let directory: string;
let server: ClickHouseProcess;
let store: Store;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'zerorate-cluster-'));
  const configFile = join(directory, 'config.xml');
  await writeFile(configFile, CHDB_CLUSTER);
  server = await startClickHouseProcess({ path: join(directory, 'data'), configFile });
  const account = { url: server.url, username: 'default', password: '' };
  store = await openServerStore({ ...account, database: 'statements' }, { create: true });
});
afterAll(async () => {
  await store?.close();
  await server?.stop();
  await rm(directory, { recursive: true, force: true });
});

describe('what ClickHouse says of a cluster’s statements', () => {
  test.each(forms)('%s: it reads them', async (_, form) => {
    const [{ text }] = await store.query<{ text: string }>(`SELECT formatQuerySingleLine(${literal(form)}) AS text`);
    expect(text).toMatch(/ ON CLUSTER zerorate|alter_sync = 2/);
  });

  // Columns, keys, projections, settings and macros are looked at first, so all that is wrong with them is that no Keeper is here.
  test.each(forms.filter(([, form]) => form.includes('ENGINE = Replicated')))(
    '%s: it would make the replica, had it a Keeper',
    async (_, form) => {
      const command = store.command(form.replace(" ON CLUSTER 'zerorate'", ''));
      await expect(command).rejects.toMatchObject({ message: expect.stringContaining('error 225') });
    },
  );
});

test('a cluster that the servers do not know is refused with those that they know', async () => {
  await expect(migrate({ ...store, cluster: 'carier' }, MIGRATIONS)).rejects.toMatchObject({
    code: 'store_refused',
    message: 'store.cluster.name: the server knows no cluster carier, but: zerorate',
  });
});
