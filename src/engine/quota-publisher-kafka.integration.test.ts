import { randomUUID } from 'node:crypto';
import type { Admin, Kafka } from 'kafkajs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { QuotaUpdate } from '../billing/quota-update.ts';
import { type KafkaServer, startKafka } from '../testing/kafka-server.ts';
import {
  BreakableNetwork,
  JournalListener,
  MemoryJournal,
  testKafka,
  testLogger,
  testSource,
  until,
} from './kafka-source.fixture.ts';
import { kafkaQuotaPublisher } from './quota-publisher-kafka.ts';
import { QUOTA_UPDATE_SCHEMA, quotaUpdate } from './quota-update.fixture.ts';
import { quotaUpdateCodec } from './quota-update-codec.ts';

let server: KafkaServer;
let kafka: Kafka;
let admin: Admin;

beforeAll(async () => {
  server = await startKafka();
  kafka = testKafka(server.brokers);
  admin = kafka.admin();
  await admin.connect();
});
afterAll(async () => {
  await admin?.disconnect();
  await server?.stop();
});

interface Published {
  key: string;
  update: QuotaUpdate;
  partition: number;
}

async function readBack(topic: string, count: number, schemaId?: number): Promise<Published[]> {
  const journal = new MemoryJournal();
  const source = testSource({ kafka, topic });
  const running = source.run(new JournalListener(journal));
  await until(() => journal.size >= count, running);
  await source.stop();
  await running;
  const { decode } = quotaUpdateCodec(QUOTA_UPDATE_SCHEMA, schemaId);
  return [...journal.booked].flatMap(([partition, records]) =>
    records.map(({ key, value }) => ({ key: String(key), update: decode(value), partition })),
  );
}

function updates(count: number, first = 0): QuotaUpdate[] {
  return Array.from({ length: count }, (_, index) =>
    quotaUpdate({ subscriber: String((first + index) % 50).padStart(32, '0'), version: first + index }),
  );
}

test('creates a compacted topic, and sends every update once, in order for each key', async () => {
  const topic = `quota-${randomUUID()}`;
  const options = { kafka, topic, schema: QUOTA_UPDATE_SCHEMA, schemaId: 7, partitions: 3, logger: testLogger };
  const publisher = kafkaQuotaPublisher(options);
  await publisher.start();
  // Beyond one request: an update has about 150 octets.
  await Promise.all([
    publisher.publish(updates(12_000)),
    publisher.publish(updates(3000, 12_000)),
    publisher.publish([]),
  ]);
  await publisher.stop();
  const again = kafkaQuotaPublisher(options);
  await again.start();
  await again.publish(updates(1, 15_000));
  await again.stop();

  const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
  expect(topics[0]?.partitions.length).toBe(3);
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: [{ type: 2, name: topic, configNames: ['cleanup.policy'] }],
  });
  expect(resources[0]?.configEntries[0]?.configValue).toBe('compact');

  const published = await readBack(topic, 15_001, 7);
  const versions = new Map<string, number[]>();
  const partitions = new Map<string, Set<number>>();
  for (const { key, update, partition } of published) {
    expect(key).toBe(`${update.subscriber}|${update.planId}`);
    versions.set(key, [...(versions.get(key) ?? []), update.version]);
    partitions.set(key, (partitions.get(key) ?? new Set()).add(partition));
  }
  const expected = updates(15_001);
  for (const [key, found] of versions) {
    expect(found).toEqual(
      expected.filter(({ subscriber }) => key.startsWith(subscriber)).map(({ version }) => version),
    );
  }
  expect(versions.size).toBe(50);
  expect([...partitions.values()].every(({ size }) => size === 1)).toBe(true);
});

test('an outage is waited out, or given up when it lasts', async () => {
  const topic = `quota-${randomUUID()}`;
  const network = new BreakableNetwork();
  const cuttable = network.kafka(server.brokers);
  const options = { kafka: cuttable, topic, schema: QUOTA_UPDATE_SCHEMA, logger: testLogger };
  const publisher = kafkaQuotaPublisher(options);
  await publisher.start();
  await publisher.publish(updates(10));
  network.cut();
  const published = publisher.publish(updates(10, 10));
  setTimeout(() => network.mend(), 3000);
  await published;
  await publisher.stop();
  expect((await readBack(topic, 20)).map(({ update }) => update.version).sort((a, b) => a - b)).toEqual(
    updates(20).map(({ version }) => version),
  );

  const hasty = kafkaQuotaPublisher({ ...options, giveUpAfterMs: 0 });
  await hasty.start();
  network.cut();
  await expect(hasty.publish(updates(1))).rejects.toMatchObject({ code: 'kafka_unavailable', canRetry: true });
  await hasty.stop();
  await expect(kafkaQuotaPublisher(options).start()).rejects.toMatchObject({ code: 'kafka_unavailable' });
});
