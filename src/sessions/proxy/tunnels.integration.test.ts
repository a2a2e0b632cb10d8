import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  basic,
  echo,
  openTunnel,
  readAll,
  startCountingRelay,
  startUpstream,
  startWorld,
  type Upstream,
  until,
  type World,
} from './proxy.fixture.ts';

let world: World;
let upstream: Upstream;
const names = new Map<string, string[]>();

beforeAll(async () => {
  upstream = await startUpstream(echo);
  const ports = [upstream.port];
  world = await startWorld({
    application: {
      hosts: [
        { host: 'localhost', ports, contentType: 'image' },
        { host: '*.chat.example', ports, contentType: 'video' },
        { host: 'rebound.example', ports },
        { host: '127.0.0.1', ports },
        { host: 'gone.example', ports },
      ],
    },
    more: { limits: { connectionsPerSession: 3, connectTimeoutMs: 500 } },
    resolve: async (host) => {
      if (host === 'slow.chat.example') return new Promise(() => {});
      const addresses = names.get(host);
      if (addresses === undefined) throw new Error(`no such name: ${host}`);
      return addresses;
    },
  });
  names.set('localhost', ['127.0.0.1']);
  names.set('a.chat.example', ['127.0.0.1']);
});
afterAll(async () => {
  await world?.stop();
  await upstream?.stop();
});

const here = () => `localhost:${upstream.port}`;
const ask = (destination: string, options: Parameters<typeof openTunnel>[2]) =>
  openTunnel(world.proxy.endpoints.connect, destination, options);

describe('octets', () => {
  test('of a tunnel are those of the connection, head and answer included, by what its host carries', async () => {
    const relay = await startCountingRelay(Number(new URL(world.proxy.endpoints.connect).port));
    const granted = await world.dispatch.grant();
    const { status, socket } = await ask(`a.chat.example:${upstream.port}`, {
      authorization: basic(granted),
      port: relay.port,
    });
    expect(status).toBe(200);
    socket.end(Buffer.alloc(300_000, 1));
    expect(await readAll(socket)).toBe(300_000);
    const { sessionId } = granted.terms;
    await until(() => world.dispatch.octetsOf(sessionId).uplinkOctets === relay.uplinkOctets);
    expect(relay.uplinkOctets).toBeGreaterThan(300_000);
    expect(world.dispatch.octetsOf(sessionId)).toEqual({
      uplinkOctets: relay.uplinkOctets,
      downlinkOctets: relay.downlinkOctets,
    });
    const reports = world.dispatch.reportsOf(sessionId);
    expect(reports.map(({ sequence }) => sequence)).toEqual(reports.map((_, at) => at + 1));
    expect(reports[0]).toMatchObject({ kind: 'start', usage: [], proxyId: 'proxy-1' });
    expect(new Set(reports.flatMap(({ usage }) => usage.map(({ contentType }) => contentType)))).toEqual(
      new Set(['video']),
    );
    relay.stop();
  });

  test('of two tunnels at once are both counted', async () => {
    const granted = await world.dispatch.grant();
    const sizes = [100_000, 200_000];
    for (const size of await Promise.all(
      sizes.map(async (size) => {
        const { socket } = await ask(here(), { authorization: `Bearer ${granted.token}` });
        socket.end(Buffer.alloc(size));
        return readAll(socket);
      }),
    ))
      expect(sizes).toContain(size);
    await until(() => world.dispatch.octetsOf(granted.terms.sessionId).downlinkOctets >= 300_000);
  });
});

