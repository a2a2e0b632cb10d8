import { existsSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import kafkajs, { type Kafka, logLevel } from 'kafkajs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodeFlowRecordAvro } from '../../src/generator/encode-avro.ts';
import { produceRecords } from '../../src/generator/produce-records.ts';
import { packagePath } from '../../src/platform/package-paths.ts';
import { parseCatalogue } from '../../src/rating/catalogue/catalogue-compile.ts';
import { type KafkaServer, startKafka } from '../servers/kafka-server.ts';
import { runUntilBooked } from './run-until-booked.fixture.ts';
import { Zerorate } from './zerorate.fixture.ts';

const captures = packagePath('../shared/real');
const isThere = existsSync(captures);
if (!isThere) console.warn(`${captures} is not there: the totals of the real captures are not checked`);

let server: KafkaServer;
let kafka: Kafka;
let zerorate: Zerorate;

beforeAll(async () => {
  [server, zerorate] = await Promise.all([startKafka(), Zerorate.build()]);
  kafka = new kafkajs.Kafka({ brokers: server.brokers, logLevel: logLevel.NOTHING });
});
afterAll(async () => {
  await server?.stop();
  await zerorate?.remove();
});

const runUntil = (config: string, records: number, signal?: NodeJS.Signals) =>
  runUntilBooked(zerorate, [config], records, signal);

async function configure(topic: string, catalogue: string, maxRecords: number): Promise<string> {
  await kafka.admin().createTopics({ topics: [{ topic, numPartitions: 4, replicationFactor: 1 }] });
  const name = `${topic}.yaml`;
  await writeFile(
    zerorate.path(name),
    `catalogue: ${catalogue}
source:
  kafka: { brokers: [${server.brokers.map((broker) => `"${broker}"`).join(', ')}], topic: ${topic}, groupId: ${topic}, fetchWaitTimeoutMs: 100, sessionTimeoutMs: 6000, heartbeatIntervalMs: 1000 }
store: { dir: ${topic} }
quotaUpdates: { topic: ${topic}-quota }
batch: { maxRecords: ${maxRecords}, maxDelayMs: 100 }
`,
  );
  return name;
}

describe.runIf(isThere)('the real captures through Kafka, the engine stopped and started in the middle', () => {
  test('give the same totals as from the file', async () => {
    const config = await configure('captures', `${captures}/catalogue.yaml`, 20);
    const records = readFileSync(`${captures}/flows.ndjson`, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    const producer = kafka.producer({ allowAutoTopicCreation: false });
    await producer.connect();
    const messages = records.map((record) => ({ key: record.servedMsisdn, value: encodeFlowRecordAvro(record) }));
    const produce = (from: number, to: number) =>
      producer.send({ topic: 'captures', messages: messages.slice(from, to) });
    const booked = async () =>
      (await zerorate.rows<{ n: number }>('SELECT sum(records_read) AS n FROM batches', 'captures'))[0].n;

    await produce(0, 200);
    await runUntil(config, 200);
    expect(await booked()).toBe(200);
    await produce(200, 450);
    // Ended in the middle of its work, with batches booked and others not.
    await runUntil(config, 20, 'SIGKILL');
    const before = await booked();
    expect(before).toBeGreaterThan(200);
    await produce(450, records.length);
    await producer.disconnect();
    await runUntil(config, records.length - before);
    expect(await booked()).toBe(records.length);

    const expected = Object.entries(JSON.parse(readFileSync(`${captures}/expected.json`, 'utf8')))
      .map(([application, totals]) => ({ application, ...(totals as object) }))
      .sort((a, b) => (a.application < b.application ? -1 : 1));
    const totals =
      'SELECT application_id AS application, count() AS records, sum(sponsored_octets) AS sponsoredOctets, ' +
      'sum(subscriber_octets) AS subscriberOctets, sum(charge_micros) AS chargeMicros FROM charges GROUP BY application ORDER BY application';
    expect(await zerorate.rows(totals, 'captures')).toEqual(expected);
    const [{ torn, partitions }] = await zerorate.rows<Record<string, number>>(
      'SELECT (SELECT count() FROM torn_subscribers) AS torn, uniqExact(partition) AS partitions FROM batches',
      'captures',
    );
    expect({ torn, isSpread: partitions > 1 }).toEqual({ torn: 0, isSpread: true });
  });
});

test('generated records, malformed and duplicate ones among them, are all accounted for', async () => {
  const demo = packagePath('fixtures/demo/catalogue.yaml');
  const config = await configure('generated', demo, 5000);
  const { catalogue } = parseCatalogue(readFileSync(demo, 'utf8'), demo);
  const producer = kafka.producer({ allowAutoTopicCreation: false });
  await producer.connect();
  const made = await produceRecords({
    producer,
    topic: 'generated',
    options: {
      seed: 5,
      records: 20_000,
      subscribers: 500,
      targets: catalogue?.applications ?? [],
      startTimeMs: Date.UTC(2026, 9, 1),
      endTimeMs: Date.UTC(2026, 10, 1),
      malformed: 0.01,
      duplicate: 0.01,
    },
  });
  await producer.disconnect();
  await runUntil(config, 20_000);
  const [counts] = await zerorate.rows<Record<string, number>>(
    'SELECT sum(records_read) AS read, sum(records_duplicate) AS duplicate, sum(records_rejected) AS rejected, ' +
      'countIf(records_read != records_charged + records_not_sponsored + records_duplicate + records_rejected) AS wrong, ' +
      'sum(records_read) - sum(last_offset - prev) AS gaps FROM batches',
    'generated',
  );
  expect(counts).toEqual({ read: 20_000, duplicate: made.duplicates, rejected: made.malformed, wrong: 0, gaps: 0 });
});

test('a record batch that cannot be read ends the engine by name, after all records before it are booked', async () => {
  const config = await configure('unreadable', packagePath('fixtures/demo/catalogue.yaml'), 1000);
  const yaml = readFileSync(zerorate.path(config), 'utf8');
  await writeFile(
    zerorate.path(config),
    yaml.replace('fetchWaitTimeoutMs: 100', 'fetchWaitTimeoutMs: 100, maxBatchBytes: 65536'),
  );
  const record = JSON.parse(
    readFileSync(packagePath('fixtures/cases/ndjson/future.ndjson'), 'utf8').split('\n')[0] ?? '',
  );
  const value = encodeFlowRecordAvro({ sponsorIdentity: null, applicationServiceProviderIdentity: null, ...record });
  const producer = kafka.producer({ allowAutoTopicCreation: false });
  await producer.connect();
  const send = (values: Buffer[], compression = kafkajs.CompressionTypes.None) =>
    producer.send({ topic: 'unreadable', compression, messages: values.map((value) => ({ partition: 1, value })) });
  await send([value, value, value]);
  await send([Buffer.alloc(100_000)], kafkajs.CompressionTypes.GZIP);
  await send([value]);
  await producer.disconnect();
  for (const booked of [3, 3]) {
    const { code, stderr } = await zerorate.run(['run', '--config', config]);
    expect(stderr.trim().split('\n').at(-1)).toMatch(
      /^unreadable-1: the record batch at offset 3 has more than 65536 bytes .*maxBatchBytes.* \[batch_too_large\]$/,
    );
    expect(code).toBe(1);
    const [{ read }] = await zerorate.rows<{ read: number }>(
      'SELECT sum(records_read) AS read FROM batches',
      'unreadable',
    );
    expect(read).toBe(booked);
  }
});

test('a broker that was never reached is an end with a clear line, and so is a topic that is not there', async () => {
  const config = (brokers: string, topic: string) => `catalogue: ${packagePath('fixtures/demo/catalogue.yaml')}
source: { kafka: { brokers: ["${brokers}"], topic: ${topic} } }
store: { dir: nowhere }
`;
  await writeFile(zerorate.path('no-broker.yaml'), config('127.0.0.1:9', 'flows'));
  await writeFile(zerorate.path('no-topic.yaml'), config(server.brokers[0], 'no-such-topic'));
  const [noBroker, noTopic] = await Promise.all([
    zerorate.run(['run', '--config', 'no-broker.yaml']),
    // A store of its own: the other run holds the first.
    zerorate.run(['run', '--config', 'no-topic.yaml'], { env: { ZERORATE_STORE_DIR: 'elsewhere' } }),
  ]);
  expect(noBroker.stderr.trim().split('\n').at(-1)).toMatch(/127\.0\.0\.1:9.*\[kafka_unavailable\]/);
  expect(noBroker.code).toBe(1);
  expect(noTopic.stderr.trim().split('\n').at(-1)).toMatch(/no-such-topic.*\[topic_missing\]/);
  expect(noTopic.code).toBe(2);
});
