import { once } from 'node:events';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import * as z from 'zod';
import { createLogger } from '../telemetry/logger.ts';
import { createGuardedServer, type GuardedServer, type HttpGuardOptions } from './http-guard.ts';
import { type HttpLimits, httpLimitsSchema } from './http-limits-schema.ts';

const OPERATOR = 'Bearer operator';
const PROXY = 'Bearer proxy';
const MANY = { requests: 1_000_000, intervalMs: 60_000 };

let guarded: GuardedServer;
let handled: string[];
const dialled: Socket[] = [];
afterEach(async () => {
  for (const socket of dialled.splice(0)) socket.destroy();
  await guarded.server.close();
});

interface Start {
  limits?: Partial<HttpLimits>;
  rates?: Partial<Record<'public' | 'secret' | 'operator', HttpGuardOptions['rates']['byAddress']['public']>>;
  trustedProxies?: string[];
}

async function start({ limits = {}, rates = {}, trustedProxies = [] }: Start = {}): Promise<GuardedServer> {
  handled = [];
  guarded = await createGuardedServer({
    name: 'test',
    logger: createLogger({ level: 'silent', format: 'json' }),
    limits: httpLimitsSchema.parse(limits),
    limitsField: 'limits',
    rates: {
      byAddress: { public: rates.public ?? MANY, secret: rates.secret ?? MANY },
      byIdentity: { operator: rates.operator ?? MANY, proxy: MANY },
    },
    identify: ({ headers: { authorization } }) => {
      if (authorization === OPERATOR) return { kind: 'operator', key: 'operator' };
      return authorization === PROXY ? { kind: 'proxy', key: 'proxy' } : null;
    },
    unauthorized: () => ({ reason: 'secret_invalid', message: 'another secret' }),
    trustedProxies,
  });
  const { server } = guarded;
  server.get('/open', { config: { access: 'public' } }, async () => ({ open: true }));
  server.post<{ Body: { items: unknown[] } }>('/items/:id', {
    config: { access: 'operator' },
    bodyLimit: 100_000,
    schema: {
      body: z.strictObject({ items: z.array(z.strictObject({ a: z.string().max(5), b: z.int() })).max(100_000) }),
    },
    handler: async ({ body: { items } }) => {
      handled.push(`${items.length} items`);
      return { items: items.length };
    },
  });
  server.get('/endless', { config: { access: 'public' } }, async (_, reply) => {
    async function* lines() {
      for (;;) {
        yield 'x'.repeat(65_536);
        await pause(1);
      }
    }
    const { Readable } = await import('node:stream');
    return reply.type('text/plain').send(Readable.from(lines()));
  });
  await server.listen({ host: '127.0.0.1', port: 0 });
  return guarded;
}

const port = () => (guarded.server.server.address() as AddressInfo).port;

async function dial(localAddress = '127.0.0.1'): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port: port(), localAddress });
  dialled.push(socket);
  socket.on('error', () => {});
  await once(socket, 'connect');
  return socket;
}

/** Everything until the server closes. */
async function answerOf(socket: Socket): Promise<string> {
  let text = '';
  socket.on('data', (chunk) => {
    text += chunk.toString('latin1');
  });
  if (!socket.closed) await once(socket, 'close');
  return text;
}

async function exchange(request: string, localAddress?: string): Promise<string> {
  const socket = await dial(localAddress);
  socket.write(request);
  return answerOf(socket);
}

const get = (path: string, headers = '') => `GET ${path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n${headers}\r\n`;
const statusOf = (answer: string) => Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1]);
const reasonOf = (answer: string) => /"reason":"(\w+)"/.exec(answer)?.[1];

