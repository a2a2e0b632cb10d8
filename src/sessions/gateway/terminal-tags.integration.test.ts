import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import type { Kafka } from 'kafkajs';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type KafkaServer, startKafka } from '../../../test/servers/kafka-server.ts';
import { taggedSocks5Password } from '../protocol/relay-message.ts';
import { formatSessionTag, type SessionTagClaims, signSessionTag } from '../protocol/session-tag.ts';
import type { Dialled } from '../terminal/terminal-dial.ts';
import { createTopic, OPERATOR_SECRET, readRecords, TestGateway, testKafkaClient } from './gateway.fixture.ts';
import type { GatewayConfig } from './gateway-config.ts';
import type { TagOutcome } from './terminal-tags.ts';

const { privateKey, publicKey } = generateKeyPairSync('ed25519');
const ESTABLISHED = 'HTTP/1.1 200 Connection established\r\n\r\n';
const PAYLOAD = Buffer.alloc(5000, 1);
const endings: (() => unknown)[] = [];
let server: KafkaServer;
let kafka: Kafka;

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

/** The dispatch server's key set; with `isReachable` false it is unreachable until `open`. */
async function keySetServer(isReachable: boolean): Promise<{ url: string; open: () => Promise<void> }> {
  const http = createHttpServer((_request, response) => {
    response.end(JSON.stringify({ keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'key-1' }] }));
  });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  const { port } = http.address() as AddressInfo;
  if (!isReachable) http.close();
  endings.push(() => http.close());
  const open = async () => {
    http.listen(port, '127.0.0.1');
    await once(http, 'listening');
  };
  return { url: `http://127.0.0.1:${port}/.well-known/jwks.json`, open };
}

async function startedGateway(
  isReachable = true,
  partialRecords?: GatewayConfig['partialRecords'],
): Promise<TestGateway & { openKeySet: () => Promise<void> }> {
  const { url, open } = await keySetServer(isReachable);
  const terminalTags: GatewayConfig['terminalTags'] = {
    jwksUrl: url,
    applications: [{ applicationId: 'chat', zeroRatingTag: 'CHAT' }],
    requestBytes: 16_384,
    requestTimeoutMs: 10_000,
  };
  const gateway = new TestGateway(
    { brokers: server.brokers, topic: await createTopic(kafka) },
    { terminalTags, ...(partialRecords && { partialRecords }) },
  );
  endings.push(() => gateway.end());
  await gateway.start();
  return Object.assign(gateway, { openKeySet: open });
}

/** A proxy that answers the first octets with the given answer, and then echoes. */
async function startedProxy(answers: (string | Buffer)[]): Promise<number> {
  const proxy = createServer({ allowHalfOpen: true }, (socket) => {
    const left = [...answers];
    let head = '';
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      head += chunk.toString('latin1');
      // HTTP is answered when its head is complete.
      if (typeof left[0] === 'string' && !head.includes('\r\n\r\n')) return;
      socket.write(left.shift() ?? chunk);
    });
    socket.on('end', () => socket.end());
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  endings.push(() => proxy.close());
  return (proxy.address() as AddressInfo).port;
}

function tagOf(terminalIp: string, port: number, claims: Partial<SessionTagClaims> = {}): string {
  const own: SessionTagClaims = {
    sessionId: 'session-1',
    terminalIp,
    proxyId: 'proxy-1',
    proxyIp: '127.0.0.1',
    proxyPorts: { connect: port, socks5: port, relay: port },
    applicationId: 'chat',
    contentType: 'image',
    expiresAtMs: Math.floor(Date.now() / 1000) * 1000 + 60_000,
    ...claims,
  };
  return formatSessionTag(signSessionTag(own, { keyId: 'key-1', privateKey }));
}

const connectWith = (tag: string) => `CONNECT h:1 HTTP/1.1\r\nzerorate-tag: ${tag}\r\n\r\n`;

