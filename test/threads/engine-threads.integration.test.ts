import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { createClient } from '@clickhouse/client';
import kafkajs, { type Admin, type Kafka, logLevel } from 'kafkajs';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { freePort } from '../../src/development/servers/free-port.ts';
import { readCatalogue, readConfig } from '../../src/engine/assembly/read-config.ts';
import { metricOf, scrape } from '../../src/engine/metrics/scrape.fixture.ts';
import { runEngine } from '../../src/engine/running/run-engine.ts';
import { DEMO_CATALOGUE, produceDemoRecords } from '../../src/generator/demo-traffic.fixture.ts';
import { openStore } from '../../src/journal/open-store.ts';
import { QUIET } from '../../src/platform/clickhouse/store.ts';
import { loggerOn } from '../../src/platform/telemetry/logger.ts';
import { Progress } from '../../src/platform/telemetry/terminal-output.ts';
import { becomesTrue } from '../chaos/wait.ts';
import { RunningZerorate } from '../cli/running-zerorate.fixture.ts';
import { Zerorate } from '../cli/zerorate.fixture.ts';
import { builtModule } from '../servers/built.ts';
import { type ClickHouseServer, startClickHouse } from '../servers/clickhouse-server.ts';
import { type KafkaServer, startKafka } from '../servers/kafka-server.ts';

const PARTITIONS = 8;
const RECORDS = 20_000;
const PATIENCE_MS = 90_000;
const KEY = '5a'.repeat(32);
const env = { ZERORATE_PSEUDONYM_KEY: KEY };

let server: KafkaServer;
let store: ClickHouseServer;
let zerorate: Zerorate;
let kafka: Kafka;
let admin: Admin;
let port: number;
let running: RunningZerorate[] = [];

beforeAll(async () => {
  [server, store, zerorate, port] = await Promise.all([startKafka(), startClickHouse(), Zerorate.build(), freePort()]);
  kafka = new kafkajs.Kafka({ brokers: server.brokers, logLevel: logLevel.NOTHING });
  admin = kafka.admin();
  await admin.connect();
  await createTopic('flows');
  await produceDemoRecords(kafka, 'flows', 1, RECORDS);
});
afterEach(async () => {
  for (const engine of running) engine.signal('SIGKILL');
  await Promise.all(running.map(({ ended }) => ended));
  running = [];
});
afterAll(async () => {
  await admin?.disconnect();
  await server?.stop();
  await store?.stop();
  await zerorate?.remove();
});

async function createTopic(topic: string): Promise<void> {
  await admin.createTopics({ topics: [{ topic, numPartitions: PARTITIONS, replicationFactor: 1 }] });
}

const databaseOf = (name: string) => `threads_${process.pid}_${name}`;

interface Settings {
  topic: string;
  threads: number;
  catalogue?: string;
  /** More of `source.kafka`. */
  kafka?: string;
}

/** A configuration of that name, with a group and a database of its own. Gives what the commands take for it. */
function configure(name: string, { topic, threads, catalogue = DEMO_CATALOGUE, kafka = '' }: Settings): string[] {
  const path = zerorate.path(`${name}.yaml`);
  writeFileSync(
    path,
    `catalogue: ${catalogue}
source:
  kafka: { brokers: ["${server.brokers.join('", "')}"], topic: ${topic}, groupId: ${name}, fetchWaitTimeoutMs: 100, sessionTimeoutMs: 6000, heartbeatIntervalMs: 1000${kafka} }
store: { url: "${store.url}", database: ${databaseOf(name)} }
quotaUpdates: { topic: ${name}-quota }
engine: { threads: ${threads} }
batch: { maxRecords: 200, maxDelayMs: 100 }
health: { port: ${port}, exitDelayMs: 0 }
`,
  );
  return ['--config', path];
}

async function start(config: readonly string[]): Promise<RunningZerorate> {
  const engine = await RunningZerorate.start(zerorate, config, env);
  running.push(engine);
  return engine;
}

async function query<T>(config: readonly string[], sql: string): Promise<T[]> {
  const { code, stdout, stderr } = await zerorate.run(['query', sql, ...config, '--format', 'JSONEachRow'], { env });
  expect(code, stderr).toBe(0);
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
}

/** Of the journal: batches, and the records that they read. */
async function booked(name: string): Promise<{ batches: number; records: number }> {
  const client = createClient({ url: store.url, database: databaseOf(name), log: QUIET });
  try {
    const query = 'SELECT toUInt32(count()) AS batches, toUInt32(sum(records_read)) AS records FROM batches';
    const [counts] = await (await client.query({ query, format: 'JSONEachRow' })).json<{
      batches: number;
      records: number;
    }>();
    return counts;
  } catch {
    return { batches: 0, records: 0 };
  } finally {
    await client.close();
  }
}

