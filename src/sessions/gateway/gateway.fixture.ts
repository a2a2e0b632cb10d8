import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import avro from 'avsc';
import { type Kafka, Kafka as KafkaClient, logLevel } from 'kafkajs';
import { FLOW_RECORD_SCHEMA } from '../../generator/encode-avro.ts';
import { PeerSecret } from '../../platform/http/peer-secret.ts';
import { recordsOfBatch } from '../../platform/kafka/patches/patch-record-sets.ts';
import { createLogger } from '../../platform/telemetry/logger.ts';
import type { FlowRecord } from '../../rating/flow-record.ts';
import { socksDial } from '../terminal/terminal-dial.ts';
import { type Gateway, startGateway } from './gateway.ts';
import { type GatewayConfig, gatewaySchema } from './gateway-config.ts';
import type { BearerAnswer } from './gateway-control.ts';

export const OPERATOR_SECRET = 'secret-of-the-operator';
export const PROXY_SECRET = 'secret-of-the-proxy';
export const keys = generateKeyPairSync('ed25519');
const flowRecordType = avro.Type.forSchema(JSON.parse(FLOW_RECORD_SCHEMA));

/** A gateway of a test, with a spool that is deleted at the end. */
export class TestGateway {
  readonly config: GatewayConfig;
  #gateway: Gateway | null = null;

  constructor(kafka: { brokers: string[]; topic: string }, overrides: Partial<GatewayConfig> = {}) {
    this.config = {
      nodeId: `gateway-${randomUUID()}`,
      userPlane: { host: '127.0.0.1', port: 0 },
      control: gatewaySchema.shape.control.parse({ host: '127.0.0.1', port: 0 }),
      operatorSecret: OPERATOR_SECRET,
      terminalAddresses: '127.77.0.0/24',
      proxies: [{ proxyId: 'proxy-1', secret: PeerSecret.of(PROXY_SECRET), addresses: ['127.0.0.1'] }],
      identity: {
        issuer: 'operator',
        keyId: 'key-1',
        privateKeyPem: keys.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
        lifetimeMs: 60_000,
      },
      kafka,
      spool: mkdtempSync(join(tmpdir(), 'zerorate-spool-')),
      partialRecords: { intervalMs: 60_000, afterOctets: 2 ** 40 },
      log: { level: 'silent', format: 'json' },
      ...overrides,
    };
  }

  get running(): Gateway {
    if (this.#gateway === null) throw new Error('the gateway is not running');
    return this.#gateway;
  }

  async start(): Promise<void> {
    this.#gateway = await startGateway(this.config, createLogger(this.config.log));
  }

  async stop(): Promise<number> {
    const left = await this.running.stop();
    this.#gateway = null;
    return left;
  }

  async end(): Promise<void> {
    if (this.#gateway !== null) await this.stop();
    rmSync(this.config.spool, { recursive: true, force: true });
  }

  ask(path: string, init: { method?: string; secret?: string; body?: unknown } = {}): Promise<Response> {
    return askGateway(this.running.controlPort, path, init);
  }

  async attach(msisdn: string) {
    const response = await this.ask('/v1/bearers', { secret: OPERATOR_SECRET, body: { msisdn } });
    const bearer = (await response.json()) as BearerAnswer;
    return { bearer, dial: socksDial({ host: '127.0.0.1', port: this.running.userPlanePort }, bearer.bearerId) };
  }
}

export function askGateway(
  port: number,
  path: string,
  { method, secret, body }: { method?: string; secret?: string; body?: unknown } = {},
): Promise<Response> {
  return fetch(`http://127.0.0.1:${port}${path}`, {
    method: method ?? (body === undefined ? 'GET' : 'POST'),
    headers: {
      ...(secret !== undefined && { authorization: `Bearer ${secret}` }),
      ...(body !== undefined && { 'content-type': 'application/json' }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
}

export function testKafkaClient(brokers: string[]): Kafka {
  return new KafkaClient({ clientId: 'gateway-test', brokers, logLevel: logLevel.NOTHING });
}

export async function createTopic(kafka: Kafka): Promise<string> {
  const topic = `flows-${randomUUID()}`;
  const admin = kafka.admin();
  await admin.connect();
  await admin.createTopics({ topics: [{ topic, numPartitions: 2 }], waitForLeaders: true });
  await admin.disconnect();
  return topic;
}

export interface ReadRecord {
  key: string;
  partition: number;
  record: FlowRecord;
}

/** All records that the topic holds now. */
export async function readRecords(kafka: Kafka, topic: string): Promise<ReadRecord[]> {
  const admin = kafka.admin();
  await admin.connect();
  const offsets = await admin.fetchTopicOffsets(topic);
  await admin.disconnect();
  const expected = offsets.reduce((sum, { low, high }) => sum + Number(high) - Number(low), 0);
  const records: ReadRecord[] = [];
  if (expected === 0) return records;
  const consumer = kafka.consumer({ groupId: `group-${randomUUID()}` });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  await new Promise<void>((resolve, reject) => {
    const run = consumer.run({
      eachBatch: async ({ batch }) => {
        for (const { key, value } of recordsOfBatch(batch)) {
          const record = flowRecordType.fromBuffer(Buffer.from(value)) as FlowRecord;
          records.push({ key: Buffer.from(key ?? []).toString(), partition: batch.partition, record });
        }
        if (records.length >= expected) resolve();
      },
    });
    run.catch(reject);
  });
  await consumer.disconnect();
  return records;
}
