import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { CompressionTypes, type Kafka, type Transaction } from 'kafkajs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type KafkaServer, startKafka } from '../../../test/servers/kafka-server.ts';
import { StoreError } from '../../platform/clickhouse/store.ts';
import { createKafka } from '../../platform/kafka/kafka.ts';
import { SourceError } from '../source-error.ts';
import type { KafkaProgress } from './kafka-feed.ts';
import {
  BreakableNetwork,
  createTopic,
  JournalListener,
  MemoryJournal,
  produceNumbers,
  testKafka,
  testSource,
  until,
  withProducer,
} from './kafka-source.fixture.ts';

const PARTITIONS = [0, 1, 2, 3];
let server: KafkaServer;
let kafka: Kafka;

beforeAll(async () => {
  server = await startKafka();
  kafka = testKafka(server.brokers);
});
afterAll(() => server?.stop());

const numbers = (count: number) => Array.from({ length: count }, (_, index) => String(index));

const hasDelivered = ({ calls }: JournalListener) => calls.some((call) => call.startsWith('deliver'));

function expectComplete(journal: MemoryJournal, listeners: JournalListener[], count: number): void {
  expect(listeners.flatMap(({ faults }) => faults)).toEqual([]);
  for (const partition of PARTITIONS) expect(journal.texts(partition)).toEqual(numbers(count));
}

test('hands over every record of every partition in order, and acknowledges what is booked', async () => {
  const topic = await createTopic(kafka, 4);
  await produceNumbers(kafka, topic, 4, 0, 5000);
  const journal = new MemoryJournal();
  const listener = new JournalListener(journal);
  const progress: KafkaProgress[] = [];
  const groupId = `group-${topic}`;
  const source = testSource({ kafka, topic, groupId, onProgress: (at) => progress.push(at) });
  const running = source.run(listener);
  await until(() => journal.size === 20_000, running);
  await produceNumbers(kafka, topic, 4, 5000, 10);
  await until(() => journal.size === 20_040, running);
  for (const partition of PARTITIONS) source.acknowledge({ topic, partition, lane: '' }, 5009);
  await source.stop();
  await running;

  expectComplete(journal, [listener], 5010);
  expect(listener.bounds).toEqual(PARTITIONS.map(() => ({ startOffset: 0, endOffset: 5000 })));
  expect(listener.calls.slice(-8).sort()).toEqual([
    ...PARTITIONS.map((partition) => `flush ${partition}`),
    ...PARTITIONS.map((partition) => `revoke ${partition}`),
  ]);
  expect(progress.at(-1)).toMatchObject({ topic, offset: 5009, highWatermark: 5010 });
  const admin = kafka.admin();
  await admin.connect();
  const [committed] = await admin.fetchOffsets({ groupId, topics: [topic] });
  await admin.disconnect();
  expect(committed?.partitions.map(({ offset }) => offset)).toEqual(['5010', '5010', '5010', '5010']);
});

test('stopped in the middle, a new run continues from what was booked', async () => {
  const topic = await createTopic(kafka, 4);
  await produceNumbers(kafka, topic, 4, 0, 4000, 100);
  const journal = new MemoryJournal();
  const listeners: JournalListener[] = [];
  for (const enough of [3000, 9000, 16_000]) {
    const listener = new JournalListener(journal);
    listener.delayMs = 5;
    listeners.push(listener);
    const source = testSource({ kafka, topic, maxBytesPerPartition: 1 });
    const running = source.run(listener);
    await until(() => journal.size >= enough, running);
    await source.stop();
    await running;
  }
  expectComplete(journal, listeners, 4000);
});

test('members come and go: every partition continues from what is booked', async () => {
  const topic = await createTopic(kafka, 4);
  await produceNumbers(kafka, topic, 4, 0, 2000, 20);
  const journal = new MemoryJournal();
  const listeners: JournalListener[] = [];
  const start = () => {
    const listener = new JournalListener(journal);
    // So slow that there is something left for a later member.
    listener.delayMs = 300;
    listeners.push(listener);
    const source = testSource({ kafka: testKafka(server.brokers), topic, maxBytesPerPartition: 1 });
    return { source, listener, running: source.run(listener) };
  };
  const first = start();
  await until(() => journal.size > 0, first.running);
  const second = start();
  await until(() => hasDelivered(second.listener), first.running, second.running);
  const third = start();
  await until(() => hasDelivered(third.listener), first.running, second.running, third.running);
  for (const { listener } of [first, second, third]) listener.delayMs = 1;
  await second.source.stop();
  await second.running;
  await produceNumbers(kafka, topic, 4, 2000, 1000);
  await first.source.stop();
  await first.running;
  await until(() => journal.size === 12_000, third.running);
  await third.source.stop();
  await third.running;
  expectComplete(journal, listeners, 3000);
  expect(first.listener.calls.filter((call) => call.startsWith('assign')).length).toBeGreaterThan(4);
});

