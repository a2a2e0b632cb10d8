import { writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { memorySource, openClusterStore, rawRecords, runEngine } from '../../src/engine/engine.fixture.ts';
import { chatCatalogue, chatRecord } from '../../src/engine/traffic.fixture.ts';
import { ClickHouseJournal } from '../../src/journal/clickhouse-journal.ts';
import { packagePath } from '../../src/platform/package-paths.ts';
import { type ClickHouseCluster, startClickHouseCluster } from '../servers/clickhouse-cluster.ts';
import { Zerorate } from './zerorate.fixture.ts';

const DATABASE = 'zerorate_cluster';
const CATALOGUE = packagePath('fixtures/demo/catalogue.yaml');
let cluster: ClickHouseCluster;
let zerorate: Zerorate;
let env: Record<string, string>;

beforeAll(async () => {
  [cluster, zerorate] = await Promise.all([startClickHouseCluster(), Zerorate.build()]);
  env = { ZERORATE_PSEUDONYM_KEY: '5a'.repeat(32), ZERORATE_STORE_PASSWORD: cluster.password };
  await (await openClusterStore(cluster, DATABASE)).close();
  await writeFile(
    zerorate.path('cluster.yaml'),
    `catalogue: ${CATALOGUE}
source: { files: [flows.avro] }
store: { url: "${cluster.urls[0]}", database: ${DATABASE}, cluster: { name: ${cluster.name} } }
quotaUpdates: { file: quota-updates.ndjson }
batch: { maxRecords: 1000 }
`,
  );
});
afterAll(async () => {
  await cluster?.stop();
  await zerorate?.remove();
});

const CLUSTER = ['--config', 'cluster.yaml'];
const run = (...args: string[]) => zerorate.run(args, { env });

test('what is booked into a cluster is what is booked into one store, and all that is asked of it is answered', async () => {
  await run('generate', '--out', 'flows.avro', '--records', '5000', '--subscribers', '100', '--malformed', '0.01');
  expect(await run('run', ...CLUSTER)).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('5 000 records read'),
  });
  expect(await run('run', ...CLUSTER)).toMatchObject({ code: 0, stdout: expect.stringContaining('0 records read') });
  const embedded = ['--store', 'embedded'];
  await run('run', '--catalogue', CATALOGUE, '--source', 'flows.avro', ...embedded);

  const sql = 'SELECT * EXCEPT booking_date FROM charges ORDER BY offset FORMAT CSV';
  const charges = await run('query', sql, ...CLUSTER);
  expect(charges.stdout.split('\n').length).toBeGreaterThan(1000);
  expect(charges).toEqual(await run('query', sql, ...embedded));
  expect(await run('audit', ...CLUSTER, '--against-source')).toMatchObject({ code: 0 });

  const topUp = ['top-up', '--sponsor', 'chatter', '--amount', '5', '--currency', 'USD', '--key', 'a', '--why', 'paid'];
  expect(await run('account', ...topUp, ...CLUSTER)).toMatchObject({ code: 0 });
  expect(await run('account', ...topUp, ...CLUSTER)).toMatchObject({ code: 0 });
  const balances = "SELECT sponsor_id, credited_micros FROM account_balances WHERE sponsor_id = 'chatter' FORMAT CSV";
  expect((await run('query', balances, ...CLUSTER)).stdout.trim()).toBe('"chatter",5000000');
  for (const view of ['suspense', 'sequence_gaps', 'booking_totals', 'usage_by_day', 'recycled', 'torn_subscribers']) {
    expect(await run('query', `SELECT count() FROM ${view}`, ...CLUSTER)).toMatchObject({ code: 0 });
  }
  expect(await run('query', 'INSERT INTO journal (lane) VALUES (1)', ...CLUSTER)).toMatchObject({ code: 1 });
});

test('an engine that takes a cluster for one server is sent away before it books', async () => {
  await writeFile(
    zerorate.path('server.yaml'),
    `catalogue: ${CATALOGUE}
source: { files: [flows.avro] }
store: { url: "${cluster.urls[0]}", database: ${DATABASE} }
quotaUpdates: { file: quota-updates.ndjson }
`,
  );
  const { code, stderr } = await zerorate.run(['run', '--config', 'server.yaml'], { env });
  expect(stderr).toContain('the database was made for a cluster: set store.cluster, or name another database');
  expect(code).toBe(1);
});

const flows = (records: number) =>
  rawRecords(
    Array.from({ length: records }, (_, index) => chatRecord({ localSequenceNumber: index })),
    Date.UTC(2026, 10, 30),
  );

test('between two replicas: rivals meet, a halted one stops the money and not the count', async ({ skip }) => {
  const { pause, unpause } = cluster;
  if (pause === undefined || unpause === undefined) return skip('no Docker engine answers: chdb has no replicas');
  const [first, second] = await Promise.all([0, 1].map((server) => openClusterStore(cluster, DATABASE, server)));
  const log = { topic: 'replicas', partition: 0, lane: 'replicas-0' };
  const book = (store: typeof first, records: number, giveUpAfterMs = 120_000) =>
    runEngine({
      store,
      source: memorySource(log, flows(records)),
      catalogue: chatCatalogue(),
      retry: { firstDelayMs: 100, maxDelayMs: 2000, giveUpAfterMs },
    });
  const booked = async (store: typeof first) =>
    (
      await store.query(
        `SELECT sum(records_read) AS n, max(last_offset) + 1 AS end FROM batches WHERE topic = 'replicas'`,
      )
    )[0];

  // Each sees another end of the log, and asks another replica.
  const rivals = await Promise.allSettled([book(first, 40), book(second, 43)]);
  expect(rivals.some(({ status }) => status === 'fulfilled')).toBe(true);
  await book(first, 43);
  expect(await booked(second)).toEqual({ n: 43, end: 43 });

  await pause(1);
  try {
    await expect(book(first, 60, 1000)).rejects.toMatchObject({ canRetry: true });
  } finally {
    await unpause(1);
  }
  // What was under way when it stopped is booked or gone; the next writer continues from the committed state.
  await book(second, 60);
  expect(await booked(first)).toEqual({ n: 60, end: 60 });
  expect(await new ClickHouseJournal(first).cursor(log)).toBe(59);
  await Promise.all([first.close(), second.close()]);
});
