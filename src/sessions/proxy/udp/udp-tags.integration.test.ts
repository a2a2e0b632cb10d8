import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { Announcement } from '../../protocol/dispatch-messages.ts';
import { TAG_ACCEPTED, TAG_OVER } from '../../protocol/tag-datagram.ts';
import { type FakeGateway, gone, startGateway, startWorld, until, type World } from '../proxy.fixture.ts';
import type { DatagramDrop } from './datagram-drops.ts';
import { startUdpHost, UdpClient, type UdpHost } from './udp-client.fixture.ts';

let world: World;
let gateway: FakeGateway;
let voice: UdpHost;
let video: UdpHost;
const clients: UdpClient[] = [];

beforeAll(async () => {
  [voice, video] = [await startUdpHost(), await startUdpHost()];
  gateway = await startGateway();
  const host = { host: '127.0.0.1', protocol: 'udp' };
  world = await startWorld({
    application: {
      identifiedBy: ['terminal_tag'],
      hosts: [
        { ...host, ports: [voice.port], contentType: 'voice' },
        { ...host, ports: [video.port], contentType: 'video' },
      ],
    },
    more: { gateway: { url: gateway.url } },
  });
});
afterAll(async () => {
  await world?.stop();
  gateway?.stop();
  for (const host of [voice, video]) host?.stop();
});
afterEach(async () => {
  for (const client of clients.splice(0)) await client.close();
  await until(() => world.proxy.figures().associations === 0);
  for (const host of [voice, video]) host.received.length = 0;
});

async function associated(terms: Partial<Announcement> = {}, fields: object | null = {}) {
  const granted = await world.dispatch.grant(terms);
  const tag = fields === null ? undefined : world.dispatch.tag(granted.terms, { contentType: 'voice', ...fields });
  const client = await UdpClient.open(world.proxy.endpoints.socks5, granted, tag === undefined ? {} : { tag });
  clients.push(client);
  const answers: number[] = [];
  client.socket.on('message', (octets) => {
    if (octets.length === 1) answers.push(octets[0]);
  });
  return { granted, client, answers, tag: Buffer.from(tag ?? '', 'base64url') };
}

const toVoice = () => ({ host: '127.0.0.1', port: voice.port });
const dropped = (reason: DatagramDrop) => world.proxy.figures().datagramsDropped[reason];

async function reportedAtTheEnd({ granted, client }: Awaited<ReturnType<typeof associated>>) {
  await until(() => world.proxy.figures().associations === 0);
  await world.dispatch.announce({ ...granted.terms, revision: 2, state: 'ended' });
  await until(() => world.dispatch.reportsOf(granted.terms.sessionId).at(-1)?.kind === 'end');
  return { reported: world.dispatch.octetsOf(granted.terms.sessionId), counted: client.totals() };
}

/** Ends the control connection, and keeps the socket open for the proxy's last word. */
async function hungUp(client: UdpClient): Promise<void> {
  client.control.end();
  await until(() => world.proxy.figures().associations === 0);
  await pause(50);
}

test('a flow that begins with the tag is accepted, counted from its first octet without a mark, and ended in words', async () => {
  const call = await associated();
  const { client, answers, tag } = call;
  await client.sendRaw(tag);
  await until(() => answers.length === 1);
  await client.sendRaw(tag);
  await client.send(toVoice(), 'hello');
  await until(() => client.texts.includes('hello') && answers.length === 2);
  await hungUp(client);
  expect(answers).toEqual([TAG_ACCEPTED[0], TAG_ACCEPTED[0], TAG_OVER[0]]);
  const { reported, counted } = await reportedAtTheEnd(call);
  // The last octet says that the flow is over: it is the subscriber's.
  expect(reported).toEqual({ ...counted, downlinkOctets: counted.downlinkOctets - TAG_OVER.length });
  expect(gateway.marks).toEqual([]);
});

test('without a tag there is no association for an application that is known by it', async () => {
  const { client } = await associated({}, null);
  await client.send(toVoice(), 'hello');
  await gone(client.control);
  expect(voice.received).toEqual([]);
});

test('a flow that does not begin with the tag is not taken: only the control connection is counted', async () => {
  const call = await associated();
  const { client, answers, tag } = call;
  const before = dropped('tag_missing');
  await client.send(toVoice(), 'first');
  await client.sendRaw(tag);
  await until(() => dropped('tag_missing') === before + 2);
  await hungUp(client);
  expect([answers, voice.received]).toEqual([[], []]);
  const { reported } = await reportedAtTheEnd(call);
  expect(reported).toEqual({ uplinkOctets: client.control.bytesWritten, downlinkOctets: client.control.bytesRead });
});

test.each<[string, object]>([
  ['another session', { sessionId: 'another' }],
  ['another terminal', { terminalIp: '127.0.0.9' }],
  ['another proxy', { proxyId: 'proxy-2' }],
  ['another application', { applicationId: 'other' }],
  ['the past', { expiresAtMs: Date.now() - 10_000 }],
])('a tag of %s is refused with the association', async (_, fields) => {
  await expect(associated({}, fields)).rejects.toThrow('reply 2');
});

test('a tag of one content type carries no other', async () => {
  const { client, answers, tag } = await associated();
  await client.sendRaw(tag);
  await until(() => answers.length === 1);
  await client.send(toVoice(), 'hello');
  await until(() => client.texts.length === 1);
  const before = dropped('refused');
  await client.send({ host: '127.0.0.1', port: video.port }, 'hello');
  await until(() => dropped('refused') === before + 1);
  expect(video.received).toEqual([]);
});

test('at the cap a tagged call ends, even where the session continues at the subscriber’s cost', async () => {
  const call = await associated({ sponsoredOctetsCap: 4000, atCap: 'subscriber_pays' });
  const { client, answers, tag } = call;
  await client.sendRaw(tag);
  await until(() => answers.length === 1);
  for (let sent = 0; sent < 12 && !client.control.readableEnded; sent++) {
    await client.send(toVoice(), Buffer.alloc(500));
    await pause(20);
  }
  await until(() => client.control.readableEnded);
  await hungUp(client);
  expect(answers.at(-1)).toBe(TAG_OVER[0]);
  const { reported, counted } = await reportedAtTheEnd(call);
  // The last octet says that the flow is over: it is the subscriber's.
  expect(reported).toEqual({ ...counted, downlinkOctets: counted.downlinkOctets - TAG_OVER.length });
  expect(counted.uplinkOctets + counted.downlinkOctets).toBeLessThan(4000 + 3 * 600);
});