/** Sends each piece once the one before was answered. Returns what came back, whole. */
async function talk(
  { socket }: Dialled,
  pieces: readonly (string | Buffer)[],
  segmentOctets = 2 ** 20,
): Promise<Buffer> {
  const received: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => received.push(chunk));
  for (const piece of pieces) {
    const octets = Buffer.from(piece as string);
    const before = received.length;
    for (let at = 0; at < octets.length; at += segmentOctets) {
      socket.write(octets.subarray(at, at + segmentOctets));
      if (segmentOctets < octets.length) await new Promise(setImmediate);
    }
    while (received.length === before) await once(socket as Socket, 'data');
  }
  socket.end();
  await once(socket, 'end');
  return Buffer.concat(received);
}

async function outcomesOf(gateway: TestGateway): Promise<Partial<Record<TagOutcome, number>>> {
  const text = await (await gateway.ask('/metrics', { secret: OPERATOR_SECRET })).text();
  const found = [...text.matchAll(/zerorate_gateway_terminal_tags_total\{outcome="(\w+)"\} ([1-9]\d*)/g)];
  return Object.fromEntries(found.map(([, outcome, count]) => [outcome, Number(count)]));
}

async function recordsOf(gateway: TestGateway) {
  expect(await gateway.stop()).toBe(0);
  return (await readRecords(kafka, gateway.config.kafka.topic)).map(({ record }) => record);
}

test('a connection with a tag is the application’s from its first octet to its last, one octet a segment too', async () => {
  const gateway = await startedGateway();
  const { bearer, dial } = await gateway.attach('15550100001');
  const port = await startedProxy([ESTABLISHED]);
  const dialled = await dial({ host: '127.0.0.1', port });
  await talk(dialled, [connectWith(tagOf(bearer.terminalIp, port)), PAYLOAD]);
  const single = await dial({ host: '127.0.0.1', port });
  await talk(single, [connectWith(tagOf(bearer.terminalIp, port))], 1);
  expect(await outcomesOf(gateway)).toEqual({ taken: 2 });
  const records = await recordsOf(gateway);
  const tagged = records.filter(({ zeroRatingTag }) => zeroRatingTag === 'CHAT');
  expect(tagged.every(({ contentType }) => contentType === 'image')).toBe(true);
  const sum = tagged.reduce((octets, { uplinkOctets, downlinkOctets }) => octets + uplinkOctets + downlinkOctets, 0);
  const sent = [dialled, single].reduce((octets, each) => {
    const { uplinkOctets, downlinkOctets } = each.octets();
    return octets + uplinkOctets + downlinkOctets;
  }, 0);
  expect(sum).toBe(sent);
});

test('SOCKS5 carries it in the password', async () => {
  const gateway = await startedGateway();
  const { bearer, dial } = await gateway.attach('15550100001');
  const port = await startedProxy([
    Buffer.from([5, 2]),
    Buffer.from([1, 0]),
    Buffer.from([5, 0, 0, 1, 0, 0, 0, 0, 0, 0]),
  ]);
  const field = (text: string) => Buffer.concat([Buffer.from([text.length]), Buffer.from(text)]);
  const password = taggedSocks5Password('p'.repeat(43), tagOf(bearer.terminalIp, port));
  const credentials = Buffer.concat([Buffer.from([1]), field('token'), field(password)]);
  const request = Buffer.from([5, 1, 0, 1, 127, 0, 0, 1, 1, 187]);
  const dialled = await dial({ host: '127.0.0.1', port });
  await talk(dialled, [Buffer.from([5, 1, 2]), credentials, request, PAYLOAD]);
  expect(await outcomesOf(gateway)).toEqual({ taken: 1 });
  const records = await recordsOf(gateway);
  expect(records).toMatchObject([{ zeroRatingTag: 'CHAT', contentType: 'image', ...dialled.octets() }]);
});

