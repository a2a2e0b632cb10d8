import { once } from 'node:events';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { SECRET } from './fake-dispatch.fixture.ts';
import { LINGER_OCTETS } from './linger.ts';
import { BUFFER_OCTETS } from './listener.ts';
import {
  basic,
  type FakeGateway,
  gone,
  openTunnel,
  readAll,
  startGateway,
  startUpstream,
  startWorld,
  type Upstream,
  until,
  type World,
} from './proxy.fixture.ts';

const READ_OCTETS = 65_536;
const CAP = 1_000_000;
let world: World;
let source: Upstream;
let sink: Upstream;
let gateway: FakeGateway;

beforeAll(async () => {
  const block = Buffer.alloc(100_000);
  // Sends without end, as fast as it is taken.
  source = await startUpstream((socket) => {
    const more = (): void => {
      while (!socket.destroyed && socket.write(block));
    };
    socket.on('drain', more);
    more();
  });
  sink = await startUpstream((socket) => socket.on('end', () => socket.end()));
  gateway = await startGateway();
  world = await startWorld({
    application: {
      zeroRatingTag: 'chatter',
      hosts: [
        { host: 'localhost', ports: [source.port], contentType: 'video' },
        { host: '127.0.0.1', ports: [sink.port], contentType: 'image' },
      ],
    },
    more: { gateway: { url: gateway.url } },
  });
});
afterAll(async () => {
  await world?.stop();
  await source?.stop();
  await sink?.stop();
  gateway?.stop();
});
beforeEach(() => {
  world.dispatch.quotaOctets = null;
  gateway.marks.length = 0;
});

const download = async (granted: Parameters<typeof basic>[0]) =>
  openTunnel(world.proxy.endpoints.connect, `localhost:${source.port}`, { authorization: basic(granted) });
const upload = async (granted: Parameters<typeof basic>[0]) =>
  openTunnel(world.proxy.endpoints.connect, `127.0.0.1:${sink.port}`, { authorization: basic(granted) });
const ended = async (sessionId: string) => {
  await until(() => world.dispatch.reportsOf(sessionId).some(({ kind }) => kind === 'end'), 'an end report');
  return world.dispatch.reportsOf(sessionId).find(({ kind }) => kind === 'end')?.ending;
};

