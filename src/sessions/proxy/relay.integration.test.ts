import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type RawData, WebSocket, WebSocketServer } from 'ws';
import {
  decodeRelayMessage,
  encodeRelayMessage,
  messageMac,
  type RelayHeader,
  type RelayMessage,
  type RelayNotice,
} from '../protocol/relay-message.ts';
import type { Granted } from './fake-dispatch.fixture.ts';
import { startCountingRelay, startWorld, until, type World } from './proxy.fixture.ts';

const MAX_OCTETS = 100_000;
let world: World;
let application: WebSocketServer;
let arrived: RelayMessage[];
let asked: string[];

beforeAll(async () => {
  application = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  await once(application, 'listening');
  application.on('connection', (socket, request) => {
    asked.push(request.url ?? '');
    socket.on('message', (data: Buffer) => {
      const message = decodeRelayMessage(data);
      if (message === null) return;
      arrived.push(message);
      if (message.header.to === 'echo') socket.send(data);
    });
  });
  const relayUpstream = `ws://127.0.0.1:${(application.address() as AddressInfo).port}/messages`;
  world = await startWorld({
    application: { relayUpstream },
    more: {
      idle: { timeoutMs: 1000, promptTimeoutMs: 1000 },
      limits: { messageBytes: MAX_OCTETS, handshakeTimeoutMs: 5000, stallTimeoutMs: 1500 },
    },
  });
});
afterAll(async () => {
  await world?.stop();
  application?.close();
});
beforeEach(() => {
  arrived = [];
  asked = [];
});

interface Client {
  socket: WebSocket;
  notices: RelayNotice[];
  messages: RelayMessage[];
  code: Promise<number>;
}

async function open(
  { token }: Granted,
  contentType = 'text',
  port = Number(new URL(world.proxy.endpoints.relay).port),
): Promise<Client> {
  const headers = { authorization: `Bearer ${token}` };
  const socket = new WebSocket(`ws://127.0.0.1:${port}/v1/relay/${contentType}`, { headers, perMessageDeflate: false });
  const client: Client = { socket, notices: [], messages: [], code: once(socket, 'close').then(([code]) => code) };
  socket.on('error', () => {});
  socket.on('message', (data: RawData, isBinary) => {
    if (isBinary) client.messages.push(decodeRelayMessage(data as Buffer) as RelayMessage);
    else client.notices.push(JSON.parse(String(data)));
  });
  await once(socket, 'open');
  return client;
}

function signed(
  { terms }: Granted,
  header: Partial<RelayHeader>,
  payload = Buffer.from('hello'),
  contentType = 'text',
): Buffer {
  const message = { header: { sequence: 1, messageId: 'm-1', to: 'bob', ...header }, payload };
  const mac = messageMac(Buffer.from(terms.sessionKey, 'base64url'), contentType, message);
  return encodeRelayMessage({ ...message, header: { mac, ...message.header, ...(header.mac && { mac: header.mac }) } });
}

function changed(frame: Buffer): Buffer {
  frame[frame.length - 1] ^= 1;
  return frame;
}

const reasons = ({ notices }: Client) => notices.map((notice) => ('reason' in notice ? notice.reason : notice.type));