test('attacks leave the flow untagged, each by its name', async () => {
  const gateway = await startedGateway();
  const { bearer, dial } = await gateway.attach('15550100001');
  const other = await gateway.attach('15550100002');
  const port = await startedProxy([ESTABLISHED]);
  const refusing = await startedProxy(['HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n']);
  const tag = tagOf(bearer.terminalIp, port);
  const forged = { keyId: 'key-1', privateKey: generateKeyPairSync('ed25519').privateKey };
  const claims = { sessionId: 's', terminalIp: bearer.terminalIp, proxyId: 'proxy-1', proxyIp: null };
  const ports = { connect: port, socks5: port, relay: port };
  const byOtherKey = formatSessionTag(
    signSessionTag(
      { ...claims, proxyPorts: ports, applicationId: 'chat', contentType: 'text', expiresAtMs: 2e12 },
      forged,
    ),
  );
  const attacks: [TagOutcome | null, string, Parameters<typeof dial>[0], typeof dial][] = [
    ['forged', connectWith(byOtherKey), { host: '127.0.0.1', port }, dial],
    ['other_terminal', connectWith(tag), { host: '127.0.0.1', port }, other.dial],
    ['other_proxy', connectWith(tag), { host: '127.0.0.1', port: refusing }, dial],
    ['refused_by_proxy', connectWith(tagOf(bearer.terminalIp, refusing)), { host: '127.0.0.1', port: refusing }, dial],
    ['expired', connectWith(tagOf(bearer.terminalIp, port, { expiresAtMs: 1e12 })), { host: '127.0.0.1', port }, dial],
    [
      'application_not_listed',
      connectWith(tagOf(bearer.terminalIp, port, { applicationId: 'talk' })),
      { host: '127.0.0.1', port },
      dial,
    ],
    [null, `CONNECT h:1 HTTP/1.1\r\n\r\n${connectWith(tag)}`, { host: '127.0.0.1', port }, dial],
  ];
  for (const [, request, destination, through] of attacks) await talk(await through(destination), [request]);
  const expected = attacks.flatMap(([outcome]) => (outcome === null ? [] : [[outcome, 1]]));
  expect(await outcomesOf(gateway)).toEqual(Object.fromEntries(expected));
  const records = await recordsOf(gateway);
  expect(records).toHaveLength(attacks.length);
  expect(records.every(({ zeroRatingTag }) => zeroRatingTag === null)).toBe(true);
});

test('where the dispatch server starts after the gateway the first connection has its tag, from its first octet', async () => {
  const gateway = await startedGateway(false, { intervalMs: 20, afterOctets: 1000 });
  const { bearer, dial } = await gateway.attach('15550100001');
  const port = await startedProxy([ESTABLISHED]);
  await gateway.openKeySet();
  const dialled = await dial({ host: '127.0.0.1', port });
  await talk(dialled, [connectWith(tagOf(bearer.terminalIp, port)), PAYLOAD]);
  const records = await recordsOf(gateway);
  expect(records.every(({ zeroRatingTag }) => zeroRatingTag === 'CHAT')).toBe(true);
  const sum = (name: 'uplinkOctets' | 'downlinkOctets') => records.reduce((octets, record) => octets + record[name], 0);
  expect({ uplinkOctets: sum('uplinkOctets'), downlinkOctets: sum('downlinkOctets') }).toEqual(dialled.octets());
});

test('while the dispatch server cannot be asked for its keys traffic stays untagged, and metric and readiness say so', async () => {
  const gateway = await startedGateway(false);
  const { bearer, dial } = await gateway.attach('15550100001');
  const port = await startedProxy([ESTABLISHED]);
  await talk(await dial({ host: '127.0.0.1', port }), [connectWith(tagOf(bearer.terminalIp, port)), PAYLOAD]);
  await expect.poll(() => outcomesOf(gateway), { timeout: 10_000 }).toEqual({ keys_unreachable: 1 });
  expect(await (await gateway.ask('/health/ready')).json()).toMatchObject({ ready: true, tagKeysReachable: false });
  expect(await recordsOf(gateway)).toMatchObject([{ zeroRatingTag: null, contentType: null }]);
});
