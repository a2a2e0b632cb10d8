import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import type { Announcement } from '../protocol/dispatch-messages.ts';
import { socks5Password, taggedSocks5Password } from '../protocol/relay-message.ts';
import type { Granted } from './fake-dispatch.fixture.ts';
import {
  basic,
  echo,
  gone,
  openTunnel,
  portOf,
  readAll,
  startUpstream,
  startWorld,
  type Upstream,
  until,
  type World,
} from './proxy.fixture.ts';

const BLOCK = Buffer.alloc(100_000);
const ESTABLISHED_OCTETS = 'HTTP/1.1 200 Connection established\r\n\r\n'.length;
let world: World;
let images: Upstream;
let videos: Upstream;
let hub: WebSocketServer;

beforeAll(async () => {
  images = await startUpstream(echo);
  videos = await startUpstream((socket) => {
    const more = (): void => {
      while (!socket.destroyed && socket.write(BLOCK));
    };
    socket.on('drain', more);
    more();
  });
  hub = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  await once(hub, 'listening');
  world = await startWorld({
    application: {
      identifiedBy: ['terminal_tag'],
      hosts: [
        { host: '127.0.0.1', ports: [images.port], contentType: 'image' },
        { host: 'localhost', ports: [videos.port], contentType: 'video' },
      ],
      relayUpstream: `ws://127.0.0.1:${(hub.address() as { port: number }).port}/`,
    },
  });
});
afterAll(async () => {
  await world?.stop();
  await images?.stop();
  await videos?.stop();
  hub?.close();
});

const tagLine = (tag: string) => `Zerorate-Tag: ${tag}\r\n`;
async function tunnel(granted: Granted, headers: string, to = `127.0.0.1:${images.port}`) {
  return openTunnel(world.proxy.endpoints.connect, to, { authorization: basic(granted), headers });
}
const tagOf = (terms: Announcement, fields: object = {}) =>
  world.dispatch.tag(terms, { contentType: 'image', ...fields });

describe('a session tag on CONNECT', () => {
  test('is accepted, and its connection is reported to the octet', async () => {
    const granted = await world.dispatch.grant();
    const answer = await tunnel(granted, tagLine(tagOf(granted.terms)));
    expect(answer.status).toBe(200);
    answer.socket.end('hello');
    await readAll(answer.socket);
    await until(() => world.proxy.figures().connections === 0);
    await world.dispatch.announce({ ...granted.terms, revision: 2, state: 'ended' });
    const { sessionId } = granted.terms;
    await until(() => world.dispatch.reportsOf(sessionId).some(({ kind }) => kind === 'end'));
    expect(world.dispatch.octetsOf(sessionId)).toEqual({
      uplinkOctets: answer.socket.bytesWritten,
      downlinkOctets: answer.socket.bytesRead,
    });
  });

  const otherKey = generateKeyPairSync('ed25519').privateKey;
  test.each<[string, (terms: Announcement) => string, string]>([
    ['with no tag', () => '', 'tag_missing'],
    ['with a forged signature', (terms) => tagLine(`${tagOf(terms).slice(0, -4)}AAAA`), 'tag_forged'],
    ['of another key', (terms) => tagLine(tagOf(terms, { privateKey: otherKey })), 'tag_forged'],
    ['of an unknown key', (terms) => tagLine(tagOf(terms, { keyId: 'unknown' })), 'tag_forged'],
    ['of no shape', () => tagLine('chatter'), 'tag_forged'],
    ['of another alphabet', (terms) => tagLine(`${tagOf(terms)}==`), 'tag_forged'],
    ['sent twice', (terms) => tagLine(tagOf(terms)).repeat(2), 'tag_forged'],
    [
      'sent twice in other letters',
      (terms) => tagLine(tagOf(terms)) + tagLine(tagOf(terms)).toUpperCase(),
      'tag_forged',
    ],
    [
      'behind 3,000 headers and once before',
      (terms) => `${tagLine(tagOf(terms))}${'a:b\r\n'.repeat(2500)}${tagLine('x')}`,
      'tag_forged',
    ],
    ['past its time', (terms) => tagLine(tagOf(terms, { expiresAtMs: 1_000_000_000_000 })), 'tag_expired'],
    ['of another session', (terms) => tagLine(tagOf(terms, { sessionId: 'other' })), 'tag_foreign'],
    ['of another terminal', (terms) => tagLine(tagOf(terms, { terminalIp: '127.0.0.2' })), 'tag_foreign'],
    ['of another proxy', (terms) => tagLine(tagOf(terms, { proxyId: 'proxy-2' })), 'tag_foreign'],
    ['of another application', (terms) => tagLine(tagOf(terms, { applicationId: 'talk' })), 'tag_foreign'],
    ['of another content type', (terms) => tagLine(tagOf(terms, { contentType: 'text' })), 'tag_foreign'],
    ['beside a zero-rating tag', (terms) => `${tagLine(tagOf(terms))}Zero-Rating-Tag: CHAT\r\n`, 'tag_from_terminal'],
  ])('%s is refused by name', async (_what, headers, reason) => {
    const granted = await world.dispatch.grant();
    expect(await tunnel(granted, headers(granted.terms))).toMatchObject({ status: 403, reason });
  });

  test('in a folded header, or behind one, is not taken', async () => {
    const granted = await world.dispatch.grant();
    const tag = tagOf(granted.terms);
    for (const headers of [
      `Zerorate-Tag:\r\n ${tag}\r\n`,
      `X: y\r\n Zerorate-Tag: ${tag}\r\n`,
      `Zerorate-Tag : ${tag}\r\n`,
    ]) {
      expect((await tunnel(granted, headers)).status).not.toBe(200);
    }
  });

  test('without a session is worth nothing', async () => {
    const granted = await world.dispatch.grant();
    const answer = await openTunnel(world.proxy.endpoints.connect, `127.0.0.1:${images.port}`, {
      headers: tagLine(tagOf(granted.terms)),
    });
    expect(answer).toMatchObject({ status: 407, reason: 'token_missing' });
  });
});

