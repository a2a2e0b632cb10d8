import { randomUUID } from 'node:crypto';
import type { Admin, Kafka } from 'kafkajs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type KafkaServer, startKafka } from '../../test/servers/kafka-server.ts';
import { type QuotaUpdate, quotaUpdateCodec } from '../rating/quota-updates.ts';
import {
  BreakableNetwork,
  JournalListener,
  MemoryJournal,
  testKafka,
  testLogger,
  testSource,
  until,
} from '../sources/kafka/kafka-source.fixture.ts';
import type { QuotaPublisher } from './journal.ts';
import {
  claimProducer,
  isProducerFenced,
  type KafkaQuotaPublisherOptions,
  kafkaQuotaPublisher,
} from './quota-publisher-kafka.ts';
import { quotaKey } from './quota-records.ts';
import { QUOTA_UPDATE_SCHEMA, quotaUpdate, quotaUpdates } from './quota-update.fixture.ts';
import { readQuotaState } from './read-quota-state.ts';

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

const LANE = 'flows-3';

async function claimed(options: KafkaQuotaPublisherOptions, ...lanes: string[]): Promise<QuotaPublisher> {
  const publisher = kafkaQuotaPublisher(options);
  await publisher.start();
  for (const lane of [LANE, ...lanes]) await publisher.claim(lane);
  return publisher;
}

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
  const publisher = await claimed(options);
  // Beyond one request: an update has about 150 octets.
  await publisher.publish(LANE, quotaUpdates(updates(12_000)));
  await publisher.publish(LANE, quotaUpdates(updates(3000, 12_000)));
  await publisher.publish(LANE, quotaUpdates([]));
  await publisher.stop();
  const again = await claimed(options);
  await again.publish(LANE, quotaUpdates(updates(1, 15_000)));
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

test('who claims a lane fences the one before, and what that one had not finished never arrives', async () => {
  const topic = `quota-${randomUUID()}`;
  const options = { kafka, topic, schema: QUOTA_UPDATE_SCHEMA, partitions: 1, logger: testLogger };
  const zombie = await claimed(options, 'flows-4');
  await zombie.publish(LANE, quotaUpdates([quotaUpdate({ version: 1 })]));
  const successor = await claimed(options);
  await successor.publish(LANE, quotaUpdates([quotaUpdate({ version: 2 })]));

  await expect(zombie.publish(LANE, quotaUpdates([quotaUpdate({ version: 1 })]))).rejects.toMatchObject({
    code: 'claim_lost',
    canRetry: true,
  });
  // Until it claims the lane again it stays fenced; its other lanes are its own still.
  await expect(zombie.publish(LANE, quotaUpdates([quotaUpdate({ version: 1 })]))).rejects.toMatchObject({
    code: 'claim_lost',
  });
  await zombie.publish('flows-4', quotaUpdates([quotaUpdate({ subscriber: 'ff'.repeat(16), version: 9 })]));
  await Promise.all([zombie.stop(), successor.stop()]);

  const { byCompaction, byVersion } = await readQuotaState({ kafka, topic, schema: QUOTA_UPDATE_SCHEMA });
  expect([...byCompaction.values()].map(({ version }) => version)).toEqual([2, 9]);
  expect(byVersion).toEqual(byCompaction);
});

test.each(['snappy', 'lz4', 'zstd'])('a topic that the broker compresses with %s is read', async (value) => {
  const topic = `quota-${randomUUID()}`;
  const options = { kafka, topic, schema: QUOTA_UPDATE_SCHEMA, partitions: 1, logger: testLogger };
  const publisher = await claimed(options);
  const configEntries = [{ name: 'compression.type', value }];
  await admin.alterConfigs({ validateOnly: false, resources: [{ type: 2, name: topic, configEntries }] });
  await publisher.publish(LANE, quotaUpdates(updates(2000)));
  await publisher.stop();
  // A claim waits until the transactions before it are over; a commit does not.
  await (await claimed(options)).stop();
  const { byCompaction } = await readQuotaState({ kafka, topic, schema: QUOTA_UPDATE_SCHEMA });
  expect(byCompaction.size).toBe(new Set(updates(2000).map(quotaKey)).size);
});

test('what a publisher had begun when it died is not seen, and does not hold its readers up', async () => {
  const topic = `quota-${randomUUID()}`;
  const options = { kafka, topic, schema: QUOTA_UPDATE_SCHEMA, partitions: 1, logger: testLogger };
  const first = await claimed(options);
  await first.publish(LANE, quotaUpdates([quotaUpdate({ version: 1 })]));
  await first.stop();
  const dying = await claimProducer(kafka, `zerorate.${topic}.${LANE}`);
  const { encode } = quotaUpdateCodec(QUOTA_UPDATE_SCHEMA);
  const begun = await dying.transaction();
  const update = quotaUpdate({ version: 2 });
  await begun.send({ topic, messages: [{ key: quotaKey(update), value: encode(update), partition: 0 }] });
  const successor = await claimed(options);
  // Its last offsets are an aborted message and a marker.
  const { byCompaction } = await readQuotaState({ kafka, topic, schema: QUOTA_UPDATE_SCHEMA });
  expect([...byCompaction.values()].map(({ version }) => version)).toEqual([1]);
  await expect(begun.commit()).rejects.toSatisfy(isProducerFenced);
  await Promise.all([dying.disconnect(), successor.stop()]);
});

test('an outage is waited out, or given up when it lasts', async () => {
  const topic = `quota-${randomUUID()}`;
  const network = new BreakableNetwork();
  const cuttable = network.kafka(server.brokers);
  const options = { kafka: cuttable, topic, schema: QUOTA_UPDATE_SCHEMA, logger: testLogger };
  const publisher = await claimed(options);
  await publisher.publish(LANE, quotaUpdates(updates(10)));
  network.cut();
  // It may have been committed or not: only another claim, which reads the journal, can continue.
  await expect(publisher.publish(LANE, quotaUpdates(updates(10, 10)))).rejects.toMatchObject({
    code: 'claim_lost',
    canRetry: true,
  });
  const claim = publisher.claim(LANE);
  setTimeout(() => network.restore(), 3000);
  await claim;
  await publisher.publish(LANE, quotaUpdates(updates(10, 10)));
  await publisher.stop();
  expect((await readBack(topic, 20)).map(({ update }) => update.version).sort((a, b) => a - b)).toEqual(
    updates(20).map(({ version }) => version),
  );

  const hasty = kafkaQuotaPublisher({ ...options, giveUpAfterMs: 0 });
  await hasty.start();
  network.cut();
  await expect(hasty.claim(LANE)).rejects.toMatchObject({ code: 'kafka_unavailable', canRetry: true });
  await hasty.stop();
  await expect(kafkaQuotaPublisher(options).start()).rejects.toMatchObject({ code: 'kafka_unavailable' });
});
