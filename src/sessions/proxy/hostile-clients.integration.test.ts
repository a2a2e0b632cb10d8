import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SECRET } from './fake-dispatch.fixture.ts';
import {
  basic,
  configOf,
  echo,
  gone,
  openTunnel,
  startProxy,
  startUpstream,
  startWorld,
  type Upstream,
  until,
  type World,
} from './proxy.fixture.ts';

let world: World;
let upstream: Upstream;

beforeAll(async () => {
  upstream = await startUpstream(echo);
  world = await startWorld({
    application: { hosts: [{ host: 'localhost', ports: [upstream.port] }] },
    more: {
      idle: { timeoutMs: 1500, promptTimeoutMs: 500 },
      limits: { handshakeTimeoutMs: 700, headerBytes: 4096, connections: 40, stallTimeoutMs: 1000 },
    },
  });
});
afterAll(async () => {
  await world?.stop();
  await upstream?.stop();
});

async function dial(url: string): Promise<Socket> {
  const socket = connect({ port: Number(new URL(url).port), host: '127.0.0.1' });
  socket.on('error', () => {});
  await once(socket, 'connect');
  return socket;
}

async function answerOf(socket: Socket): Promise<string> {
  let text = '';
  socket.on('data', (chunk) => {
    text += chunk.toString('latin1');
  });
  await gone(socket);
  return text;
}

describe.each(['connect', 'socks5', 'relay'] as const)('the endpoint of %s', (endpoint) => {
  test('lets a connection go that says nothing', async () => {
    await gone(await dial(world.proxy.endpoints[endpoint]));
  });

  test('lets one go that says one octet after the other', async () => {
    const socket = await dial(world.proxy.endpoints[endpoint]);
    const text = endpoint === 'socks5' ? `\x05\xff${'\x00'.repeat(200)}` : `GET / HTTP/1.1\r\nx: ${'y'.repeat(200)}`;
    let at = 0;
    const timer = setInterval(() => socket.writable && socket.write(text[at++ % text.length], 'latin1'), 30);
    await gone(socket);
    clearInterval(timer);
    expect(at).toBeLessThan(100);
  });

  test('outlives noise', async () => {
    const socket = await dial(world.proxy.endpoints[endpoint]);
    socket.write(Buffer.alloc(100_000, 0x16));
    await gone(socket);
  });
});

test('headers that are too large are refused', async () => {
  const socket = await dial(world.proxy.endpoints.connect);
  socket.write(`CONNECT localhost:1 HTTP/1.1\r\nhost: localhost\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`);
  expect(await answerOf(socket)).toMatch(/^HTTP\/1\.1 431 /);
});

test.each(['GET http://localhost/ HTTP/1.1', 'POST / HTTP/1.1'])('%s is not what is spoken here', async (line) => {
  const socket = await dial(world.proxy.endpoints.connect);
  socket.write(`${line}\r\nhost: localhost\r\n\r\n`);
  expect(await answerOf(socket)).toMatch(/^HTTP\/1\.1 405 /);
});

test('two requests that are hidden in one are none', async () => {
  const socket = await dial(world.proxy.endpoints.connect);
  socket.write('POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n');
  expect(await answerOf(socket)).toMatch(/^HTTP\/1\.1 400 /);
});

test('more connections than there may be are not taken, and those that were there continue', async () => {
  const granted = await world.dispatch.grant();
  const tunnel = await openTunnel(world.proxy.endpoints.connect, `localhost:${upstream.port}`, {
    authorization: basic(granted),
  });
  const many = await Promise.all(Array.from({ length: 60 }, () => dial(world.proxy.endpoints.connect)));
  await until(() => world.proxy.figures().connections === 40);
  tunnel.socket.write('hello');
  expect(String((await once(tunnel.socket, 'data'))[0])).toBe('hello');
  for (const socket of many) socket.destroy();
  tunnel.socket.destroy();
  await until(() => world.proxy.figures().connections === 0);
});

test('idle connections of one address close each other, and leave other addresses and open tunnels alone', async () => {
  const application = { hosts: [{ host: 'localhost', ports: [upstream.port] }] };
  const limits = { handshakeTimeoutMs: 60_000, connections: 100, connectionsPerAddress: 10 };
  const own = await startWorld({ application, more: { limits } });
  const { proxy } = own;
  try {
    const granted = await own.dispatch.grant();
    const destination = `localhost:${upstream.port}`;
    const tunnel = await openTunnel(proxy.endpoints.connect, destination, { authorization: basic(granted) });
    const endpoints = [proxy.endpoints.connect, proxy.endpoints.socks5, proxy.endpoints.relay];
    const idle = await Promise.all(Array.from({ length: 90 }, (_, at) => dial(endpoints[at % endpoints.length])));
    await until(() => idle.filter(({ closed }) => closed).length === 81);
    const elsewhere = connect({
      port: Number(new URL(endpoints[0]).port),
      host: '127.0.0.1',
      localAddress: '127.0.0.9',
    });
    await once(elsewhere, 'connect');
    await until(() => proxy.figures().connections === 11);
    tunnel.socket.write('hello');
    expect(String((await once(tunnel.socket, 'data'))[0])).toBe('hello');
    const metrics = await (
      await fetch(`${proxy.controlUrl}/metrics`, { headers: { authorization: `Bearer ${SECRET}` } })
    ).text();
    expect(metrics).toContain('zerorate_connections_closed_by_limit_total{listener="terminals",limit="address"} 81');
    for (const socket of [elsewhere, tunnel.socket, ...idle]) socket.destroy();
  } finally {
    await own.stop();
  }
});

test('a terminal that takes nothing is closed after a time', async () => {
  const granted = await world.dispatch.grant();
  const { socket } = await openTunnel(world.proxy.endpoints.connect, `localhost:${upstream.port}`, {
    authorization: basic(granted),
  });
  // What is echoed is never read: the buffers of both ways fill, one after the other.
  const block = Buffer.alloc(1_000_000);
  const timer = setInterval(() => socket.writable && socket.writableLength < 5e6 && socket.write(block), 10);
  await until(() => world.proxy.figures().connections === 0);
  clearInterval(timer);
  socket.destroy();
});

test('an idle tunnel cannot be asked, and is closed after the same time', async () => {
  const granted = await world.dispatch.grant();
  const { socket } = await openTunnel(world.proxy.endpoints.connect, `localhost:${upstream.port}`, {
    authorization: basic(granted),
  });
  await gone(socket);
  socket.end();
  await until(() => world.dispatch.reportsOf(granted.terms.sessionId).at(-1)?.ending === 'idle');
});

test('one token is good at one proxy: another one of the same dispatch server refuses it', async () => {
  const granted = await world.dispatch.grant();
  const application = { hosts: [{ host: 'localhost', ports: [upstream.port] }] };
  const other = await startProxy(configOf(world.dispatch, world.directory, { proxyId: 'proxy-2', application }));
  try {
    const answers = [];
    for (const { endpoints } of [other, world.proxy]) {
      const destination = `localhost:${upstream.port}`;
      const { reason, socket } = await openTunnel(endpoints.connect, destination, { authorization: basic(granted) });
      answers.push(reason);
      socket.destroy();
    }
    expect(answers).toEqual(['other_proxy', null]);
  } finally {
    await other.stop();
  }
});

test('a second proxy does not count in the spool of the first', async () => {
  await expect(startProxy(world.text)).rejects.toMatchObject({ code: 'data_directory_in_use' });
});
