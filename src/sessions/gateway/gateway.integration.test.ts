import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { createLocalJWKSet, exportJWK, jwtVerify } from 'jose';
import type { Kafka } from 'kafkajs';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type KafkaServer, startKafka } from '../../../test/servers/kafka-server.ts';
import { Random } from '../../generator/random.ts';
import { identityClaimsSchema } from '../protocol/identity-assertion.ts';
import type { Dialled } from '../terminal/terminal-dial.ts';
import {
  createTopic,
  keys,
  OPERATOR_SECRET,
  PROXY_SECRET,
  readRecords,
  TestGateway,
  testKafkaClient,
} from './gateway.fixture.ts';
import type { GatewayConfig } from './gateway-config.ts';
import type { GatewayStatus } from './gateway-metrics.ts';

const SEED = 20_261_125;
const MSISDN = '15550100001';
let server: KafkaServer;
let kafka: Kafka;
const endings: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  server = await startKafka({
    properties: { 'broker.session.timeout.ms': '2000', 'broker.heartbeat.interval.ms': '500' },
  });
  kafka = testKafkaClient(server.brokers);
});
afterAll(() => server?.stop());
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

async function startedGateway(overrides: Partial<GatewayConfig> = {}): Promise<TestGateway> {
  const gateway = new TestGateway({ brokers: server.brokers, topic: await createTopic(kafka) }, overrides);
  endings.push(() => gateway.end());
  await gateway.start();
  return gateway;
}

/** A destination; `serve` is called with each connection. */
async function destination(serve: (socket: Socket) => void): Promise<number> {
  const listening: Server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => {});
    serve(socket);
  });
  listening.listen(0, '127.0.0.1');
  await once(listening, 'listening');
  endings.push(async () => listening.close());
  return (listening.address() as AddressInfo).port;
}

/** All until the other side ends; this side stays open. */
async function received(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  await once(socket, 'end');
  return Buffer.concat(chunks);
}

/** A destination that hands over its first connection. */
async function handedOver(): Promise<{ port: number; accepted: Promise<Socket> }> {
  let accept: (socket: Socket) => void = () => {};
  const accepted = new Promise<Socket>((resolve) => {
    accept = resolve;
  });
  return { port: await destination((socket) => accept(socket)), accepted };
}

/** Says what came when the other side has ended its direction: half-close has to reach it. */
function countAndAnswer(answerOctets: number) {
  return async (socket: Socket) => {
    const { length } = await received(socket);
    socket.end(Buffer.alloc(answerOctets, length % 256));
  };
}

async function exchange({ socket }: Dialled, octets: Buffer): Promise<Buffer> {
  socket.end(octets);
  return received(socket);
}

function sumOf(records: readonly { record: { uplinkOctets: number; downlinkOctets: number } }[]) {
  return records.reduce(
    (sum, { record }) => ({
      uplinkOctets: sum.uplinkOctets + record.uplinkOctets,
      downlinkOctets: sum.downlinkOctets + record.downlinkOctets,
    }),
    { uplinkOctets: 0, downlinkOctets: 0 },
  );
}

async function recordsAtTheEnd(gateway: TestGateway) {
  expect(await gateway.stop()).toBe(0);
  return readRecords(kafka, gateway.config.kafka.topic);
}

test('the destination sees the bearer’s address, and a half-close reaches it', async () => {
  const gateway = await startedGateway();
  const { bearer, dial } = await gateway.attach(MSISDN);
  let remoteAddress: string | undefined;
  const port = await destination((socket) => {
    remoteAddress = socket.remoteAddress;
    void countAndAnswer(77)(socket);
  });
  const dialled = await dial({ host: '127.0.0.1', port });
  expect(await exchange(dialled, Buffer.alloc(100))).toEqual(Buffer.alloc(77, 100));
  expect(remoteAddress).toBe(bearer.terminalIp);
  expect(dialled.octets()).toEqual({ uplinkOctets: 100, downlinkOctets: 77 });

  const records = await recordsAtTheEnd(gateway);
  expect(records).toHaveLength(1);
  expect(records[0]).toMatchObject({
    key: MSISDN,
    record: {
      nodeId: gateway.config.nodeId,
      localSequenceNumber: 1,
      recordSequenceNumber: 1,
      chargingId: bearer.chargingId,
      servedMsisdn: MSISDN,
      terminalIp: bearer.terminalIp,
      remoteIp: '127.0.0.1',
      remotePort: port,
      protocol: 6,
      zeroRatingTag: null,
      contentType: null,
      uplinkOctets: 100,
      downlinkOctets: 77,
    },
  });
});