describe('a message', () => {
  test('is passed on with its sender as the session has it, and what comes back arrives; octets are exact', async () => {
    const relay = await startCountingRelay(Number(new URL(world.proxy.endpoints.relay).port));
    const granted = await world.dispatch.grant({ applicationAccount: 'alice & co' });
    const client = await open(granted, 'image', relay.port);
    client.socket.send(
      signed(granted, { to: 'echo', from: 'mallory', name: 'a.png' }, Buffer.alloc(50_000, 7), 'image'),
    );
    await until(() => client.messages.length === 1);
    expect(arrived[0].header).toEqual({ sequence: 1, messageId: 'm-1', to: 'echo', name: 'a.png', from: 'alice & co' });
    expect(client.messages[0].payload.length).toBe(50_000);
    await until(() => client.notices.some(({ type }) => type === 'accepted'));
    expect(client.notices).toContainEqual({ type: 'accepted', messageId: 'm-1' });
    expect(asked).toEqual(['/messages?account=alice+%26+co&contentType=image']);
    client.socket.close();
    await client.code;
    await until(() => relay.uplinkOctets > 0);
    const { sessionId } = granted.terms;
    await until(() => world.dispatch.octetsOf(sessionId).downlinkOctets === relay.downlinkOctets);
    expect(world.dispatch.octetsOf(sessionId).uplinkOctets).toBe(relay.uplinkOctets);
    expect(
      world.dispatch.reportsOf(sessionId).flatMap(({ usage }) => usage.map(({ contentType }) => contentType)),
    ).toContain('image');
    relay.stop();
  });

  test('that comes when the terminal has closed already is neither sent nor counted', async () => {
    const relay = await startCountingRelay(Number(new URL(world.proxy.endpoints.relay).port));
    const granted = await world.dispatch.grant();
    const opened = once(application, 'connection');
    const client = await open(granted, 'text', relay.port);
    const [upstream] = (await opened) as [WebSocket];
    // It has said that it closes, and does not read yet that the proxy closes, too.
    client.socket.close();
    client.socket.pause();
    await pause(200);
    upstream.send(signed(granted, {}, Buffer.alloc(10_000)));
    await pause(200);
    client.socket.resume();
    await client.code;
    const { sessionId } = granted.terms;
    await until(() => world.dispatch.reportsOf(sessionId).some(({ kind }) => kind === 'end'));
    const { uplinkOctets, downlinkOctets } = relay;
    expect(world.dispatch.octetsOf(sessionId)).toEqual({ uplinkOctets, downlinkOctets });
    relay.stop();
  });

  test.each<[string, (granted: Granted) => Buffer, string]>([
    ['of no shape', () => Buffer.from('hello'), 'message_invalid'],
    ['that is too large', (granted) => signed(granted, {}, Buffer.alloc(MAX_OCTETS + 1)), 'message_too_large'],
    ['that was changed', (granted) => changed(signed(granted, {})), 'message_forged'],
    ['without a proof', (granted) => signed(granted, { mac: 'x' }), 'message_forged'],
    ['of another content type', (granted) => signed(granted, {}, Buffer.from('x'), 'image'), 'message_forged'],
  ])('%s is refused', async (_, frame, reason) => {
    const granted = await world.dispatch.grant();
    const client = await open(granted);
    client.socket.send(frame(granted));
    await until(() => reasons(client).includes(reason));
    client.socket.send(signed(granted, { sequence: 9, messageId: 'good' }));
    await until(() => client.notices.some((notice) => notice.type === 'accepted' && notice.messageId === 'good'));
    expect(arrived).toHaveLength(1);
    client.socket.close();
  });

  test('is taken once, over all connections of its session', async () => {
    const granted = await world.dispatch.grant();
    const [one, other] = [await open(granted), await open(granted, 'image')];
    one.socket.send(signed(granted, { sequence: 5 }));
    await until(() => one.notices.some(({ type }) => type === 'accepted'));
    one.socket.send(signed(granted, { sequence: 5 }));
    other.socket.send(signed(granted, { sequence: 4 }, Buffer.from('x'), 'image'));
    await until(() => reasons(one).includes('message_replayed') && reasons(other).includes('message_replayed'));
    expect(arrived).toHaveLength(1);
    one.socket.close();
    other.socket.close();
  });

  test.each<[string, string | Buffer]>([
    ['texts that are none', '{}{}'],
    ['answers that were not asked for', '{"type":"still_here"}'],
    ['messages of no shape', Buffer.from('hello')],
  ])('by the thousand, %s: a few are looked at, and the connection is closed', async (_, frame) => {
    const client = await open(await world.dispatch.grant());
    for (let sent = 0; sent < 5000; sent++) client.socket.send(frame);
    expect(await client.code).toBe(1008);
    expect(client.notices.filter(({ type }) => type === 'refused').length).toBeLessThan(100);
    expect(client.notices.at(-1)).toEqual({ type: 'closing', reason: 'message_invalid' });
  });

  test('that is a ping is answered; of thousands in one read the newest alone is', async () => {
    const client = await open(await world.dispatch.grant());
    const pongs: string[] = [];
    client.socket.on('pong', (data) => pongs.push(String(data)));
    client.socket.ping('first');
    await until(() => pongs.length === 1);
    for (let sent = 1; sent <= 5000; sent++) client.socket.ping(String(sent));
    await until(() => pongs.at(-1) === '5000');
    expect(pongs[0]).toBe('first');
    expect(pongs.length).toBeLessThan(1000);
    client.socket.close();
    await client.code;
  });

  test('far larger than the limit is not read: the connection is closed with 1009', async () => {
    const granted = await world.dispatch.grant();
    const client = await open(granted);
    client.socket.send(Buffer.alloc(2 * MAX_OCTETS + 65_537));
    expect(await client.code).toBe(1009);
  });
});

