import { cpSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import kafkajs, { type Kafka, logLevel } from 'kafkajs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { DEMO_CATALOGUE, produceDemoRecords } from '../../src/generator/demo-traffic.fixture.ts';
import { type KafkaServer, startKafka } from '../servers/kafka-server.ts';
import { runUntilBooked } from './run-until-booked.fixture.ts';
import { Zerorate } from './zerorate.fixture.ts';

const TOPIC = 'restored';
const CONFIG = 'restored.yaml';

let server: KafkaServer;
let kafka: Kafka;
let zerorate: Zerorate;
beforeAll(async () => {
  [server, zerorate] = await Promise.all([startKafka(), Zerorate.build()]);
  kafka = new kafkajs.Kafka({ brokers: server.brokers, logLevel: logLevel.NOTHING });
  const admin = kafka.admin();
  await admin.connect();
  await admin.createTopics({ topics: [{ topic: TOPIC, numPartitions: 2, replicationFactor: 1 }] });
  await admin.disconnect();
  writeFileSync(
    zerorate.path(CONFIG),
    `catalogue: ${DEMO_CATALOGUE}
source:
  kafka: { brokers: ["${server.brokers.join('", "')}"], topic: ${TOPIC}, groupId: ${TOPIC}, fetchWaitTimeoutMs: 100, sessionTimeoutMs: 6000, heartbeatIntervalMs: 1000 }
store: { dir: restored }
quotaUpdates: { topic: restored-quota }
batch: { maxRecords: 100, maxDelayMs: 100 }
`,
  );
});
afterAll(async () => {
  await server?.stop();
  await zerorate?.remove();
});

const produce = (seed: number, records: number) => produceDemoRecords(kafka, TOPIC, seed, records);

const totals = () =>
  zerorate.rows(
    'SELECT sponsor_id, count() AS records, sum(charge_micros) AS micros FROM charges GROUP BY ALL ORDER BY ALL',
    'restored',
  );

test('a restored copy of the journal is noticed at start, and continues to the same totals when that is accepted', async () => {
  await produce(1, 300);
  expect(await runUntilBooked(zerorate, [CONFIG], 300)).toBe(300);
  cpSync(zerorate.path('restored'), zerorate.path('copy'), { recursive: true });
  await produce(2, 300);
  expect(await runUntilBooked(zerorate, [CONFIG], 300)).toBe(300);
  const undisturbed = await totals();

  rmSync(zerorate.path('restored'), { recursive: true });
  renameSync(zerorate.path('copy'), zerorate.path('restored'));
  const { code, stderr } = await zerorate.run(['run', '--config', CONFIG]);
  expect(code).toBe(1);
  expect(stderr).toMatch(/the journal is older than its quota updates: .*--accept-restored.*\[journal_restored\]/);

  expect(await runUntilBooked(zerorate, [CONFIG, '--accept-restored'], 300)).toBe(300);
  expect(await totals()).toEqual(undisturbed);
  const audit = await zerorate.run(['audit', '--config', CONFIG, '--against-source']);
  expect([audit.code, audit.stdout]).toEqual([0, expect.not.stringContaining('BROKEN')]);
  // It is up to date now.
  await produce(3, 50);
  expect(await runUntilBooked(zerorate, [CONFIG], 50)).toBe(50);
});

test('with files it is noticed by the file of quota updates', async () => {
  const config = `catalogue: ${DEMO_CATALOGUE}\nsource: { files: [flows.ndjson] }\nstore: { dir: files }\nquotaUpdates: { file: updates.ndjson }\n`;
  writeFileSync(zerorate.path('files.yaml'), config);
  const generate = (records: number) =>
    zerorate.run(['generate', '--out', 'flows.ndjson', '--records', String(records), '--seed', '4']);
  const run = (...options: string[]) => zerorate.run(['run', '--config', 'files.yaml', ...options]);
  await generate(100);
  expect(await run()).toMatchObject({ code: 0 });
  cpSync(zerorate.path('files'), zerorate.path('files-copy'), { recursive: true });
  await zerorate.run(['generate', '--out', 'later.ndjson', '--records', '100', '--seed', '5']);
  expect(await run('--source', 'later.ndjson')).toMatchObject({ code: 0 });
  rmSync(zerorate.path('files'), { recursive: true });
  renameSync(zerorate.path('files-copy'), zerorate.path('files'));
  expect(await run()).toMatchObject({ code: 1, stderr: expect.stringContaining('[journal_restored]') });
  expect(await run('--source', 'later.ndjson', '--accept-restored')).toMatchObject({ code: 0 });
  expect(await run()).toMatchObject({ code: 0 });
});
