import { randomUUID } from 'node:crypto';
import { type IHeaders, Kafka, logLevel } from 'kafkajs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type KafkaServer, startKafka } from './kafka-server.ts';

let server: KafkaServer;
let kafka: Kafka;

beforeAll(async () => {
  // A killed broker's session must end before its successor is admitted: a short session shortens the test.
  server = await startKafka({
    properties: { 'broker.session.timeout.ms': '2000', 'broker.heartbeat.interval.ms': '500' },
  });
  kafka = new Kafka({ clientId: 'kafka-server-test', brokers: server.brokers, logLevel: logLevel.NOTHING });
});
afterAll(() => server?.stop());

async function createTopic(numPartitions: number): Promise<string> {
  const topic = `test-${randomUUID()}`;
  const admin = kafka.admin();
  await admin.connect();
  await admin.createTopics({ topics: [{ topic, numPartitions }], waitForLeaders: true });
  await admin.disconnect();
  return topic;
}

/** Returns values in the order of arrival, from the start of the topic until `count` of them came. */
async function consume(topic: string, count: number): Promise<string[]> {
  const consumer = kafka.consumer({ groupId: `group-${randomUUID()}`, readUncommitted: false });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  const values: string[] = [];
  await new Promise<void>((resolve, reject) => {
    const eachMessage = async ({ message }: { message: { value: Buffer | null; headers?: IHeaders } }) => {
      values.push(String(message.value));
      if (values.length === count) resolve();
    };
    consumer.run({ eachMessage }).catch(reject);
  });
  await consumer.disconnect();
  return values;
}

test('produced records are consumed', async () => {
  const topic = await createTopic(2);
  const producer = kafka.producer();
  await producer.connect();
  await producer.send({ topic, messages: [{ key: 'a', value: '1' }, { key: 'b', value: '2' }, { value: '3' }] });
  await producer.disconnect();
  expect((await consume(topic, 3)).sort()).toEqual(['1', '2', '3']);
});

test('a committed transaction is read, an aborted one is not', async () => {
  const topic = await createTopic(1);
  const producer = kafka.producer({ transactionalId: randomUUID(), idempotent: true, maxInFlightRequests: 1 });
  await producer.connect();
  for (const [value, outcome] of [
    ['aborted', 'abort'],
    ['committed', 'commit'],
  ] as const) {
    const transaction = await producer.transaction();
    await transaction.send({ topic, messages: [{ value }] });
    await transaction[outcome]();
  }
  await producer.disconnect();
  expect(await consume(topic, 1)).toEqual(['committed']);
});

test('a killed broker comes back with its log', async ({ skip }) => {
  // Only a broker of this test may be killed: the other origins have no such handle.
  if (server.kill === undefined || server.restart === undefined) return skip(`no kill with origin ${server.origin}`);
  const topic = await createTopic(1);
  const producer = kafka.producer();
  await producer.connect();
  await producer.send({ topic, messages: [{ value: 'kept' }] });
  await producer.disconnect();
  await server.kill();
  await server.restart();
  expect(await consume(topic, 1)).toEqual(['kept']);
});
