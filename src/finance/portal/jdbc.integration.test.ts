import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { drainPending } from 'chdb';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bookTwoMonths } from '../../../test/cli/booked-store.fixture.ts';
import { JAVA } from '../../development/servers/java-process.ts';
import { mavenJars } from '../../development/servers/maven-artifacts.ts';
import { migrate } from '../../journal/migrate.ts';
import { openEmbeddedStore } from '../../platform/clickhouse/embedded-store.ts';
import { packagePath } from '../../platform/package-paths.ts';
import { type ServedStore, serveStore } from './portal-server.ts';

const VERSION = '0.11.1';

let directory: string;
let served: ServedStore;
let jars: string;

beforeAll(async () => {
  // The driver's default compression is LZ4; the other library is not installed.
  const driver = [`com.clickhouse:clickhouse-jdbc:${VERSION}`];
  jars = await mavenJars(`clickhouse-jdbc-${VERSION}`, driver, ['com.github.luben:zstd-jni']);
  directory = await mkdtemp(join(tmpdir(), 'zerorate-jdbc-'));
  const store = await openEmbeddedStore(directory, { create: true });
  await migrate(store, packagePath('schemas/clickhouse'));
  await bookTwoMonths(store);
  await store.close();
  await drainPending();
  served = await serveStore(directory, 0);
}, 400_000);
afterAll(async () => {
  await served?.stop();
  await rm(directory, { recursive: true, force: true });
});

test('ClickHouse’s JDBC driver reads metadata, types and rows with its defaults, and gets clear errors', async () => {
  const { host } = new URL(served.url);
  const probe = packagePath('fixtures/jdbc/JdbcProbe.java');
  const args = ['-cp', join(jars, '*'), probe, `jdbc:clickhouse://${host}/default`];
  const { stdout } = await promisify(execFile)(JAVA, args, { timeout: 120_000 });
  const sql = "SELECT charged_micros FROM account_balances WHERE sponsor_id = 'lumen'";
  const charged = (await (await fetch(served.url, { method: 'POST', body: sql })).text()).trim();
  expect(charged).toMatch(/^\d+$/);
  expect(stdout.trim().split('\n')).toEqual([
    'product ClickHouse',
    'schemas true',
    'tables [charges]',
    'columns [sponsor_id, currency, credited_micros, charged_micros, balance_micros]',
    "types Int64 String Date Array(UInt8) Decimal(18, 2) Nullable(Nothing) DateTime64(3, 'UTC') LowCardinality(String)",
    'values -7 x 2026-10-01 1.25 null y',
    `prepared lumen ${charged}`,
    `counted 500000 ${(499_999 * 500_000) / 2}`,
    'limited 10',
    expect.stringMatching(/^failed 164 Code: 164\. DB::Exception: Only read queries are allowed, not INSERT/),
    expect.stringMatching(/^failed 497 Code: 497\. DB::Exception: Not enough privileges: file\(\) reaches beyond/),
    expect.stringMatching(/^failed 396 Code: 396\. DB::Exception: Limit for result exceeded, max rows: 10\.00 million/),
    'counted 3 3',
  ]);
});