test('a listener slower than the session keeps its membership', async () => {
  const topic = await createTopic(kafka, 1);
  await produceNumbers(kafka, topic, 1, 0, 200, 100);
  const journal = new MemoryJournal();
  const listener = new JournalListener(journal);
  listener.delayMs = 7000;
  const source = testSource({ kafka, topic, sessionTimeoutMs: 6000, maxBytesPerPartition: 1024 });
  const running = source.run(listener);
  await until(() => journal.size === 200, running);
  // One that had lost it would be assigned again by now.
  await pause(1000);
  await source.stop();
  await running;
  expect(listener.faults).toEqual([]);
  expect(listener.calls.filter((call) => call.startsWith('assign'))).toEqual(['assign 0']);
  expect(journal.texts(0)).toEqual(numbers(200));
});

test.each(['assign', 'deliver'] as const)('what %s rejects with ends the run', async (method) => {
  const topic = await createTopic(kafka, 4);
  await produceNumbers(kafka, topic, 4, 0, 10);
  const listener = new JournalListener(new MemoryJournal());
  const failure = new Error('the store is full');
  let calls = 0;
  listener[method] = async () => {
    calls++;
    throw failure;
  };
  const source = testSource({ kafka, topic });
  await expect(source.run(listener)).rejects.toBe(failure);
  expect(calls).toBeLessThanOrEqual(4);
  await source.stop();
});

test('a fenced batch has its partition assigned again, but not for ever', async () => {
  const topic = await createTopic(kafka, 1);
  await produceNumbers(kafka, topic, 1, 0, 100);
  const journal = new MemoryJournal();
  const listener = new JournalListener(journal);
  const fenced = new StoreError('batch_fenced', 'another batch is there', { canRetry: true });
  let refusals = 1;
  listener.onDeliver = () => {
    if (refusals-- > 0) throw fenced;
  };
  const source = testSource({ kafka, topic });
  const running = source.run(listener);
  await until(() => journal.size === 100, running);
  expect(listener.calls).toEqual(['assign 0', 'deliver 0', 'revoke 0', 'assign 0', 'deliver 0']);
  refusals = 10;
  await produceNumbers(kafka, topic, 1, 100, 1);
  await expect(running).rejects.toBe(fenced);
  expect(listener.faults).toEqual([]);
});

test('transactions: markers and aborted records are passed over', async () => {
  const topic = await createTopic(kafka, 1);
  await withProducer(
    kafka,
    async (producer) => {
      for (let round = 0; round < 30; round++) {
        const transaction = await producer.transaction();
        const messages = [0, 1].map((index) => ({ partition: 0, value: `${round}-${index}` }));
        await transaction.send({ topic, messages });
        await (round % 3 === 1 ? transaction.abort() : transaction.commit());
      }
    },
    `tx-${randomUUID()}`,
  );
  const expected = Array.from({ length: 30 }, (_, round) => round)
    .filter((round) => round % 3 !== 1)
    .flatMap((round) => [`${round}-0`, `${round}-1`]);
  for (const maxBytesPerPartition of [1, 200, 2 ** 20]) {
    const journal = new MemoryJournal();
    const listener = new JournalListener(journal);
    const source = testSource({ kafka, topic, maxBytesPerPartition });
    const running = source.run(listener);
    await until(() => journal.size === expected.length, running);
    await pause(200);
    await source.stop();
    await running;
    expect(journal.texts(0)).toEqual(expected);
    expect(listener.faults).toEqual([]);
    expect(listener.calls.filter((call) => call.startsWith('assign'))).toEqual(['assign 0']);
  }
});

test.each([0, 1, 2, 3])(
  'of two aborted transactions, one inside of the other, nothing is handed over from %i on',
  async (from) => {
    const topic = await createTopic(kafka, 1);
    const ids = [randomUUID(), randomUUID()] as const;
    const send = (transaction: Transaction, value: string) =>
      transaction.send({ topic, messages: [{ partition: 0, value }] });
    await withProducer(
      kafka,
      (outer) =>
        withProducer(
          kafka,
          async (inner) => {
            const [first, second] = [await outer.transaction(), await inner.transaction()];
            await send(first, 'aborted 0');
            await send(second, 'aborted 1');
            await send(second, 'aborted 2');
            await send(first, 'aborted 3');
            await first.abort();
            await second.abort();
            const third = await outer.transaction();
            await send(third, 'committed');
            await third.commit();
          },
          ids[1],
        ),
      ids[0],
    );
    const journal = new MemoryJournal();
    const listener = new JournalListener(journal);
    listener.startOffset = from;
    const source = testSource({ kafka, topic });
    const running = source.run(listener);
    await until(() => journal.texts(0).includes('committed'), running);
    await source.stop();
    await running;
    expect(journal.texts(0)).toEqual(['committed']);
  },
);

