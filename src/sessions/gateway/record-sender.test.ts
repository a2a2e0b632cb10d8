import { readFileSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Kafka } from 'kafkajs';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { packagePath } from '../../platform/package-paths.ts';
import type { FlowRecord } from '../../rating/flow-record.ts';
import { testRecord } from '../../rating/traffic.fixture.ts';
import { RecordSender } from './record-sender.ts';

/** A spool whose disk is slow: what is appended while it is read is read the next time. */
class SlowSpool {
  readonly waiting: FlowRecord[] = [];
  read: () => void = () => {};

  get size(): number {
    return this.waiting.length;
  }

  async oldest(): Promise<FlowRecord[]> {
    const found = [...this.waiting];
    await new Promise<void>((resolve) => {
      this.read = resolve;
    });
    return found;
  }

  async remove(records: readonly FlowRecord[]): Promise<void> {
    this.waiting.splice(0, records.length);
  }
}

test('at its stop what was appended while the spool was read is sent, too', async () => {
  const spool = new SlowSpool();
  const sent: unknown[] = [];
  const client = {
    connect: async () => {},
    disconnect: async () => {},
    fetchTopicMetadata: async () => ({ topics: [] }),
  };
  const producer = { ...client, send: async ({ messages }: { messages: unknown[] }) => sent.push(...messages) };
  const sender = new RecordSender({
    spool,
    kafka: { admin: () => client, producer: () => producer } as unknown as Kafka,
    brokers: ['broker:9092'],
    topic: 'flows',
    schema: JSON.parse(readFileSync(packagePath('schemas/flow-record.avsc'), 'utf8')),
    logger: pino({ level: 'silent' }),
  });
  sender.start();
  await nextTurn();
  spool.waiting.push(testRecord());
  const stopped = sender.stop(60_000);
  let isStopped = false;
  void stopped.finally(() => {
    isStopped = true;
  });
  while (!isStopped) {
    spool.read();
    await nextTurn();
  }
  expect(await stopped).toBe(0);
  expect(sent).toHaveLength(1);
});