/** After a kill: an insert that was under way lands late. */
async function bookedAtLast(name: string): ReturnType<typeof booked> {
  for (let last = await booked(name); ; ) {
    await pause(1000);
    const next = await booked(name);
    if (next.batches === last.batches) return next;
    last = next;
  }
}

/** Not by log lines: the quota updates of a batch whose lane moves are published by its next engine. */
async function untilBooked(name: string, records: number): Promise<void> {
  const isBooked = async () => (await booked(name)).records >= records;
  expect(await becomesTrue(isBooked, PATIENCE_MS)).toBe(true);
}

const CHARGES = 'SELECT * EXCEPT booking_date FROM charges ORDER BY partition, offset';
const TOTALS =
  'SELECT sum(records_read) AS read, sum(records_charged) AS charged, sum(records_not_sponsored) AS unsponsored, ' +
  'sum(records_duplicate) AS duplicate, sum(records_rejected) AS rejected, sum(octets_charged) AS octets FROM batches';

test('two threads, killed in the middle and started again, book what one books, row by row, and all audits hold', async () => {
  const one = configure('one', { topic: 'flows', threads: 1 });
  const single = await start(one);
  await untilBooked('one', RECORDS);
  expect(await single.stop()).toBe(0);

  const two = configure('two', { topic: 'flows', threads: 2 });
  const killed = await start(two);
  await untilBooked('two', RECORDS / 8);
  killed.signal('SIGKILL');
  await killed.ended;
  const before = await bookedAtLast('two');
  expect(before.records).toBeLessThan(RECORDS);

  const again = await start(two);
  await untilBooked('two', RECORDS);
  const { groups } = await admin.describeGroups(['two']);
  expect(groups[0].members).toHaveLength(2);
  const threads = again.lines.filter(({ msg }) => msg === 'partition assigned').map(({ thread }) => thread);
  expect(new Set(threads)).toEqual(new Set([1, 2]));

  const isPublished = async () => metricOf(await scrape(port), 'zerorate_unpublished_batches') === 0;
  expect(await becomesTrue(isPublished, PATIENCE_MS)).toBe(true);
  const seen = await scrape(port);
  const after = await booked('two');
  expect(metricOf(seen, 'zerorate_batches_total', { outcome: 'booked' })).toBe(after.batches - before.batches);
  const lanes = (name: string) => seen.samples.filter((sample) => sample.name === name).length;
  expect([lanes('zerorate_open_counters'), lanes('zerorate_consumer_lag_records')]).toEqual([PARTITIONS, PARTITIONS]);
  expect((await fetch(`http://127.0.0.1:${port}/health/ready`)).status).toBe(200);

  expect(await again.stop()).toBe(0);
  expect(again.output).toMatch(
    new RegExp(`^${String(RECORDS - before.records).replace(/(\d{3})$/, ' $1')} records read in `),
  );
  expect(await query(two, TOTALS)).toEqual(await query(one, TOTALS));
  const charges = await query(one, CHARGES);
  expect(charges.length).toBeGreaterThan(RECORDS / 4);
  expect(await query(two, CHARGES)).toEqual(charges);
  for (const command of [
    ['audit', ...two, '--against-source'],
    ['replay', '--verify', ...two],
  ]) {
    const { code, stdout, stderr } = await zerorate.run(command, { env });
    expect(code, stdout + stderr).toBe(0);
  }
});

test('another catalogue reaches the lanes of all threads at SIGHUP', async () => {
  await createTopic('reloaded');
  const catalogue = zerorate.path('reloaded-catalogue.yaml');
  const text = readFileSync(DEMO_CATALOGUE, 'utf8');
  writeFileSync(catalogue, text);
  const config = configure('reloaded', { topic: 'reloaded', threads: 3, catalogue });
  await produceDemoRecords(kafka, 'reloaded', 2, 1000);
  const engine = await start(config);
  await untilBooked('reloaded', 1000);
  writeFileSync(catalogue, text.replace('"0.0020"', '"0.0030"'));
  engine.signal('SIGHUP');
  const taken = await engine.line(({ msg }) => /rated with another catalogue/.test(msg));
  await produceDemoRecords(kafka, 'reloaded', 3, 1000);
  await untilBooked('reloaded', 2000);
  expect(await engine.stop()).toBe(0);
  const lanes = await query<{ hashes: string[] }>(
    config,
    'SELECT partition, groupUniqArray(catalogue_hash) AS hashes FROM batches GROUP BY partition',
  );
  expect(lanes).toHaveLength(PARTITIONS);
  for (const { hashes } of lanes) expect(new Set(hashes)).toEqual(new Set([taken.before, taken.catalogue]));
  const audit = await zerorate.run(['audit', ...config, '--against-source'], { env });
  expect(audit.code, audit.stdout + audit.stderr).toBe(0);
});