describe('a session that may use no more', () => {
  test('is stopped in the middle of a download, at its cap to the octet', async () => {
    const granted = await world.dispatch.grant({ sponsoredOctetsCap: CAP });
    const { socket } = await download(granted);
    const received = await readAll(socket);
    socket.end();
    expect(await ended(granted.terms.sessionId)).toBe('cap_reached');
    const { uplinkOctets, downlinkOctets } = world.dispatch.octetsOf(granted.terms.sessionId);
    expect(uplinkOctets + downlinkOctets).toBe(CAP);
    expect(downlinkOctets).toBe(received + 'HTTP/1.1 200 Connection established\r\n\r\n'.length);
    expect(await download(granted)).toMatchObject({ status: 403, reason: 'session_over' });
  });

  test('is stopped where its share of the content is used up', async () => {
    const granted = await world.dispatch.grant({ sponsoredOctetsCap: CAP, contentShares: { video: 2500 } });
    await readAll((await download(granted)).socket);
    expect(await ended(granted.terms.sessionId)).toBe('cap_reached');
    const { uplinkOctets, downlinkOctets } = world.dispatch.octetsOf(granted.terms.sessionId);
    expect(Math.floor((uplinkOctets + downlinkOctets) / 4)).toBe(CAP);
  });

  test('is stopped in the middle of an upload, one read and what is read away later', async () => {
    const granted = await world.dispatch.grant({ sponsoredOctetsCap: CAP });
    const { socket } = await upload(granted);
    const before = sink.received;
    socket.on('error', () => {}).resume();
    const block = Buffer.alloc(100_000);
    while (!socket.destroyed && !socket.readableEnded) {
      if (!socket.write(block)) await Promise.race([once(socket, 'drain'), once(socket, 'close'), once(socket, 'end')]);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await ended(granted.terms.sessionId)).toBe('cap_reached');
    const { uplinkOctets } = world.dispatch.octetsOf(granted.terms.sessionId);
    expect(uplinkOctets).toBeGreaterThanOrEqual(CAP - 100);
    expect(uplinkOctets).toBeLessThanOrEqual(CAP + READ_OCTETS + LINGER_OCTETS + READ_OCTETS);
    expect(sink.received - before).toBeLessThanOrEqual(CAP + READ_OCTETS);
    socket.destroy();
  });

  test('learns from the answers to its reports that the quota is used up', async () => {
    world.dispatch.quotaOctets = CAP;
    const granted = await world.dispatch.grant({ sponsoredOctetsCap: 2 ** 40 });
    const { socket } = await upload(granted);
    socket.write(Buffer.alloc(CAP / 2));
    await until(() => world.dispatch.octetsOf(granted.terms.sessionId).uplinkOctets > CAP / 2);
    // The last answer is in force also when there are no answers any more.
    await until(() => world.dispatch.reportsOf(granted.terms.sessionId).length > 4);
    await world.dispatch.stop();
    socket.write(Buffer.alloc(CAP));
    await gone(socket);
    socket.end();
    await world.dispatch.start();
    expect(await ended(granted.terms.sessionId)).toBe('cap_reached');
    const { uplinkOctets, downlinkOctets } = world.dispatch.octetsOf(granted.terms.sessionId);
    expect(uplinkOctets + downlinkOctets).toBeGreaterThanOrEqual(CAP);
    expect(uplinkOctets + downlinkOctets).toBeLessThanOrEqual(CAP + 2 * READ_OCTETS + LINGER_OCTETS);
  });

  test('continues when it is granted more', async () => {
    const granted = await world.dispatch.grant({ sponsoredOctetsCap: CAP });
    const { socket } = await upload(granted);
    socket.write(Buffer.alloc(CAP - 1000));
    await until(() => world.dispatch.octetsOf(granted.terms.sessionId).uplinkOctets > CAP - 1000);
    expect(await world.dispatch.announce({ ...granted.terms, revision: 3, sponsoredOctetsCap: 2 * CAP })).toBe(204);
    // What was said before comes late, and changes nothing.
    expect(await world.dispatch.announce({ ...granted.terms, revision: 2, sponsoredOctetsCap: 10 })).toBe(204);
    await world.dispatch.announce({ ...granted.terms, revision: 3, sponsoredOctetsCap: 2 * CAP });
    socket.end(Buffer.alloc(CAP / 2));
    await readAll(socket);
    await until(() => world.dispatch.octetsOf(granted.terms.sessionId).uplinkOctets > CAP);
    expect(world.dispatch.reportsOf(granted.terms.sessionId).some(({ kind }) => kind === 'end')).toBe(false);
  });
});

describe('marks', () => {
  test('a tunnel is marked before its first octet, with what it carries', async () => {
    const granted = await world.dispatch.grant({ sponsoredOctetsCap: CAP });
    const { socket } = await upload(granted);
    expect(gateway.marks).toEqual([
      {
        proxyIp: '127.0.0.1',
        proxyPort: socket.remotePort,
        terminalIp: '127.0.0.1',
        terminalPort: socket.localPort,
        protocol: 6,
        zeroRatingTag: 'chatter',
        contentType: 'image',
      },
    ]);
    socket.destroy();
  });

  test('at its cap a session continues at the subscriber’s cost: without the tag, and in no report', async () => {
    const granted = await world.dispatch.grant({ sponsoredOctetsCap: CAP, atCap: 'subscriber_pays' });
    const { socket } = await download(granted);
    let received = 0;
    socket.on('data', (chunk) => {
      received += chunk.length;
    });
    await until(() => received > 3 * CAP);
    expect(gateway.marks.map(({ zeroRatingTag }) => zeroRatingTag)).toEqual(['chatter', null]);
    await until(() => world.dispatch.octetsOf(granted.terms.sessionId).downlinkOctets > CAP / 2);
    const { uplinkOctets, downlinkOctets } = world.dispatch.octetsOf(granted.terms.sessionId);
    expect(uplinkOctets + downlinkOctets).toBe(CAP);
    await world.dispatch.announce({ ...granted.terms, revision: 2, sponsoredOctetsCap: 2 * CAP });
    await until(() => world.dispatch.octetsOf(granted.terms.sessionId).downlinkOctets > CAP);
    expect(gateway.marks.map(({ zeroRatingTag }) => zeroRatingTag).slice(0, 3)).toEqual(['chatter', null, 'chatter']);
    socket.destroy();
  });

  test('content that the plan does not cover passes at the subscriber’s cost', async () => {
    const granted = await world.dispatch.grant({ atCap: 'subscriber_pays', contentShares: { text: 10_000 } });
    const { status, socket } = await upload(granted);
    expect(status).toBe(200);
    socket.end('hello');
    await readAll(socket);
    expect(gateway.marks).toEqual([]);
    await until(() => world.dispatch.reportsOf(granted.terms.sessionId).length > 2);
    expect(world.dispatch.octetsOf(granted.terms.sessionId)).toEqual({ uplinkOctets: 0, downlinkOctets: 0 });
  });

  test('without the gateway a tunnel continues unmarked, and that is counted', async () => {
    const failed = world.proxy.figures().flowMarksFailed;
    gateway.stop();
    const granted = await world.dispatch.grant();
    const { status, socket } = await upload(granted);
    expect(status).toBe(200);
    expect(world.proxy.figures().flowMarksFailed).toBe(failed + 1);
    const asked = await fetch(`${world.proxy.controlUrl}/v1/figures`, {
      headers: { authorization: `Bearer ${SECRET}` },
    });
    expect(asked.status).toBe(200);
    expect(await asked.json()).toEqual(JSON.parse(JSON.stringify(world.proxy.figures())));
    socket.destroy();
  });
});

