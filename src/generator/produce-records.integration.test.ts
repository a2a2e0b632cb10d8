import { randomUUID } from 'node:crypto';
import { Kafka, logLevel, Partitioners } from 'kafkajs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type KafkaServer, startKafka } from '../../test/servers/kafka-server.ts';
import { encodeGeneratedAvro } from './encode-avro.ts';
import type { GenerateOptions } from './generate-options.ts';
import { generateRecords } from './generate-records.ts';
import { malformationsOf } from './malformations.ts';
import { produceRecords } from './produce-records.ts';

const SCHEMA_ID = 3;
const PARTITIONS = 4;
const OPTIONS: GenerateOptions = {
  seed: 23,
  records: 12_000,
  subscribers: 500,
  targets: [{ tags: ['CHAT'], prefixes: ['198.51.100.0/24', '2001:db8::/32'] }],
  startTimeMs: Date.UTC(2026, 9, 1),
  endTimeMs: Date.UTC(2026, 10, 1),
  malformed: 0.02,
  duplicate: 0.02,
};
let server: KafkaServer;
let kafka: Kafka;

beforeAll(async () => {
  server = await startKafka();
  kafka = new Kafka({ clientId: 'generator-test', brokers: server.brokers, logLevel: logLevel.NOTHING });
});
afterAll(() => server?.stop());

async function createTopic(): Promise<string> {
  const topic = `flows-${randomUUID()}`;
  const admin = kafka.admin();
  await admin.connect();
  await admin.createTopics({ topics: [{ topic, numPartitions: PARTITIONS }], waitForLeaders: true });
  await admin.disconnect();
  return topic;
}

interface Consumed {
  partition: number;
  key: string;
  value: string;
}

async function consume(topic: string, count: number): Promise<Consumed[]> {
  const consumer = kafka.consumer({ groupId: `group-${randomUUID()}` });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  const consumed: Consumed[] = [];
  await new Promise<void>((resolve, reject) => {
    const run = consumer.run({
      eachMessage: async ({ partition, message }) => {
        consumed.push({ partition, key: String(message.key), value: (message.value as Buffer).toString('hex') });
        if (consumed.length === count) resolve();
      },
    });
    run.catch(reject);
  });
  await consumer.disconnect();
  return consumed;
}

test('a broker holds the generated records: each subscriber in one partition, in order', async () => {
  const topic = await createTopic();
  const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
  await producer.connect();
  const totals = await produceRecords({ producer, topic, schemaId: SCHEMA_ID, options: OPTIONS });
  await producer.disconnect();
  expect(totals.records).toBe(OPTIONS.records);

  const generatedByKey = new Map<string, string[]>();
  for (const generated of generateRecords({ ...OPTIONS, malformations: malformationsOf('confluent-message') })) {
    const key = generated.kind === 'malformed' ? generated.key : generated.record.servedMsisdn;
    const value = encodeGeneratedAvro(generated, SCHEMA_ID).toString('hex');
    generatedByKey.set(key, [...(generatedByKey.get(key) ?? []), value]);
  }
  const consumed = await consume(topic, OPTIONS.records);
  const consumedByKey = new Map<string, string[]>();
  const partitionsByKey = new Map<string, Set<number>>();
  for (const { partition, key, value } of consumed) {
    consumedByKey.set(key, [...(consumedByKey.get(key) ?? []), value]);
    partitionsByKey.set(key, (partitionsByKey.get(key) ?? new Set()).add(partition));
  }
  expect(consumedByKey).toEqual(generatedByKey);
  expect([...partitionsByKey.values()].every(({ size }) => size === 1)).toBe(true);
  expect(new Set(consumed.map(({ partition }) => partition)).size).toBe(PARTITIONS);
});