test('an error that halts one thread ends all of them, and the program with its code', async () => {
  await createTopic('unreadable');
  const config = configure('unreadable', { topic: 'unreadable', threads: 2, kafka: ', maxBatchBytes: 65536' });
  await produceDemoRecords(kafka, 'unreadable', 4, 1000);
  const producer = kafka.producer({ allowAutoTopicCreation: false });
  await producer.connect();
  const compression = kafkajs.CompressionTypes.GZIP;
  await producer.send({
    topic: 'unreadable',
    compression,
    messages: [{ partition: 5, value: Buffer.alloc(100_000) }],
  });
  await producer.disconnect();
  const engine = await start(config);
  expect(await engine.ended).toBe(1);
  expect(engine.lines.at(-1)?.msg).toMatch(/^unreadable-5: the record batch at offset .* \[batch_too_large\]$/);
});

test('a signal while the threads start ends the program with code 0', async () => {
  const config = configure('early', { topic: 'flows', threads: 2 });
  const engine = await start(config);
  await engine.line(({ msg }) => msg === 'applied schema migrations');
  expect(await engine.stop()).toBe(0);
  expect(engine.output).toMatch(/^[\d ]+ records? read in /);
});

test('a thread without memory is named, with what to do', async () => {
  const module = pathToFileURL(await builtModule('engine/running/engine-thread.js')).href;
  const hungry = 'const kept = []; for (;;) kept.push(new Array(1000).fill({}));';
  const program = `
    import { EngineThread } from ${JSON.stringify(module)};
    const program = new URL(${JSON.stringify(`data:text/javascript,${encodeURIComponent(hungry)}`)});
    const engine = new EngineThread({ number: 1, data: {}, onReport() {}, program });
    engine.run().catch(({ code, message }) => console.log(code, message));`;
  const args = ['--max-old-space-size=64', '--input-type=module', '--eval', program];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  expect(stdout).toMatch(/^engine_thread_out_of_memory engine thread 1 has no memory left\. Run fewer threads/);
});

/** The engine of a configuration in this process, with threads that fail. */
async function runFailing(config: readonly string[], lines: string[] = []): Promise<unknown> {
  process.env.ZERORATE_PSEUDONYM_KEY = KEY;
  const loaded = readConfig({ config: config[1] });
  const opened = await openStore(loaded.store, { create: true });
  const logger = loggerOn('warn', { write: (line) => lines.push(line) });
  const progress = new Progress(process.stderr, () => {});
  const threadProgram = await builtModule('test/threads/failing-thread-main.js');
  try {
    const catalogue = readCatalogue(loaded.catalogue);
    return await runEngine({ config: loaded, catalogue, store: opened, logger, progress, threadProgram });
  } finally {
    await opened.close();
  }
}

test('a bug in one thread ends the run with its error, after the other threads have left the group', async () => {
  const config = configure('buggy', { topic: 'flows', threads: 2 });
  await expect(runFailing(config)).rejects.toMatchObject({ message: 'a bug in a thread' });
  const isEmpty = async () => (await admin.describeGroups(['buggy'])).groups[0].members.length === 0;
  expect(await becomesTrue(isEmpty, 2000)).toBe(true);
  // The other lanes were booked until then.
  const audit = await zerorate.run(['audit', ...config], { env });
  expect(audit.code, audit.stdout + audit.stderr).toBe(0);
});

test('a thread that hangs after its failure is ended after 15 seconds, and the run ends with the failure', async () => {
  process.env.THREAD_FAILS = 'hanging';
  const lines: string[] = [];
  try {
    const running = runFailing(configure('hanging', { topic: 'flows', threads: 2 }), lines);
    await expect(running).rejects.toMatchObject({ message: 'a bug in a thread' });
    expect(lines.join('')).toMatch(
      /engine thread [12] failed, did not close its connections within 15 s and was ended/,
    );
  } finally {
    delete process.env.THREAD_FAILS;
  }
});

test('an exception that nothing catches ends the run with an error that names the thread', async () => {
  process.env.THREAD_FAILS = 'uncaught';
  const config = configure('uncaught', { topic: 'flows', threads: 2 });
  try {
    await expect(runFailing(config)).rejects.toMatchObject({
      code: 'engine_thread_died',
      message: expect.stringMatching(/^engine thread [12] failed: a bug in a thread/),
    });
  } finally {
    delete process.env.THREAD_FAILS;
  }
});