describe('the dispatch server', () => {
  test('revokes a session: what runs ends, and nothing new begins', async () => {
    const granted = await world.dispatch.grant();
    const { socket } = await download(granted);
    socket.resume();
    await world.dispatch.announce({ ...granted.terms, revision: 2, state: 'revoked' });
    await gone(socket);
    socket.end();
    expect(await ended(granted.terms.sessionId)).toBe('revoked');
    expect(await download(granted)).toMatchObject({ reason: 'session_over' });
    expect(await world.dispatch.announce({ ...granted.terms, revision: 3 })).toBe(409);
  });

  test('is away: sessions continue to their cap, and are reported when it is back, each octet once', async () => {
    const granted = await world.dispatch.grant({ sponsoredOctetsCap: CAP });
    const { socket } = await upload(granted);
    await world.dispatch.stop();
    socket.write(Buffer.alloc(CAP / 2));
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(socket.destroyed).toBe(false);
    socket.write(Buffer.alloc(CAP));
    await gone(socket);
    socket.end();
    world.dispatch.lostAnswers = 2;
    await world.dispatch.start();
    expect(await ended(granted.terms.sessionId)).toBe('cap_reached');
    await until(() => world.proxy.figures().reportsWaiting === 0);
    const reports = world.dispatch.reportsOf(granted.terms.sessionId);
    expect(reports.map(({ sequence }) => sequence)).toEqual(reports.map((_, at) => at + 1));
    const { uplinkOctets, downlinkOctets } = world.dispatch.octetsOf(granted.terms.sessionId);
    expect(uplinkOctets + downlinkOctets).toBeGreaterThanOrEqual(CAP);
    expect(uplinkOctets + downlinkOctets).toBeLessThanOrEqual(CAP + 2 * READ_OCTETS + LINGER_OCTETS);
  });

  test('is refused with another secret, or for another application', async () => {
    const { terms } = await world.dispatch.grant();
    const put = (body: object, authorization: string) =>
      fetch(`${world.proxy.controlUrl}/v1/sessions/${terms.sessionId}`, {
        method: 'PUT',
        headers: { authorization, 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
    expect((await put(terms, 'Bearer guess')).status).toBe(401);
    expect(await world.dispatch.announce({ ...terms, sessionId: 'one', applicationId: 'other' })).toBe(422);
    expect(await world.dispatch.announce({ ...terms, sessionId: 'one', revision: 0 })).toBe(400);
  });
});

test('a terminal that reads nothing is given no more than buffers hold', async () => {
  const granted = await world.dispatch.grant();
  const { socket } = await download(granted);
  socket.pause();
  let before = -1;
  // Until nothing moves any more: the kernel's buffers are full, and the proxy reads no further.
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, 300));
    const { downlinkOctets } = world.dispatch.octetsOf(granted.terms.sessionId);
    if (downlinkOctets === before && downlinkOctets > 0) break;
    before = downlinkOctets;
  }
  const held = before - socket.bytesRead;
  expect(held).toBeLessThan(16 * 1024 * 1024 + BUFFER_OCTETS);
  socket.destroy();
});
