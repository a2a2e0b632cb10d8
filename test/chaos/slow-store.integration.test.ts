import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import type { Kafka } from 'kafkajs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { auditJournal } from '../../src/assurance/audit/audit.ts';
import { type ClickHouseProcess, startClickHouseProcess } from '../../src/development/servers/clickhouse-process.ts';
import { freePort } from '../../src/development/servers/free-port.ts';
import { DEMO_CATALOGUE, produceDemoRecords } from '../../src/generator/demo-traffic.fixture.ts';
import { ClickHouseEvidence } from '../../src/journal/evidence/clickhouse-evidence.ts';
import { openServerStore } from '../../src/platform/clickhouse/server-store.ts';
import { createKafka } from '../../src/platform/kafka/kafka.ts';
import { type KafkaServer, startKafka } from '../servers/kafka-server.ts';
import { EngineProcess } from './engine-process.ts';
import { FaultProxy } from './fault-proxy.ts';
import { becomesTrue } from './wait.ts';

const LONG_MS = 120_000;

let folder: string;
let broker: KafkaServer;
let kafka: Kafka;
let clickhouse: ClickHouseProcess;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'zerorate-slow-'));
  [broker, clickhouse] = await Promise.all([startKafka(), startClickHouseProcess()]);
  kafka = createKafka({ brokers: broker.brokers, clientId: 'slow' });
});
afterAll(async () => {
  await clickhouse?.kill();
  await broker?.stop();
  await rm(folder, { recursive: true, force: true });
});

async function createTopic(topic: string): Promise<void> {
  const admin = kafka.admin();
  await admin.connect();
  await admin.createTopics({ topics: [{ topic, numPartitions: 4, replicationFactor: 1 }] });
  await admin.disconnect();
}

const produce = (topic: string, seed: number, records: number) => produceDemoRecords(kafka, topic, seed, records);

interface Started {
  engine: EngineProcess;
  /** Returns the number of booked records. */
  booked: () => number;
}

interface StartOptions {
  topic: string;
  storeUrl?: string;
  database: string;
  healthPort?: number;
  maxRecords: number;
}

async function startEngine(options: StartOptions): Promise<Started> {
  const { topic, storeUrl = clickhouse.url, database, healthPort, maxRecords } = options;
  const config = join(folder, `${database}.yaml`);
  await writeFile(
    config,
    `catalogue: ${DEMO_CATALOGUE}
source: { kafka: { brokers: ["${broker.brokers.join('", "')}"], topic: ${topic}, groupId: ${database}, fetchWaitTimeoutMs: 100 } }
store: { url: "${storeUrl}", database: ${database} }
quotaUpdates: { topic: quota-${database} }
batch: { maxRecords: ${maxRecords}, maxDelayMs: 100 }
${healthPort === undefined ? '' : `health: { port: ${healthPort} }`}
`,
  );
  let booked = 0;
  const engine = await EngineProcess.start({
    config,
    environment: { ZERORATE_PSEUDONYM_KEY: '5a'.repeat(32), ZERORATE_LOG_LEVEL: 'debug' },
    log: new PassThrough().resume(),
    onLine(line) {
      const counts = /"records":(\{[^}]*\}),"msg":"booked"/.exec(line)?.[1];
      if (counts === undefined) return;
      booked += Object.values<number>(JSON.parse(counts)).reduce((sum, count) => sum + count, 0);
    },
  });
  return { engine, booked: () => booked };
}

const readiness = async (port: number) => {
  const response = await fetch(`http://127.0.0.1:${port}/health/ready`).catch(() => null);
  const body = (await response?.json()) as { problems?: Record<string, string> } | undefined;
  return { status: response?.status ?? 0, problems: body?.problems ?? {} };
};

test('with a silent store the engine reports it, stops on request, and nothing is lost', async () => {
  const healthPort = await freePort();
  const options = { topic: 'hung', database: 'hung', healthPort, maxRecords: 200 };
  await createTopic('hung');
  await produce('hung', 1, 1000);
  const first = await startEngine(options);
  expect(await becomesTrue(() => first.booked() === 1000, LONG_MS)).toBe(true);
  expect(await readiness(healthPort)).toEqual({ status: 200, problems: {} });

  process.kill(clickhouse.pid, 'SIGSTOP');
  await produce('hung', 2, 1000);
  expect(await becomesTrue(async () => (await readiness(healthPort)).status === 503, LONG_MS)).toBe(true);
  expect((await readiness(healthPort)).problems).toHaveProperty('store');
  first.engine.signal('SIGTERM');
  // It ends by itself, although the store never answers: no kill is needed.
  expect(await first.engine.exited).toMatchObject({ signal: null });
  process.kill(clickhouse.pid, 'SIGCONT');

  const second = await startEngine(options);
  const store = await openServerStore(
    { url: clickhouse.url, database: 'hung', username: 'default', password: '' },
    { create: false },
  );
  const read = async () => Number((await store.query('SELECT sum(records_read) AS n FROM batches'))[0].n);
  expect(await becomesTrue(async () => (await read()) === 2000, LONG_MS)).toBe(true);
  await second.engine.stop(LONG_MS);
  const faults = [];
  for await (const fault of auditJournal(new ClickHouseEvidence(store))) faults.push(fault);
  await store.close();
  expect(faults).toEqual([]);
});

test('a slow store costs time, not memory: partitions are paused while their batches wait', async () => {
  const records = 200_000;
  await createTopic('slow');
  await produce('slow', 3, records);
  const proxy = new FaultProxy({ upstream: clickhouse.url });
  await proxy.start();
  const peakOctets: number[] = [];
  for (const database of ['slow_fast', 'slow_slow']) {
    if (database === 'slow_slow') proxy.arm({ kind: 'slow', delayMs: 1000 }, 'insert', 1000);
    const { engine, booked } = await startEngine({ topic: 'slow', database, storeUrl: proxy.url, maxRecords: 10_000 });
    expect(await becomesTrue(() => booked() === records, LONG_MS)).toBe(true);
    peakOctets.push(engine.peakRssOctets ?? Number.NaN);
    await engine.stop(LONG_MS);
  }
  await proxy.stop();
  const [fast, slow] = peakOctets;
  console.log(`peak memory: ${Math.round(fast / 2 ** 20)} MiB, with a slow store ${Math.round(slow / 2 ** 20)} MiB`);
  expect(slow / fast).toBeLessThan(1.5);
});
