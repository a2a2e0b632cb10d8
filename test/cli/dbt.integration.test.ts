import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { drainPending } from 'chdb';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ServedStore, serveStore } from '../../src/finance/portal/portal-server.ts';
import { migrate } from '../../src/journal/migrate.ts';
import { openEmbeddedStore } from '../../src/platform/clickhouse/embedded-store.ts';
import { packagePath } from '../../src/platform/package-paths.ts';
import { pythonPackages } from '../servers/python-packages.ts';
import { bookTwoMonths } from './booked-store.fixture.ts';

/** Of 1.10, as later ones fetch a parser while they are installed. */
const PACKAGES = ['dbt-core==1.10.23', 'dbt-clickhouse==1.9.8'];
const INSTALL_TIMEOUT_MS = 400_000;
const DBT_TIMEOUT_MS = 240_000;

interface DbtResult {
  unique_id: string;
  status: string;
  failures: number | null;
}

let directory: string;
let served: ServedStore | undefined;
let pythonPath: string;

const storeDirectory = () => join(directory, 'store');
beforeAll(async () => {
  pythonPath = await pythonPackages('dbt-1.10.23', PACKAGES);
  directory = await mkdtemp(join(tmpdir(), 'zerorate-dbt-'));
  const store = await openEmbeddedStore(storeDirectory(), { create: true });
  await migrate(store, packagePath('schemas/clickhouse'));
  await bookTwoMonths(store);
  await store.close();
  await drainPending();
  served = await serveStore(storeDirectory(), 0);
}, INSTALL_TIMEOUT_MS);
afterAll(async () => {
  await served?.stop();
  await rm(directory, { recursive: true });
});

/** Runs dbt over the project, with its own profiles, against the served store. */
async function dbt(command: string, ...args: string[]): Promise<string> {
  const folders = ['--profiles-dir', '.', '--target-path', join(directory, 'target'), '--log-path', directory];
  const code = 'from dbt.cli.main import cli; cli()';
  const env = {
    ...process.env,
    PYTHONPATH: pythonPath,
    ZERORATE_SERVE_PORT: new URL(served?.url ?? '').port,
    DBT_SEND_ANONYMOUS_USAGE_STATS: 'false',
    DBT_USE_COLORS: 'false',
  };
  const options = { cwd: packagePath('docs/finance/dbt'), env, timeout: DBT_TIMEOUT_MS };
  return promisify(execFile)('python3', ['-c', code, command, ...folders, ...args], options).then(
    ({ stdout }) => stdout,
    // dbt says what failed on its standard output, and ends with another code than 0.
    ({ stdout }) => String(stdout),
  );
}

async function results(): Promise<DbtResult[]> {
  return JSON.parse(await readFile(join(directory, 'target/run_results.json'), 'utf8')).results;
}

test('the models and their tests pass against `serve`, which needs no schema named', {
  timeout: DBT_TIMEOUT_MS,
}, async () => {
  const said = await dbt('build');
  expect(said).toContain('Completed successfully');
  const all = await results();
  expect(all.filter(({ status }) => status !== 'pass')).toEqual([]);
  expect(all.length).toBeGreaterThan(35);
});

test('each revenue model gives what the accounts were charged, without what closings post', async () => {
  const ask = async (sql: string) =>
    (await fetch(`${served?.url}/`, { method: 'POST', body: `${sql} FORMAT JSONCompactEachRow` })).text();
  const accounts = await ask(
    'SELECT sponsor_id, toString(sum(charged)), 1 FROM (SELECT sponsor_id, charged_micros AS charged FROM account_balances ' +
      'UNION ALL SELECT sponsor_id, volume_rebate_micros - flat_fee_micros - shortfall_micros + rounding_micros - tax_micros ' +
      'FROM closings) GROUP BY sponsor_id ORDER BY sponsor_id',
  );
  expect(accounts.split('\n').length).toBeGreaterThan(4);
  for (const model of ['revenue_by_day', 'revenue_by_usage_day', 'revenue_by_sponsor', 'revenue_by_application']) {
    const sql = await readFile(join(directory, `target/compiled/zerorate/models/${model}.sql`), 'utf8');
    const sums = 'sponsor_id, toString(sum(revenue_micros)), sum(revenue) * 1000000 = sum(revenue_micros)';
    expect(await ask(`SELECT ${sums} FROM (\n${sql}\n) GROUP BY sponsor_id ORDER BY sponsor_id`), model).toBe(accounts);
  }
});

test('a record that is not accounted for, and leakage that is not whole, fail a test', {
  timeout: DBT_TIMEOUT_MS,
}, async () => {
  await served?.stop();
  await drainPending();
  const store = await openEmbeddedStore(storeDirectory(), { create: false });
  await store.command(
    "ALTER TABLE journal UPDATE records_read = records_read + 1, leakage = arrayPopBack(leakage) WHERE kind = 'batch' AND topic = 'flows-42' " +
      'AND lane_sequence = 3 SETTINGS mutations_sync = 2',
  );
  await store.close();
  await drainPending();
  served = await serveStore(storeDirectory(), 0);
  expect(await dbt('build')).not.toContain('Completed successfully');
  const failed = (await results()).filter(({ status }) => status === 'fail').map(({ unique_id }) => unique_id);
  expect(failed.sort()).toEqual([
    'test.zerorate.every_record_is_accounted_for',
    'test.zerorate.leakage_comes_to_the_outcomes',
  ]);
});