describe('refused', () => {
  test('without a token, with the challenge that browsers wait for', async () => {
    expect(await ask(here(), {})).toMatchObject({ status: 407, reason: 'token_missing' });
  });

  test.each<[string, () => Promise<{ authorization: string; headers?: string }>, number, string]>([
    [
      'a forged token',
      async () => {
        const { terms } = await world.dispatch.grant();
        const { privateKey } = generateKeyPairSync('ed25519');
        return { authorization: `Bearer ${await world.dispatch.sign(terms, {}, privateKey)}` };
      },
      407,
      'token_invalid',
    ],
    [
      'a token of an unknown key',
      async () => {
        const { terms } = await world.dispatch.grant();
        const { privateKey } = generateKeyPairSync('ed25519');
        return { authorization: `Bearer ${await world.dispatch.sign(terms, {}, privateKey, 'key-9')}` };
      },
      407,
      'token_invalid',
    ],
    ['no token at all', async () => ({ authorization: 'Bearer x' }), 407, 'token_invalid'],
    [
      'a user who is not the session',
      async () => {
        const granted = await world.dispatch.grant();
        return { authorization: basic({ ...granted, terms: { ...granted.terms, sessionId: 'another' } }) };
      },
      407,
      'token_invalid',
    ],
    [
      'an expired token',
      async () => {
        const { token } = await world.dispatch.grant({}, { exp: Math.floor(Date.now() / 1000) - 1 });
        return { authorization: `Bearer ${token}` };
      },
      407,
      'token_expired',
    ],
    [
      "another proxy's token",
      async () => {
        const { token } = await world.dispatch.grant({}, { aud: 'proxy-2' });
        return { authorization: `Bearer ${token}` };
      },
      403,
      'other_proxy',
    ],
    [
      'a session that was not announced',
      async () => {
        const { terms } = await world.dispatch.grant();
        return { authorization: `Bearer ${await world.dispatch.sign(terms, { sessionId: 'never' })}` };
      },
      403,
      'session_unknown',
    ],
    [
      'a session that was revoked',
      async () => {
        const { token } = await world.dispatch.grant({ state: 'revoked' });
        return { authorization: `Bearer ${token}` };
      },
      403,
      'session_over',
    ],
    [
      'a token from another address than it was given to',
      async () => {
        const { token } = await world.dispatch.grant({ terminalIp: '127.0.0.2' });
        return { authorization: `Bearer ${token}` };
      },
      403,
      'token_replayed',
    ],
    [
      'a token whose address is not the session’s',
      async () => {
        const { token } = await world.dispatch.grant({}, { terminalIp: '127.0.0.2' });
        return { authorization: `Bearer ${token}` };
      },
      403,
      'token_replayed',
    ],
    [
      'a tag that the terminal wrote itself',
      async () => {
        const { token } = await world.dispatch.grant();
        return { authorization: `Bearer ${token}`, headers: 'Zero-Rating-Tag: chatter\r\n' };
      },
      403,
      'tag_from_terminal',
    ],
    [
      'content that the plan does not cover',
      async () => {
        const { token } = await world.dispatch.grant({ contentShares: { text: 10_000 } });
        return { authorization: `Bearer ${token}` };
      },
      403,
      'content_not_covered',
    ],
  ])('%s', async (_, make, status, reason) => {
    const before = upstream.connections;
    const answer = await ask(here(), await make());
    expect(answer).toMatchObject({ status, reason });
    answer.socket.destroy();
    expect(upstream.connections).toBe(before);
  });

  test.each<[string, string, () => string, number, string]>([
    ['a host that is not the application’s', '', () => `example.com:${upstream.port}`, 403, 'host_not_allowed'],
    ['a port that is not', '', () => 'localhost:1', 403, 'host_not_allowed'],
    ['a name that ends like an allowed one', '', () => `evilchat.example:${upstream.port}`, 403, 'host_not_allowed'],
    ['no host at all', '', () => '/', 403, 'host_not_allowed'],
    [
      'a name that leads into a private network',
      '10.0.0.1',
      () => `rebound.example:${upstream.port}`,
      403,
      'private_destination',
    ],
    [
      'a name that leads there beside a public address',
      '8.8.8.8,169.254.169.254',
      () => `rebound.example:${upstream.port}`,
      403,
      'private_destination',
    ],
    [
      'a name that leads there in IPv6',
      '::ffff:192.168.0.1',
      () => `rebound.example:${upstream.port}`,
      403,
      'private_destination',
    ],
    ['a name that is unknown', '', () => `gone.example:${upstream.port}`, 502, 'upstream_failed'],
  ])('%s', async (_, addresses, destination, status, reason) => {
    if (addresses !== '') names.set('rebound.example', addresses.split(','));
    const granted = await world.dispatch.grant();
    const answer = await ask(destination(), { authorization: basic(granted) });
    expect(answer).toMatchObject({ status, reason });
    answer.socket.destroy();
  });

  test('one connection more than a session may have', async () => {
    const granted = await world.dispatch.grant();
    const open = await Promise.all([1, 2, 3].map(() => ask(here(), { authorization: basic(granted) })));
    expect(await ask(here(), { authorization: basic(granted) })).toMatchObject({
      status: 429,
      reason: 'too_many_connections',
    });
    open[0].socket.end();
    await once(open[0].socket.resume(), 'close');
    await until(() => world.proxy.figures().connections <= 3);
    const again = await ask(here(), { authorization: basic(granted) });
    expect(again.status).toBe(200);
    for (const { socket } of [...open, again]) socket.destroy();
  });
});

test('a host is resolved once: what was looked at is what is dialled', async () => {
  let times = 0;
  names.set('rebound.example', ['127.0.0.1']);
  const addresses = names.get.bind(names);
  names.get = (host) => {
    if (host !== 'rebound.example') return addresses(host);
    times++;
    return times === 1 ? ['127.0.0.1'] : ['10.0.0.1'];
  };
  const granted = await world.dispatch.grant();
  const { status, socket } = await ask(`rebound.example:${upstream.port}`, { authorization: basic(granted) });
  expect({ status, times }).toEqual({ status: 200, times: 1 });
  socket.destroy();
  names.get = addresses;
});

test('a name that is not answered is given up', async () => {
  const granted = await world.dispatch.grant();
  const answer = await ask(`slow.chat.example:${upstream.port}`, { authorization: basic(granted) });
  expect(answer).toMatchObject({ status: 502, reason: 'upstream_failed' });
  answer.socket.destroy();
});

test('unknown keys make the proxy ask the dispatch server once, however many come', async () => {
  const { terms } = await world.dispatch.grant();
  const { privateKey } = generateKeyPairSync('ed25519');
  const before = world.dispatch.keyFetches;
  const asked = Array.from({ length: 20 }, async (_, at) => {
    const token = await world.dispatch.sign(terms, {}, privateKey, `key-${at + 100}`);
    const { socket, ...answer } = await ask(here(), { authorization: `Bearer ${token}` });
    socket.destroy();
    return answer;
  });
  for (const answer of await Promise.all(asked)) expect(answer).toMatchObject({ status: 407, reason: 'token_invalid' });
  expect(world.dispatch.keyFetches - before).toBeLessThanOrEqual(1);
});
