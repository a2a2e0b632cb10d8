import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { builtModule } from '../../test/servers/built.ts';
import { type KafkaServer, startKafka } from '../../test/servers/kafka-server.ts';
import { freePort } from '../development/servers/free-port.ts';
import type { KafkaLogger } from '../platform/kafka/kafka.ts';
import { testKafka } from '../sources/kafka/kafka-source.fixture.ts';
import { threadedQuotaPublisher } from './quota-publisher.ts';
import { QUOTA_UPDATE_SCHEMA, quotaUpdate, quotaUpdates } from './quota-update.fixture.ts';
import { readQuotaState } from './read-quota-state.ts';

const LANE = 'flows-3';
const lines: string[] = [];
const line = (_fields: object, message: string) => void lines.push(message);
const logger: KafkaLogger = { debug: line, info: line, warn: line, error: line };
let server: KafkaServer;
let program: string;

beforeAll(async () => {
  program = await builtModule('journal/quota-publisher-main.js');
  server = await startKafka();
});
afterAll(() => server?.stop());

function publisherOf(topic: string, brokers: readonly string[] = server.brokers) {
  const kafka = { brokers, clientId: 'test' };
  return threadedQuotaPublisher({ kafka, topic, schema: QUOTA_UPDATE_SCHEMA, logger, program });
}

test('updates go out of the thread as they went in, and what it has to say comes back', async () => {
  const topic = `quota-${randomUUID()}`;
  const publisher = publisherOf(topic);
  await publisher.start();
  expect(lines).toContain('created the topic of quota updates');
  await publisher.claim(LANE);
  const sent = Array.from({ length: 2000 }, (_, at) =>
    quotaUpdate({ subscriber: String(at).padStart(32, '0'), version: at, usedOctets: at * 2 ** 20 }),
  );
  await publisher.publish(LANE, quotaUpdates(sent.slice(0, 1500)));
  await publisher.publish(LANE, quotaUpdates([]));
  await publisher.publish(LANE, quotaUpdates(sent.slice(1500)));
  await publisher.stop();
  const { byVersion } = await readQuotaState({ kafka: testKafka(server.brokers), topic, schema: QUOTA_UPDATE_SCHEMA });
  expect([...byVersion.values()].sort((a, b) => a.version - b.version)).toEqual(sent);
});

test('who is fenced hears it with the code that the engine goes by', async () => {
  const topic = `quota-${randomUUID()}`;
  const [zombie, successor] = [publisherOf(topic), publisherOf(topic)];
  await Promise.all([zombie.start(), successor.start()]);
  await zombie.claim(LANE);
  await successor.claim(LANE);
  await expect(zombie.publish(LANE, quotaUpdates([quotaUpdate({ version: 1 })]))).rejects.toMatchObject({
    name: 'QuotaPublisherError',
    code: 'claim_lost',
    canRetry: true,
  });
  await successor.publish(LANE, quotaUpdates([quotaUpdate({ version: 2 })]));
  await Promise.all([zombie.stop(), successor.stop()]);
});

test('one that was stopped begins nothing again: what comes late is refused, and no thread stays behind', async () => {
  const threads = () => process.getActiveResourcesInfo().filter((resource) => resource === 'MessagePort').length;
  const before = threads();
  const publisher = publisherOf(`quota-${randomUUID()}`);
  await publisher.start();
  await publisher.claim(LANE);
  await publisher.stop();
  const lost = expect.objectContaining({ code: 'claim_lost', canRetry: true });
  await expect(publisher.publish(LANE, quotaUpdates([quotaUpdate({ version: 1 })]))).rejects.toEqual(lost);
  await expect(publisher.claim(LANE)).rejects.toEqual(lost);
  await publisher.stop();
  expect(threads()).toBe(before);
});

test('brokers that cannot be reached are reported', async () => {
  const publisher = publisherOf('quota', [`127.0.0.1:${await freePort()}`]);
  await expect(publisher.start()).rejects.toMatchObject({ code: 'kafka_unavailable', canRetry: true });
  await publisher.stop();
});

test('a claim that is no longer needed ends before the brokers can be reached', async () => {
  const publisher = publisherOf('quota', [`127.0.0.1:${await freePort()}`]);
  const needed = new AbortController();
  const claim = publisher.claim(LANE, needed.signal);
  needed.abort();
  // Without that it would try again for five minutes.
  await expect(claim).rejects.toThrow('flows-3: the claim is no longer needed');
  await publisher.stop();
});
