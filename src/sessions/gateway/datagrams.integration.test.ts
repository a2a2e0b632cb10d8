import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import type { Kafka } from 'kafkajs';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type KafkaServer, startKafka } from '../../../test/servers/kafka-server.ts';
import { socks5Datagram } from '../../platform/network/socks5-datagram.ts';
import { associate } from '../terminal/associate.ts';
import { type DatagramPath, gatewayDatagrams } from '../terminal/datagrams.ts';
import {
  createTopic,
  OPERATOR_SECRET,
  PROXY_SECRET,
  readRecords,
  TestGateway,
  testKafkaClient,
} from './gateway.fixture.ts';
import type { GatewayConfig } from './gateway-config.ts';

const MSISDN = '15550100001';
let server: KafkaServer;
let kafka: Kafka;
const endings: (() => unknown)[] = [];

beforeAll(async () => {
  server = await startKafka({});
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

/** Sends each datagram back, and remembers where it came from. */
async function echoHost(): Promise<{ socket: Socket; port: number; sources: Set<string> }> {
  const socket = createSocket({ type: 'udp4', recvBufferSize: 2 ** 20 });
  const sources = new Set<string>();
  socket.on('message', (octets, { address, port }) => {
    sources.add(`${address}:${port}`);
    socket.send(octets, port, address);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  endings.push(() => socket.close());
  return { socket, port: socket.address().port, sources };
}

async function attached(gateway: TestGateway, msisdn = MSISDN) {
  const { bearer } = await gateway.attach(msisdn);
  const datagrams = gatewayDatagrams({ host: '127.0.0.1', port: gateway.running.userPlanePort }, bearer.bearerId);
  return { bearer, datagrams };
}

async function exchange(path: DatagramPath, sizes: readonly number[]): Promise<void> {
  let received = 0;
  path.on('datagram', () => received++);
  for (const size of sizes) path.send(Buffer.alloc(size, 1));
  while (received < sizes.length) await pause(5);
  path.removeAllListeners('datagram');
}

async function recordsAtTheEnd(gateway: TestGateway) {
  expect(await gateway.stop()).toBe(0);
  return (await readRecords(kafka, gateway.config.kafka.topic)).map(({ record }) => record);
}

test('datagrams go out from the bearer’s address, and each flow’s payload is metered as UDP', async () => {
  const gateway = await startedGateway();
  const { bearer, datagrams } = await attached(gateway);
  const [one, other] = [await echoHost(), await echoHost()];
  const paths = [
    await datagrams({ host: '127.0.0.1', port: one.port }),
    await datagrams({ host: 'localhost', port: other.port }),
  ];
  await exchange(paths[0], [100, 0, 1200]);
  await exchange(paths[1], [7]);
  expect(paths.map((path) => path.octets())).toEqual([
    { uplinkOctets: 1300, downlinkOctets: 1300 },
    { uplinkOctets: 0 + 7, downlinkOctets: 7 },
  ]);
  for (const path of paths) path.destroy();
  const [source] = one.sources;
  expect(source.split(':')[0]).toBe(bearer.terminalIp);
  const records = await recordsAtTheEnd(gateway);
  expect(records.map(({ remotePort }) => remotePort).sort()).toEqual([one.port, other.port].sort());
  expect(records.find(({ remotePort }) => remotePort === one.port)).toMatchObject({
    protocol: 17,
    servedMsisdn: MSISDN,
    terminalIp: bearer.terminalIp,
    terminalPort: Number(source.split(':')[1]),
    remoteIp: '127.0.0.1',
    uplinkOctets: 1300,
    downlinkOctets: 1300,
    zeroRatingTag: null,
  });
});

test('a proxy marks a flow of datagrams, and not the connection with the same ports', async () => {
  const gateway = await startedGateway();
  const { bearer, datagrams } = await attached(gateway);
  const host = await echoHost();
  const path = await datagrams({ host: '127.0.0.1', port: host.port });
  const mark = async (zeroRatingTag: string | null, protocol: 6 | 17) => {
    const marks = [
      {
        ...{ proxyIp: '127.0.0.1', proxyPort: host.port, terminalIp: bearer.terminalIp },
        terminalPort: Number([...host.sources][0].split(':')[1]),
        ...{ protocol, zeroRatingTag, contentType: 'voice' },
      },
    ];
    expect((await gateway.ask('/v1/flow-marks', { secret: PROXY_SECRET, body: { marks } })).status).toBe(200);
  };
  await exchange(path, [100]);
  await mark('OTHER', 6);
  await mark('CALL', 17);
  await exchange(path, [20, 3]);
  await mark(null, 17);
  await exchange(path, [5]);
  path.destroy();
  const records = await recordsAtTheEnd(gateway);
  expect(
    records.map((record) => [record.zeroRatingTag, record.contentType, record.uplinkOctets, record.downlinkOctets]),
  ).toEqual([
    ['CALL', 'voice', 123, 123],
    [null, 'voice', 5, 5],
  ]);
});

test('datagrams of others, from others and of no header are dropped, and a bearer that is detached ends', async () => {
  const gateway = await startedGateway();
  const { bearer, datagrams } = await attached(gateway);
  const host = await echoHost();
  const control = connect({ port: gateway.running.userPlanePort, host: '127.0.0.1' });
  const associated = await associate(control, { user: bearer.bearerId, password: '-' });
  if ('refusal' in associated) throw new Error(associated.refusal);
  const { relay } = associated;
  const [own, stranger] = [createSocket('udp4'), createSocket('udp4')];
  let received = 0;
  own.on('message', () => received++);
  const whole = socks5Datagram({ peer: { host: '127.0.0.1', port: host.port }, payload: Buffer.alloc(50) });
  own.send(whole, relay.port, relay.host);
  while (received < 1) await pause(5);
  stranger.send(whole, relay.port, relay.host);
  own.send(Buffer.alloc(30, 7), relay.port, relay.host);
  own.send(Buffer.concat([Buffer.of(0, 0, 1), whole.subarray(3)]), relay.port, relay.host);
  const [, port] = [...host.sources][0].split(':');
  stranger.send(Buffer.alloc(70), Number(port), bearer.terminalIp);
  await pause(100);
  own.send(whole, relay.port, relay.host);
  while (received < 2) await pause(5);
  for (const socket of [own, stranger]) socket.close();
  control.destroy();

  const path = await datagrams({ host: '127.0.0.1', port: host.port });
  const closed = once(path, 'close');
  await gateway.ask(`/v1/bearers/${bearer.bearerId}`, { method: 'DELETE', secret: OPERATOR_SECRET });
  await closed;
  await expect(datagrams({ host: '127.0.0.1', port: host.port })).rejects.toThrow(
    'the gateway takes no datagrams: token_invalid',
  );
  const records = await recordsAtTheEnd(gateway);
  expect(records.map(({ uplinkOctets, downlinkOctets }) => [uplinkOctets, downlinkOctets])).toEqual([[100, 100]]);
});