describe('at the cap, where the subscriber pays for what comes then', () => {
  const CAP = 300_000;
  const granted = () => world.dispatch.grant({ sponsoredOctetsCap: CAP, atCap: 'subscriber_pays' });
  const reportedOf = (sessionId: string): number => {
    const { uplinkOctets, downlinkOctets } = world.dispatch.octetsOf(sessionId);
    return uplinkOctets + downlinkOctets;
  };
  /** These octets are reported, and no more of them. */
  const expectReported = async (sessionId: string, octets: number): Promise<void> => {
    await expect.poll(() => reportedOf(sessionId), { timeout: 5000 }).toBe(octets);
    await pause(250);
    expect(reportedOf(sessionId)).toBe(octets);
  };

  test('the connection with the tag is closed: the sponsor pays all of it and nothing of what follows, to the octet', async () => {
    const session = await granted();
    const { sessionId } = session.terms;
    const video = tagOf(session.terms, { contentType: 'video' });
    const tagged = await tunnel(session, tagLine(video), `localhost:${videos.port}`);
    expect(tagged.status).toBe(200);
    await readAll(tagged.socket);
    tagged.socket.end();
    await until(() => world.proxy.figures().connections === 0);
    expect(tagged.socket.bytesRead + tagged.socket.bytesWritten).toBe(CAP);
    await expectReported(sessionId, CAP);
    // With the tag nothing is admitted any more, or the network would take it for the sponsor's.
    expect(await tunnel(session, tagLine(tagOf(session.terms)))).toMatchObject({ status: 403, reason: 'cap_reached' });
    const untagged = await tunnel(session, '');
    expect(untagged.status).toBe(200);
    untagged.socket.end(BLOCK);
    expect(await readAll(untagged.socket)).toBe(BLOCK.length);
    await expectReported(sessionId, CAP);
  });

  test('an upload with the tag is reported with what was read away while it closed', async () => {
    const session = await granted();
    const { socket, status } = await tunnel(session, tagLine(tagOf(session.terms)));
    expect(status).toBe(200);
    socket.resume();
    socket.write(Buffer.alloc(CAP));
    socket.end();
    await gone(socket);
    await until(() => world.proxy.figures().connections === 0);
    await expectReported(session.terms.sessionId, socket.bytesRead + socket.bytesWritten);
  });

  test('a relay with the tag gets a notice and is closed, and is reported to the octet', async () => {
    const { terms, token } = await world.dispatch.grant({ sponsoredOctetsCap: 2000, atCap: 'subscriber_pays' });
    const raw = await countingConnection(portOf(world.proxy.endpoints.relay));
    const relay = new WebSocket(`${world.proxy.endpoints.relay}/v1/relay/text`, {
      headers: { authorization: `Bearer ${token}`, 'zerorate-tag': world.dispatch.tag(terms) },
      createConnection: () => raw as never,
    });
    const notices: unknown[] = [];
    relay.on('message', (data) => notices.push(JSON.parse(String(data))));
    await once(relay, 'open');
    relay.send(Buffer.alloc(3000));
    const [code] = await once(relay, 'close');
    expect(code).toBe(1008);
    expect(notices).toContainEqual({ type: 'closing', reason: 'cap_reached' });
    await until(() => world.proxy.figures().connections === 0);
    await expectReported(terms.sessionId, raw.bytesRead + raw.bytesWritten);
  });

  test('a connection without the tag is the subscriber’s before the cap, too, and in no report', async () => {
    const session = await granted();
    const { socket, status } = await tunnel(session, '');
    expect(status).toBe(200);
    socket.end(BLOCK);
    expect(await readAll(socket)).toBe(BLOCK.length);
    expect(socket.bytesRead).toBe(ESTABLISHED_OCTETS + BLOCK.length);
    await expectReported(session.terms.sessionId, 0);
    expect((await tunnel(session, tagLine(tagOf(session.terms)))).status).toBe(200);
  });
});

