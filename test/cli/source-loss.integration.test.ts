import { writeFile } from 'node:fs/promises';
import kafkajs, { type Admin, type Kafka, logLevel } from 'kafkajs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { DEMO_CATALOGUE, produceDemoRecords } from '../../src/generator/demo-traffic.fixture.ts';
import { type KafkaServer, startKafka } from '../servers/kafka-server.ts';
import { runUntilBooked } from './run-until-booked.fixture.ts';
import { Zerorate } from './zerorate.fixture.ts';

const TOPIC = 'lossy';
const CONFIG = 'lossy.yaml';

let server: KafkaServer;
let kafka: Kafka;
let admin: Admin;
let zerorate: Zerorate;

beforeAll(async () => {
  [server, zerorate] = await Promise.all([startKafka(), Zerorate.build()]);
  kafka = new kafkajs.Kafka({ brokers: server.brokers, logLevel: logLevel.NOTHING });
  admin = kafka.admin();
  await admin.connect();
  await createTopic();
  await writeFile(
    zerorate.path(CONFIG),
    `catalogue: ${DEMO_CATALOGUE}
source:
  kafka: { brokers: ["${server.brokers.join('", "')}"], topic: ${TOPIC}, groupId: ${TOPIC}, fetchWaitTimeoutMs: 100, sessionTimeoutMs: 6000, heartbeatIntervalMs: 1000 }
store: { dir: lossy }
quotaUpdates: { topic: lossy-quota }
batch: { maxRecords: 100, maxDelayMs: 100 }
`,
  );
});
afterAll(async () => {
  await admin?.disconnect();
  await server?.stop();
  await zerorate?.remove();
});

async function createTopic(): Promise<void> {
  await admin.createTopics({ topics: [{ topic: TOPIC, numPartitions: 1, replicationFactor: 1 }] });
}

const produce = (seed: number, records: number) => produceDemoRecords(kafka, TOPIC, seed, records);

const runUntil = (records: number, ...options: string[]) => runUntilBooked(zerorate, [CONFIG, ...options], records);
const gaps = () =>
  zerorate.rows<Record<string, unknown>>(
    'SELECT lane, lane_sequence AS batch, topic, reason, first_lost_offset AS first, last_lost_offset AS last ' +
      'FROM source_gaps ORDER BY batch',
    TOPIC,
  );

async function expectToHold(): Promise<void> {
  const audit = await zerorate.run(['audit', '--config', CONFIG, '--against-source']);
  expect(audit.stdout).not.toContain('BROKEN');
  expect(audit.code, audit.stderr).toBe(0);
}

test('what was booked from a topic is audited against it, and replayed', async () => {
  await produce(1, 300);
  expect(await runUntil(300)).toBe(300);
  await expectToHold();
  const replay = await zerorate.run(['replay', '--verify', '--config', CONFIG, '--lane', 'lossy-0', '--from', '2']);
  expect(replay.code, replay.stdout + replay.stderr).toBe(0);
});

test('records that retention took before they were booked halt the engine, and are booked as lost when that is accepted', async () => {
  await produce(2, 200);
  // kafkajs looks for the leader before it asks for the topic.
  await admin.fetchTopicOffsets(TOPIC);
  await admin.deleteTopicRecords({ topic: TOPIC, partitions: [{ partition: 0, offset: '350' }] });
  const { code, stderr } = await zerorate.run(['run', '--config', CONFIG]);
  expect(code).toBe(1);
  expect(stderr).toMatch(/lossy-0: records 300 to 349 were deleted.*--accept-gap.*\[records_lost\]/);
  expect(await gaps()).toEqual([]);

  expect(await runUntil(150, '--accept-gap')).toBe(150);
  const gap = { lane: 'lossy-0', batch: 4, topic: 'lossy', reason: 'records_lost', first: 300, last: 349 };
  expect(await gaps()).toEqual([gap]);
  await expectToHold();
});

test('a topic that was recreated halts the engine, and is booked under another name when that is accepted', async () => {
  await admin.deleteTopics({ topics: [TOPIC] });
  await createTopic();
  await produce(3, 120);
  const { code, stderr } = await zerorate.run(['run', '--config', CONFIG]);
  expect(code).toBe(1);
  expect(stderr).toMatch(/lossy-0: the log ends below offset 499.*--accept-gap.*\[topic_recreated\]/);

  expect(await runUntil(120, '--accept-gap')).toBe(120);
  expect((await gaps()).map(({ topic, reason }) => [topic, reason])).toEqual([
    ['lossy', 'records_lost'],
    ['lossy~2', 'topic_recreated'],
  ]);
  await produce(4, 80);
  expect(await runUntil(80)).toBe(80);
  await expectToHold();
});

test('a topic that was created again and has grown past the cursor halts the engine: it holds another record there', async () => {
  await admin.deleteTopics({ topics: [TOPIC] });
  await createTopic();
  // 200 are booked of the one before.
  await produce(5, 350);
  const { code, stderr } = await zerorate.run(['run', '--config', CONFIG]);
  expect(code).toBe(1);
  expect(stderr).toMatch(/lossy-0: offset 199 holds another record.*--accept-gap.*\[topic_recreated\]/);
  expect(await gaps()).toHaveLength(2);

  expect(await runUntil(350, '--accept-gap')).toBe(350);
  expect((await gaps()).at(-1)).toMatchObject({ topic: 'lossy~3', reason: 'topic_recreated', last: -1 });
  await produce(6, 50);
  expect(await runUntil(50)).toBe(50);
  await expectToHold();
});