test.each([
  ['before the log: retention was faster', 0, { startOffset: 50, endOffset: 100 }],
  ['behind the log: the topic was recreated', 500, { startOffset: 50, endOffset: 100 }],
])('an offset %s: kafkajs goes elsewhere, the listener is asked again', async (_, offset, bounds) => {
  const topic = await createTopic(kafka, 1);
  await produceNumbers(kafka, topic, 1, 0, 100);
  const admin = kafka.admin();
  await admin.connect();
  await admin.fetchTopicOffsets(topic);
  const listener = new JournalListener(new MemoryJournal());
  const lost = new SourceError('records_lost', 'lost', { path: topic });
  const assigned: unknown[] = [];
  listener.assign = async (_log, askBounds) => {
    assigned.push(await askBounds());
    if (assigned.length > 1) throw lost;
    await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '50' }] });
    return offset;
  };
  await expect(testSource({ kafka, topic }).run(listener)).rejects.toBe(lost);
  await admin.disconnect();
  expect(assigned).toEqual([{ startOffset: 0, endOffset: 100 }, bounds]);
  expect(listener.calls).not.toContain('deliver 0');
});

test('a topic that does not exist, and brokers that do not answer', async () => {
  const listener = new JournalListener(new MemoryJournal());
  const missing = testSource({ kafka, topic: 'no-such-topic' });
  await expect(missing.run(listener)).rejects.toMatchObject({
    name: 'SourceError',
    code: 'topic_missing',
    path: 'no-such-topic',
  });
  const network = new BreakableNetwork();
  network.cut();
  const deaf = testSource({ kafka: network.kafka(server.brokers), topic: 'flows' });
  await expect(deaf.run(listener)).rejects.toMatchObject({ code: 'kafka_unavailable', canRetry: true });
  expect(listener.calls).toEqual([]);
});

test('an outage is waited out', async () => {
  const topic = await createTopic(kafka, 4);
  await produceNumbers(kafka, topic, 4, 0, 1000);
  const journal = new MemoryJournal();
  const listener = new JournalListener(journal);
  const network = new BreakableNetwork();
  const source = testSource({ kafka: network.kafka(server.brokers), topic });
  const running = source.run(listener);
  await until(() => journal.size === 4000, running);
  network.cut();
  await produceNumbers(kafka, topic, 4, 1000, 100);
  await pause(3000);
  network.restore();
  await until(() => journal.size === 4400, running);
  await source.stop();
  await running;
  expectComplete(journal, [listener], 1100);
});

test('stop ends a source that is cut off from its brokers', async () => {
  const topic = await createTopic(kafka, 1);
  await produceNumbers(kafka, topic, 1, 0, 10);
  const journal = new MemoryJournal();
  const network = new BreakableNetwork();
  const source = testSource({ kafka: network.kafka(server.brokers), topic });
  const running = source.run(new JournalListener(journal));
  await until(() => journal.size === 10, running);
  network.cut();
  await pause(300);
  await source.stop();
  await running;
});

const COMPRESSIONS = ['uncompressed', 'snappy', 'lz4', 'zstd', 'gzip'];

test.each([
  ...COMPRESSIONS.map((name) => [name, [name]] as const),
  ['one after another', [...COMPRESSIONS, 'lz4', 'snappy']],
] as const)('the broker compresses the topic: %s; every record is booked once', async (_, compressions) => {
  const topic = await createTopic(kafka, 4);
  const admin = kafka.admin();
  await admin.connect();
  const journal = new MemoryJournal();
  const listener = new JournalListener(journal);
  const source = testSource({ kafka, topic, maxBytesPerPartition: 8192 });
  const running = source.run(listener);
  for (const [turn, value] of compressions.entries()) {
    const configEntries = [{ name: 'compression.type', value }];
    await admin.alterConfigs({ validateOnly: false, resources: [{ type: 2, name: topic, configEntries }] });
    await produceNumbers(kafka, topic, 4, turn * 1100, 1000);
    await produceNumbers(kafka, topic, 4, turn * 1100 + 1000, 100, 1);
  }
  await until(() => journal.size === compressions.length * 4400, running);
  await admin.disconnect();
  await source.stop();
  await running;
  expectComplete(journal, [listener], compressions.length * 1100);
});

test('a record batch that cannot be read halts the source after what comes before it is booked', async () => {
  const topic = await createTopic(kafka, 2);
  await produceNumbers(kafka, topic, 2, 0, 10);
  await withProducer(kafka, async (producer) => {
    const messages = [{ partition: 0, value: Buffer.alloc(100_000) }];
    await producer.send({ topic, compression: CompressionTypes.GZIP, messages });
  });
  await produceNumbers(kafka, topic, 2, 10, 10);
  const journal = new MemoryJournal();
  const listener = new JournalListener(journal);
  const strict = createKafka({ brokers: server.brokers, clientId: 'source-test', maxBatchBytes: 65_536 });
  const failure = await testSource({ kafka: strict, topic })
    .run(listener)
    .catch((error) => error);
  createKafka({ brokers: server.brokers, clientId: 'source-test', maxBatchBytes: 2 ** 27 });
  expect(failure).toMatchObject({ name: 'SourceError', code: 'batch_too_large', path: `${topic}-0`, canRetry: false });
  expect(failure.message).toMatch(
    new RegExp(`^${topic}-0: the record batch at offset 10 has more than 65536 bytes .* source.kafka.maxBatchBytes`),
  );
  expect(journal.texts(0)).toEqual(numbers(10));
  expect(listener.calls).toContain('flush 0');
  expect(listener.faults).toEqual([]);
});