test('the identity assertion names number and address, and verifies with the operator’s key', async () => {
  const gateway = await startedGateway();
  const { bearer } = await gateway.attach(MSISDN);
  const jwks = createLocalJWKSet({ keys: [{ ...(await exportJWK(keys.publicKey)), kid: 'key-1', alg: 'EdDSA' }] });
  const { payload } = await jwtVerify(bearer.identityAssertion, jwks, { algorithms: ['EdDSA'] });
  expect(identityClaimsSchema.parse(payload)).toMatchObject({ sub: MSISDN, terminalIp: bearer.terminalIp });
});

test('only registered proxies mark flows, and only flows to themselves', async () => {
  const gateway = await startedGateway();
  const { bearer, dial } = await gateway.attach(MSISDN);
  const { port, accepted } = await handedOver();
  const { socket } = await dial({ host: '127.0.0.1', port });
  const { remotePort } = await accepted;
  const mark = {
    proxyIp: '127.0.0.1',
    proxyPort: port,
    terminalIp: bearer.terminalIp,
    terminalPort: remotePort,
    protocol: 6,
    zeroRatingTag: 'CHAT',
    contentType: 'image',
  };
  const statusOf = async (secret: string | undefined, changes: object) => {
    const response = await gateway.ask('/v1/flow-marks', {
      ...(secret !== undefined && { secret }),
      body: { marks: [{ ...mark, ...changes }] },
    });
    return response.status;
  };
  expect(await statusOf(undefined, {})).toBe(401);
  expect(await statusOf('guessed', {})).toBe(401);
  expect(await statusOf(OPERATOR_SECRET, {})).toBe(401);
  expect(await statusOf(PROXY_SECRET, { proxyIp: '127.0.0.9' })).toBe(403);
  expect(await statusOf(PROXY_SECRET, { contentType: 'smell' })).toBe(400);
  socket.write(Buffer.alloc(40));
  expect(await statusOf(PROXY_SECRET, {})).toBe(200);
  socket.write(Buffer.alloc(60));
  await once(await accepted, 'readable');
  while ((await accepted).readableLength < 100) await pause(5);
  expect(await statusOf(PROXY_SECRET, { zeroRatingTag: null })).toBe(200);
  socket.end(Buffer.alloc(25));
  (await accepted).end();
  await received(await accepted);

  const records = await recordsAtTheEnd(gateway);
  expect(records.map(({ record }) => [record.zeroRatingTag, record.contentType, record.uplinkOctets])).toEqual([
    ['CHAT', 'image', 100],
    [null, 'image', 25],
  ]);
});

test('bearers are the operator’s to make, outlive a restart, and break what they had open when they end', async () => {
  const gateway = await startedGateway();
  expect((await gateway.ask('/v1/bearers', { body: { msisdn: MSISDN } })).status).toBe(401);
  const invalid = await gateway.ask('/v1/bearers', { secret: OPERATOR_SECRET, body: { msisdn: 'unknown' } });
  expect(invalid.status).toBe(400);
  const { bearer } = await gateway.attach(MSISDN);
  const other = await gateway.attach('15550100002');
  expect(other.bearer.terminalIp).not.toBe(bearer.terminalIp);
  expect(other.bearer.chargingId).not.toBe(bearer.chargingId);
  await gateway.stop();
  await gateway.start();
  const again = await gateway.ask(`/v1/bearers/${bearer.bearerId}`, { secret: OPERATOR_SECRET });
  expect(await again.json()).toMatchObject({ bearerId: bearer.bearerId, terminalIp: bearer.terminalIp });
  const next = await gateway.attach('15550100003');
  expect([bearer, other.bearer].map(({ terminalIp }) => terminalIp)).not.toContain(next.bearer.terminalIp);

  const port = await destination(() => {});
  const { socket } = await next.dial({ host: '127.0.0.1', port });
  const broken = once(socket, 'error');
  await gateway.ask(`/v1/bearers/${next.bearer.bearerId}`, { method: 'DELETE', secret: OPERATOR_SECRET });
  expect((await broken)[0]).toMatchObject({ code: 'ECONNRESET' });
  await expect(next.dial({ host: '127.0.0.1', port })).rejects.toThrow('the bearer is not known');
});