describe('a session tag elsewhere', () => {
  test('goes with the relay’s upgrade, and the relay is refused without it', async () => {
    const { terms, token } = await world.dispatch.grant();
    const url = `${world.proxy.endpoints.relay}/v1/relay/text`;
    const authorization = `Bearer ${token}`;
    const good = new WebSocket(url, { headers: { authorization, 'zerorate-tag': world.dispatch.tag(terms) } });
    await once(good, 'open');
    good.close();
    const refusalOf = async (headers: Record<string, string>) => {
      const [, response] = await once(
        new WebSocket(url, { headers }).on('error', () => {}),
        'unexpected-response',
      );
      return response.headers['zerorate-reason'];
    };
    expect(await refusalOf({ authorization })).toBe('tag_missing');
    expect(await refusalOf({ authorization, 'zerorate-tag': tagOf(terms) })).toBe('tag_foreign');
  });

  test('in an upgrade that is no WebSocket handshake is in no report: the network has not seen it accepted', async () => {
    const { terms, token } = await world.dispatch.grant();
    const raw = await countingConnection(portOf(world.proxy.endpoints.relay));
    const headers = `authorization: Bearer ${token}\r\n${tagLine(world.dispatch.tag(terms))}`;
    raw.write(`GET /v1/relay/text HTTP/1.1\r\nhost: p\r\nconnection: upgrade\r\nupgrade: websocket\r\n${headers}\r\n`);
    const [answer] = await once(raw, 'data');
    expect(String(answer)).toMatch(/^HTTP\/1\.1 400 /);
    await gone(raw);
    raw.destroy();
    await world.dispatch.announce({ ...terms, revision: 2, state: 'ended' });
    await until(() => world.dispatch.reportsOf(terms.sessionId).some(({ kind }) => kind === 'end'));
    expect(world.dispatch.octetsOf(terms.sessionId)).toEqual({ uplinkOctets: 0, downlinkOctets: 0 });
  });

  test('goes behind the proof in the SOCKS5 password', async () => {
    const { terms } = await world.dispatch.grant();
    const proof = socks5Password(Buffer.from(terms.sessionKey, 'base64url'), terms.tokenId);
    const replyTo = async (password: string): Promise<number> => socks5Reply(terms.tokenId, password);
    expect(await replyTo(taggedSocks5Password(proof, tagOf(terms)))).toBe(0);
    expect(await replyTo(proof)).toBe(2);
    expect(await replyTo(taggedSocks5Password(proof, world.dispatch.tag(terms)))).toBe(2);
    expect(await replyTo(`${taggedSocks5Password(proof, tagOf(terms))}.`)).toBe(2);
  });

  test('is handed out to the session’s terminal alone', async () => {
    const granted = await world.dispatch.grant();
    const sessionTags = { text: world.dispatch.tag(granted.terms) };
    await world.dispatch.announce({ ...granted.terms, revision: 2, sessionTags });
    const url = `${world.proxy.endpoints.relay.replace('ws:', 'http:')}/v1/session-tags`;
    const answer = await fetch(url, { headers: { authorization: `Bearer ${granted.token}` } });
    expect(await answer.json()).toEqual({ sessionTags, expiresAtMs: granted.terms.tokenExpiresAtMs });
    expect((await fetch(url)).status).toBe(401);
    expect((await fetch(url, { headers: { authorization: 'Bearer x' } })).status).toBe(401);
  });
});

test('an application that takes none refuses it by name', async () => {
  const other = await startWorld({
    application: { hosts: [{ host: '127.0.0.1', ports: [images.port], contentType: 'image' }] },
  });
  try {
    const granted = await other.dispatch.grant();
    const answer = await openTunnel(other.proxy.endpoints.connect, `127.0.0.1:${images.port}`, {
      authorization: basic(granted),
      headers: tagLine(other.dispatch.tag(granted.terms, { contentType: 'image' })),
    });
    expect(answer).toMatchObject({ status: 403, reason: 'tag_from_terminal' });
  } finally {
    await other.stop();
  }
});

/** The reply to a request to connect to the image host. */
async function socks5Reply(user: string, password: string): Promise<number> {
  const socket: Socket = connect(portOf(world.proxy.endpoints.socks5), '127.0.0.1');
  socket.write(Buffer.from([5, 1, 2]));
  const field = (text: string) => Buffer.concat([Buffer.from([text.length]), Buffer.from(text)]);
  socket.write(Buffer.concat([Buffer.from([1]), field(user), field(password)]));
  socket.write(Buffer.from([5, 1, 0, 1, 127, 0, 0, 1, images.port >> 8, images.port & 255]));
  let octets = Buffer.alloc(0);
  socket.on('data', (chunk) => {
    octets = Buffer.concat([octets, chunk]);
  });
  await until(() => octets.length >= 6 || socket.closed);
  socket.destroy();
  return octets[5];
}

async function countingConnection(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  return socket;
}
