import { readFileSync } from 'node:fs';
import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises';
import type { Kafka } from 'kafkajs';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { packagePath } from '../../platform/package-paths.ts';
import type { FlowRecord } from '../../rating/flow-record.ts';
import { testRecord } from '../../rating/traffic.fixture.ts';
import { RecordSender, type RecordSenderOptions } from './record-sender.ts';

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

/** A sender to a Kafka of which some calls are others. */
function senderTo(spool: RecordSenderOptions['spool'], calls: { admin?: object; producer?: object }) {
  const client = {
    connect: async () => {},
    disconnect: async () => {},
    fetchTopicMetadata: async () => ({ topics: [] }),
  };
  const admin = { ...client, ...calls.admin };
  const producer = { ...client, ...calls.producer };
  return new RecordSender({
    spool,
    kafka: { admin: () => admin, producer: () => producer } as unknown as Kafka,
    brokers: ['broker:9092'],
    topic: 'flows',
    schema: JSON.parse(readFileSync(packagePath('schemas/flow-record.avsc'), 'utf8')),
    logger: pino({ level: 'silent' }),
  });
}

test('at its stop what was appended while the spool was read is sent, too', async () => {
  const spool = new SlowSpool();
  const sent: unknown[] = [];
  const send = async ({ messages }: { messages: unknown[] }) => sent.push(...messages);
  const sender = senderTo(spool, { producer: { send } });
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

test.each(['admin connect', 'admin fetchTopicMetadata', 'producer connect', 'producer send', 'producer disconnect'])(
  'a stop ends after its grace where the brokers never answer: %s; what comes late changes nothing',
  async (hanging) => {
    const waiting = [testRecord()];
    const spool = {
      get size() {
        return waiting.length;
      },
      oldest: async () => [...waiting],
      remove: async (records: readonly FlowRecord[]) => void waiting.splice(0, records.length),
    };
    const [client, call] = hanging.split(' ') as ['admin' | 'producer', string];
    const calls: string[] = [];
    const named = (name: string) => async () => {
      calls.push(name);
      if (name === `${client} ${call}`) await answered;
    };
    let answer: () => void = () => {};
    const answered = new Promise<void>((resolve) => {
      answer = resolve;
    });
    const of = (name: string, methods: readonly string[]) =>
      Object.fromEntries(methods.map((method) => [method, named(`${name} ${method}`)]));
    const sender = senderTo(spool, {
      admin: of('admin', ['connect', 'fetchTopicMetadata']),
      producer: of('producer', ['connect', 'send', 'disconnect']),
    });
    sender.start();
    while (!calls.includes(hanging) && hanging !== 'producer disconnect') await nextTurn();
    const stopped = await Promise.race([sender.stop(20), pause(5000, 'still running')]);
    const left = hanging === 'producer disconnect' ? 0 : 1;
    expect(stopped).toBe(left);
    calls.length = 0;
    answer();
    await pause(20);
    expect(calls).not.toContain('producer send');
    expect(waiting).toHaveLength(left);
  },
);