test('a destination without a listener is refused, and makes no record', async () => {
  const gateway = await startedGateway();
  const { dial } = await gateway.attach(MSISDN);
  await expect(dial({ host: '127.0.0.1', port: 1 })).rejects.toThrow('cannot be reached (reply 5)');
  expect(await recordsAtTheEnd(gateway)).toEqual([]);
});

test('a reader that does not read stops the sender, and loses nothing', async () => {
  const gateway = await startedGateway();
  const { dial } = await gateway.attach(MSISDN);
  const { port, accepted } = await handedOver();
  const { socket, octets } = await dial({ host: '127.0.0.1', port });
  const whole = Buffer.alloc(64 * 2 ** 20, 1);
  socket.end(whole);
  const slow = await accepted;
  const resident = process.memoryUsage().rss;
  await pause(500);
  expect(process.memoryUsage().rss - resident).toBeLessThan(32 * 2 ** 20);
  expect((await received(slow)).equals(whole)).toBe(true);
  slow.end();
  await received(socket);
  expect(octets().uplinkOctets).toBe(whole.length);
  expect(sumOf(await recordsAtTheEnd(gateway))).toEqual({ uplinkOctets: whole.length, downlinkOctets: 0 });
});

test('every octet is in one record, however they are cut', async () => {
  const random = new Random(SEED);
  const gateway = await startedGateway({ partialRecords: { intervalMs: 15, afterOctets: 5000 } });
  const sent = { uplinkOctets: 0, downlinkOctets: 0 };
  await Promise.all(
    Array.from({ length: 20 }, async (_, terminal) => {
      const { dial } = await gateway.attach(String(15_550_200_000 + terminal));
      for (let connection = 0; connection < 5; connection++) {
        const answer = random.integer(0, 30_000);
        const port = await destination(countAndAnswer(answer));
        const dialled = await dial({ host: '127.0.0.1', port });
        for (let piece = random.integer(0, 6); piece > 0; piece--) {
          dialled.socket.write(Buffer.alloc(random.integer(1, 9000)));
          await pause(random.integer(0, 12));
        }
        await exchange(dialled, Buffer.alloc(random.integer(0, 3000)));
        const { uplinkOctets, downlinkOctets } = dialled.octets();
        expect(downlinkOctets).toBe(answer);
        sent.uplinkOctets += uplinkOctets;
        sent.downlinkOctets += downlinkOctets;
      }
    }),
  );
  const records = await recordsAtTheEnd(gateway);
  expect(sumOf(records), `seed ${SEED}`).toEqual(sent);
  expect(records.length).toBeGreaterThan(150);
  const numbers = records.map(({ record }) => record.localSequenceNumber).sort((a, b) => a - b);
  expect(numbers).toEqual(numbers.map((_, index) => index + 1));
  for (const { key, record } of records) expect(key).toBe(record.servedMsisdn);
});

test('while Kafka is away records wait on disk, over a restart, and come with the numbers that follow', async (context) => {
  if (server.kill === undefined) return context.skip('this Kafka is not ours to kill');
  const gateway = await startedGateway();
  const port = await destination(countAndAnswer(10));
  const use = async () => {
    const { dial } = await gateway.attach(MSISDN);
    await exchange(await dial({ host: '127.0.0.1', port }), Buffer.alloc(90));
  };
  await use();
  await allTaken(gateway);
  await server.kill();
  await use();
  while ((await status(gateway)).kafkaProblem === null) await pause(50);
  expect(await gateway.stop()).toBe(1);
  await gateway.start();
  await use();
  await server.restart?.();
  await allTaken(gateway);

  const records = await recordsAtTheEnd(gateway);
  const numbers = new Set(records.map(({ record }) => record.localSequenceNumber));
  expect([...numbers].sort()).toEqual([1, 2, 3]);
  const charging = new Set(records.map(({ record }) => record.chargingId));
  expect(charging.size).toBe(3);
});

async function status(gateway: TestGateway): Promise<GatewayStatus> {
  const response = await gateway.ask('/health/ready');
  return (await response.json()) as GatewayStatus;
}

async function allTaken(gateway: TestGateway): Promise<void> {
  for (;;) {
    const { openFlows, spooledRecords } = await status(gateway);
    if (openFlows === 0 && spooledRecords === 0) return;
    await pause(20);
  }
}