describe('a session', () => {
  test('that is idle is asked, answers, is asked again, and is closed', async () => {
    const granted = await world.dispatch.grant();
    const client = await open(granted);
    const prompts = () => client.notices.filter(({ type }) => type === 'idle_prompt').length;
    await until(() => prompts() === 1);
    client.socket.send(JSON.stringify({ type: 'still_here' }));
    await until(() => prompts() === 2);
    expect(await client.code).toBe(1000);
    expect(client.notices.at(-1)).toEqual({ type: 'closing', reason: 'idle' });
    await until(() => world.dispatch.reportsOf(granted.terms.sessionId).at(-1)?.ending === 'idle');
  });

  test('that is revoked is notified', async () => {
    const granted = await world.dispatch.grant();
    const client = await open(granted);
    await world.dispatch.announce({ ...granted.terms, revision: 2, state: 'revoked' });
    expect(await client.code).toBe(1008);
    expect(client.notices.at(-1)).toEqual({ type: 'closing', reason: 'revoked' });
  });

  test('at its cap is notified, in the middle of a message', async () => {
    const granted = await world.dispatch.grant({ sponsoredOctetsCap: 30_000 });
    const client = await open(granted);
    client.socket.send(signed(granted, {}, Buffer.alloc(90_000)));
    expect(await client.code).toBe(1008);
    expect(client.notices.at(-1)).toEqual({ type: 'closing', reason: 'cap_reached' });
    await until(() => world.dispatch.reportsOf(granted.terms.sessionId).at(-1)?.ending === 'cap_reached');
    const { uplinkOctets, downlinkOctets } = world.dispatch.octetsOf(granted.terms.sessionId);
    expect(uplinkOctets + downlinkOctets).toBeLessThan(100_000);
  });

  test('receives the state of its quota', async () => {
    const granted = await world.dispatch.grant({ sponsoredOctetsCap: 1_000_000 });
    const client = await open(granted);
    await until(() => client.notices.some(({ type }) => type === 'quota'));
    expect(client.notices.find(({ type }) => type === 'quota')).toMatchObject({
      sponsoredOctetsCap: 1_000_000,
      remainingOctets: null,
    });
    client.socket.close();
  });
});

test('a terminal that reads nothing is not served from memory without end, and is closed', async () => {
  const granted = await world.dispatch.grant();
  const client = await open(granted);
  client.socket.pause();
  const [upstream] = [...application.clients].slice(-1);
  for (let sent = 0; sent < 300; sent++)
    upstream.send(
      encodeRelayMessage({ header: { sequence: 1, messageId: 'm', to: 'alice' }, payload: Buffer.alloc(90_000) }),
    );
  await until(() => upstream.readyState === WebSocket.CLOSED);
  const { downlinkOctets } = world.dispatch.octetsOf(granted.terms.sessionId);
  expect(downlinkOctets).toBeLessThan(300 * 90_000);
  client.socket.terminate();
});

test.each([
  ['without a token', 'text', {}, 401, 'token_missing'],
  ['of a content type that is none', 'poetry', { good: true }, 403, 'host_not_allowed'],
  ['with a tag of its own', 'text', { good: true, tag: true }, 403, 'tag_from_terminal'],
])(
  'a connection %s is refused',
  async (_, contentType, { good = false, tag = false }: { good?: boolean; tag?: boolean }, status, reason) => {
    const { token } = await world.dispatch.grant();
    const headers = { ...(good && { authorization: `Bearer ${token}` }), ...(tag && { 'zero-rating-tag': 'x' }) };
    const socket = new WebSocket(`${world.proxy.endpoints.relay}/v1/relay/${contentType}`, { headers });
    socket.on('error', () => {});
    const [, response] = await once(socket, 'unexpected-response');
    expect(response.statusCode).toBe(status);
    expect(response.headers['zerorate-reason']).toBe(reason);
    socket.terminate();
  },
);
