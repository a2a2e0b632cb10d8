import { writeFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import kafkajs, { logLevel, type Producer } from 'kafkajs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { encodeGeneratedJson } from '../../src/generator/encode-text.ts';
import { generateRecords } from '../../src/generator/generate-records.ts';
import { packagePath } from '../../src/platform/package-paths.ts';
import { type ClickHouseServer, startClickHouse } from '../servers/clickhouse-server.ts';
import { type KafkaServer, startKafka } from '../servers/kafka-server.ts';
import { runUntilBooked } from './run-until-booked.fixture.ts';
import { Zerorate } from './zerorate.fixture.ts';

const TOPIC = 'mendable';
const CONFIG = 'mendable.yaml';
const env = { ZERORATE_PSEUDONYM_KEY: '5a'.repeat(32) };
/** Records with the tag of a plan with a quota, every tenth of them broken. */
const RECORDS = [
  ...generateRecords({
    seed: 3,
    records: 150,
    subscribers: 10,
    targets: [{ tags: ['LUMEN-LIVE'], prefixes: ['192.0.2.128/25'] }],
    startTimeMs: Date.UTC(2026, 10, 1),
    endTimeMs: Date.UTC(2026, 10, 2),
    unmatched: 0,
  }),
].map((generated) => ({ json: encodeGeneratedJson(generated), ...JSON.parse(encodeGeneratedJson(generated)) }));
const isBroken = (at: number) => at % 10 === 0 && at < 100;

let broker: KafkaServer;
let server: ClickHouseServer;
let zerorate: Zerorate;
let producer: Producer;

beforeAll(async () => {
  // Time for both threads to join before one of them gets the partition.
  const properties = { 'group.initial.rebalance.delay.ms': '3000' };
  [broker, server, zerorate] = await Promise.all([startKafka({ properties }), startClickHouse(), Zerorate.build()]);
  process.env.ZERORATE_PSEUDONYM_KEY = env.ZERORATE_PSEUDONYM_KEY;
  const kafka = new kafkajs.Kafka({ brokers: broker.brokers, logLevel: logLevel.NOTHING });
  const admin = kafka.admin();
  await admin.connect();
  await admin.createTopics({ topics: [{ topic: TOPIC, numPartitions: 1, replicationFactor: 1 }] });
  await admin.disconnect();
  producer = kafka.producer();
  await producer.connect();
  await writeFile(
    zerorate.path(CONFIG),
    `catalogue: ${packagePath('fixtures/demo/catalogue.yaml')}
source:
  kafka: { brokers: ["${broker.brokers.join('", "')}"], topic: ${TOPIC}, groupId: ${TOPIC}, valueFormat: json, fetchWaitTimeoutMs: 100, sessionTimeoutMs: 6000, heartbeatIntervalMs: 1000 }
store: { url: "${server.url}", database: zerorate_recycle_${process.pid} }
quotaUpdates: { topic: ${TOPIC}-quota }
engine: { threads: 2 }
batch: { maxRecords: 50, maxDelayMs: 100 }
`,
  );
});
afterAll(async () => {
  delete process.env.ZERORATE_PSEUDONYM_KEY;
  await producer?.disconnect();
  await Promise.all([broker?.stop(), server?.stop(), zerorate?.remove()]);
});

async function produce(from: number, to: number): Promise<void> {
  const messages = RECORDS.slice(from, to).map(({ json, servedMsisdn }, at) => ({
    key: servedMsisdn,
    value: isBroken(from + at) ? json.replace('"downlinkOctets":', '"downlinkOctets":-1') : json,
  }));
  await producer.send({ topic: TOPIC, messages });
}

async function ask(sql: string): Promise<string> {
  const { stdout } = await zerorate.run(['query', sql, '--config', CONFIG, '--format', 'TSV'], { env });
  return stdout.trim();
}

test('rejections are recycled beside the engine with threads that reads their topic: it is fenced, and continues', async () => {
  await produce(0, 100);
  const running = runUntilBooked(zerorate, [CONFIG], 150);
  while ((await ask('SELECT sum(records_read) FROM batches')) !== '100') await pause(500);
  const corrected = RECORDS.flatMap(({ json }, offset) =>
    isBroken(offset) ? [JSON.stringify({ topic: TOPIC, partition: 0, offset, record: JSON.parse(json) })] : [],
  );
  await writeFile(zerorate.path('corrected.ndjson'), corrected.join('\n'));
  const args = ['rejections', 'recycle', 'corrected.ndjson', '--why', 'test', '--config', CONFIG];
  const { code, stdout, stderr } = await zerorate.run(args, { env });
  expect(code, stderr).toBe(0);
  expect(stdout).toMatch(/^recycling 1 booked: 10 corrected records\n/);
  await produce(100, 150);
  expect(await running).toBe(150);

  expect(await ask('SELECT count() FROM suspense')).toBe('0');
  expect(await ask('SELECT topic, sum(records_read) FROM batches GROUP BY topic ORDER BY topic')).toBe(
    `${TOPIC}\t150\nrecycled/1/${TOPIC}\t10`,
  );
  // Counters, the window of duplicates and the quota updates hold across both.
  const audit = await zerorate.run(['audit', '--config', CONFIG, '--against-source'], { env });
  expect(audit.stdout).not.toContain('BROKEN');
  expect(audit.stdout).toMatch(/holds {3}quotas/);
  expect(audit.code, audit.stderr).toBe(0);
});