function post(body: string, { authorization = OPERATOR, type = 'application/json' } = {}): Promise<string> {
  const head = `POST /items/1 HTTP/1.1\r\nhost: a\r\nconnection: close\r\nauthorization: ${authorization}\r\n`;
  return exchange(`${head}content-type: ${type}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
}

describe('a refusal has its status and one shape', () => {
  test.each([
    ['an unknown path', get('/none'), 404, 'path_unknown'],
    ['another method', `DELETE /open HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n`, 405, 'method_not_allowed'],
    [
      'a method that wants a body',
      `QUERY /open HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n`,
      405,
      'method_not_allowed',
    ],
    ['a long URL', get(`/${'u'.repeat(3000)}`), 414, 'url_too_long'],
    ['a URL longer than all headers may be', get(`/${'u'.repeat(20_000)}`), 414, 'url_too_long'],
    ['long headers', get('/open', `x: ${'h'.repeat(20_000)}\r\n`), 431, 'headers_too_long'],
    ['a broken URL', get('/%ff'), 400, 'invalid_request'],
    ['no HTTP', 'hello\r\n\r\n', 400, 'invalid_request'],
    ['no secret', get('/items/1').replace('GET', 'POST'), 401, 'secret_invalid'],
    [
      'a secret of another kind',
      get('/items/1', `authorization: ${PROXY}\r\n`).replace('GET', 'POST'),
      401,
      'secret_invalid',
    ],
  ])('%s', async (_, request, status, reason) => {
    await start();
    const answer = await exchange(request);
    expect([statusOf(answer), reasonOf(answer)]).toEqual([status, reason]);
    expect(answer).toMatch(/content-type: application\/json/i);
  });

  test('405 names the methods that the path takes', async () => {
    await start();
    expect(await exchange(get('/items/7', `authorization: ${OPERATOR}\r\n`))).toMatch(/\r\nallow: POST\r\n/);
    expect(await exchange(get('/open').replace('GET', 'PUT'))).toMatch(/\r\nallow: GET, HEAD\r\n/);
  });

  test.each([
    ['no JSON', '{', 400, 'invalid_request'],
    ['no UTF-8', '"\u00ff"', 400, 'invalid_request'],
    ['a deep one', '['.repeat(40_000), 400, 'invalid_request'],
    ['a large one', 'x'.repeat(100_001), 413, 'body_too_large'],
  ])('a body: %s', async (_, body, status, reason) => {
    await start();
    const answer = await post(body);
    expect([statusOf(answer), reasonOf(answer)]).toEqual([status, reason]);
    expect(handled).toEqual([]);
  });

  test('a body that is not JSON by its type', async () => {
    await start();
    expect(statusOf(await post('{}', { type: 'text/plain' }))).toBe(415);
  });
});

test('a body of many faults is answered with the first, in the time of one', async () => {
  await start();
  const items = `{"items":[${Array(49_000).fill(0).join()}]}`;
  const answer = await post(items);
  expect(statusOf(answer)).toBe(400);
  expect(answer).toMatch(/items\[0\]: Invalid input/);
  expect(answer.length).toBeLessThan(1000);
  const fields = Object.fromEntries(Array.from({ length: 9000 }, (_, i) => [`k${i}`, 1]));
  expect((await post(JSON.stringify({ items: [], ...fields }))).length).toBeLessThan(1000);
});

test('a request without its secret is answered before its body comes, and its connection ends', async () => {
  await start();
  const head = 'POST /items/1 HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 90000\r\n\r\n';
  const answer = await exchange(head);
  expect([statusOf(answer), reasonOf(answer)]).toEqual([401, 'secret_invalid']);
  const chunked = 'POST /items/1 HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n';
  expect(statusOf(await exchange(chunked))).toBe(401);
});

test('a flood without a secret from the same address does not use up the rate of the operator, nor of other addresses', async () => {
  await start({ rates: { public: { requests: 3, intervalMs: 60_000 }, secret: { requests: 2, intervalMs: 60_000 } } });
  const statuses = async (request: string, times: number, from?: string) => {
    const all: number[] = [];
    for (let i = 0; i < times; i++) all.push(statusOf(await exchange(request, from)));
    return all;
  };
  expect(await statuses(get('/open'), 5)).toEqual([200, 200, 200, 429, 429]);
  expect(await statuses(get('/none'), 1)).toEqual([429]);
  expect(await statuses(get('/%ff'), 1)).toEqual([429]);
  expect(await statuses(get('/items/1').replace('GET', 'POST'), 3)).toEqual([401, 401, 429]);
  expect(await statuses(get('/open', `authorization: ${OPERATOR}\r\n`), 4)).toEqual([200, 200, 200, 200]);
  expect(statusOf(await post('{"items":[]}'))).toBe(200);
  expect(await statuses(get('/open'), 1, '127.0.0.2')).toEqual([200]);
});

test('the operator has a rate of its own', async () => {
  await start({ rates: { operator: { requests: 1, intervalMs: 60_000 } } });
  expect(statusOf(await post('{"items":[]}'))).toBe(200);
  const answer = await post('{"items":[]}');
  expect(statusOf(answer)).toBe(429);
  expect(answer).toMatch(/\r\nretry-after: \d+\r\n/);
});

test('addresses of one IPv6 /64 share a rate', async () => {
  await start({ rates: { public: { requests: 2, intervalMs: 60_000 } }, trustedProxies: ['127.0.0.1'] });
  const from = async (address: string) => statusOf(await exchange(get('/open', `x-forwarded-for: ${address}\r\n`)));
  expect(await from('2001:db8:0:1::1')).toBe(200);
  expect(await from('2001:db8::1:ffff:0:0:2')).toBe(200);
  expect(await from('2001:db8:0:1::3')).toBe(429);
  expect(await from('2001:db8:0:2::1')).toBe(200);
});

describe('what is slow is ended', () => {
  const limits = {
    headersTimeoutMs: 200,
    bodyTimeoutMs: 200,
    requestTimeoutMs: 2000,
    keepAliveTimeoutMs: 200,
    idleTimeoutMs: 400,
  };

  test('headers, one byte after the other', async () => {
    await start({ limits });
    const socket = await dial();
    socket.write('GET /open HTTP/1.1\r\nx: ');
    const timer = setInterval(() => socket.writable && socket.write('G'), 20);
    const answer = await answerOf(socket);
    clearInterval(timer);
    expect([statusOf(answer), reasonOf(answer)]).toEqual([408, 'request_timeout']);
  });

  test('a body', async () => {
    await start({ limits });
    const socket = await dial();
    const head = `POST /items/1 HTTP/1.1\r\nhost: a\r\nauthorization: ${OPERATOR}\r\ncontent-type: application/json\r\n`;
    socket.write(`${head}content-length: 5000\r\n\r\n`);
    const timer = setInterval(() => socket.writable && socket.write(' '), 20);
    const answer = await answerOf(socket);
    clearInterval(timer);
    expect([statusOf(answer), reasonOf(answer)]).toEqual([408, 'request_timeout']);
    expect(handled).toEqual([]);
  });

  test.each([
    ['a connection that sends nothing', ''],
    ['a connection between two requests', 'GET /open HTTP/1.1\r\nhost: a\r\n\r\n'],
  ])('%s', async (_, request) => {
    await start({ limits });
    const socket = await dial();
    socket.write(request);
    await answerOf(socket);
    while (guarded.connections.open > 0) await pause(5);
  });

  test('a client that never reads', async () => {
    await start({ limits });
    const socket = await dial();
    socket.pause();
    socket.write(get('/endless'));
    while (guarded.connections.open > 0) await pause(20);
  });
});

describe('connections are bounded', () => {
  test('by address: idle ones make room, and other addresses and the operator are served', async () => {
    await start({ limits: { connectionsPerAddress: 10, connections: 1000 } });
    const operator = await dial();
    const ask = async () => {
      operator.write(`GET /open HTTP/1.1\r\nhost: a\r\nauthorization: ${OPERATOR}\r\n\r\n`);
      return statusOf(String((await once(operator, 'data'))[0]));
    };
    expect(await ask()).toBe(200);
    await Promise.all(Array.from({ length: 100 }, () => dial()));
    while (guarded.connections.closed.address < 91) await pause(5);
    expect(guarded.connections.open).toBe(10);
    expect(await ask()).toBe(200);
    expect(statusOf(await exchange(get('/open')))).toBe(200);
    expect(statusOf(await exchange(get('/open'), '127.0.0.2'))).toBe(200);
  });

  test('in all, whatever their addresses', async () => {
    await start({ limits: { connectionsPerAddress: 10, connections: 20 } });
    await Promise.all(Array.from({ length: 90 }, (_, i) => dial(`127.0.0.${10 + (i % 9)}`)));
    while (guarded.connections.closed.total + guarded.connections.closed.address < 70) await pause(5);
    expect(guarded.connections.open).toBe(20);
    expect(statusOf(await exchange(get('/open')))).toBe(200);
  });

  test('those of a trusted reverse proxy are bounded in all only', async () => {
    await start({ limits: { connectionsPerAddress: 2, connections: 50 }, trustedProxies: ['127.0.0.0/8'] });
    await Promise.all(Array.from({ length: 20 }, () => dial()));
    while (guarded.connections.open < 20) await pause(5);
    expect(guarded.connections.closed).toEqual({ address: 0, total: 0 });
  });
});

test('pipelined requests are counted one by one', async () => {
  await start({ rates: { public: { requests: 5, intervalMs: 60_000 } } });
  const answer = await exchange('GET /open HTTP/1.1\r\nhost: a\r\n\r\n'.repeat(20) + get('/open'));
  const statuses = [...answer.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status);
  expect(statuses.length).toBeGreaterThan(0);
  expect(statuses.filter((status) => status === '200').length).toBeLessThanOrEqual(5);
});

test('a route that does not say its access, or how large its body may be, is found at the start', async () => {
  await start();
  const { server } = await createGuardedServer({
    name: 'test',
    logger: createLogger({ level: 'silent', format: 'json' }),
    limits: httpLimitsSchema.parse({}),
    limitsField: 'limits',
    rates: { byAddress: { public: MANY, secret: MANY }, byIdentity: {} },
    identify: () => null,
    unauthorized: () => ({ reason: 'secret_invalid', message: '' }),
  });
  expect(() => server.get('/a', async () => null)).toThrow(/access/);
  const schema = { body: z.strictObject({}) };
  expect(() => server.post('/b', { schema, config: { access: 'public' } }, async () => null)).toThrow(/bodyLimit/);
});
