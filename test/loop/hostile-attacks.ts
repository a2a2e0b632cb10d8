import { connect, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import type { Random } from '../../src/generator/random.ts';
import { askForSession } from './hostile-terminal.ts';
import type { HostileWorld } from './hostile-world.ts';

/** No attack takes longer. */
const WITHIN_MS = 20_000;
const MIB = 2 ** 20;

export interface Attack {
  name: string;
  /** Resolves when it is over, however it went. */
  run(world: HostileWorld, random: Random): Promise<void>;
}

type Target = keyof HostileWorld['ports'] | 'dispatch';

const portOf = (world: HostileWorld, target: Target) =>
  target === 'dispatch' ? world.dispatchPort : world.ports[target];
const addressOf = (random: Random) => `127.0.${random.integer(1, 20)}.${random.integer(1, 250)}`;
const pick = <T>(random: Random, from: readonly T[]): T => from[random.integer(0, from.length - 1)];

function octetsOf(random: Random, length: number): Buffer {
  const octets = Buffer.alloc(length);
  for (let at = 0; at + 4 <= length; at += 4) octets.writeUInt32LE(random.uint32(), at);
  return octets;
}

/** A connection from one of many addresses, which is gone after `ms` in any case. */
async function hold(
  world: HostileWorld,
  random: Random,
  target: Target,
  speak: (socket: Socket) => void | Promise<void>,
  { ms = WITHIN_MS, from = addressOf(random) }: { ms?: number; from?: string } = {},
): Promise<void> {
  await new Promise<void>((done) => {
    const socket = connect({ host: '127.0.0.1', port: portOf(world, target), localAddress: from });
    const late = setTimeout(() => socket.destroy(), ms);
    socket.on('error', () => {});
    socket.once('close', () => {
      clearTimeout(late);
      done();
    });
    socket.once('connect', () => {
      socket.resume();
      void Promise.resolve(speak(socket)).catch(() => socket.destroy());
    });
  });
}

async function post(
  world: HostileWorld,
  random: Random,
  { target = 'dispatch', method = 'POST', path, body, secret }: PostOptions,
): Promise<void> {
  const authorization = secret === undefined ? '' : `authorization: Bearer ${secret}\r\n`;
  const head = `${method} ${path} HTTP/1.1\r\nhost: x\r\n${authorization}content-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n`;
  await hold(world, random, target, (socket) => void socket.end(head + body), { ms: 10_000 });
}

interface PostOptions {
  target?: Target;
  method?: string;
  path: string;
  body: string;
  secret?: string;
}

const MALFORMED = [
  'GET / HTTP/9.9\r\n\r\n',
  'POST /v1/sessions HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nGET /metrics HTTP/1.1\r\n\r\n',
  'POST /v1/sessions HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n',
  'POST /v1/usage-reports HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nfffffffffffffff\r\n',
  'CONNECT 127.0.0.1:80 HTTP/1.1\r\nhost: x\r\nproxy-authorization: Basic ////\r\n\r\n',
  `GET /${'a'.repeat(70_000)} HTTP/1.1\r\nhost: x\r\n\r\n`,
  `GET / HTTP/1.1\r\nhost: x\r\n${'x: y\r\n'.repeat(20_000)}\r\n`,
  'GET /%00%ff/../../etc/passwd HTTP/1.1\r\nhost: x\r\n\r\n',
  '\0\0\0\0',
];

const forgedToken = (random: Random, header: object = { alg: 'none', typ: 'JWT' }) =>
  [header, { aud: 'proxy-1', sub: 'a', jti: String(random.uint32()), exp: 2 ** 31, sessionId: 'x' }]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .concat(octetsOf(random, 64).toString('base64url'))
    .join('.');

function sessionRequest(random: Random): string {
  const msisdn = String(491_700_000_000 + random.integer(100, 9_999_999));
  const identityAssertion = forgedToken(random, { alg: 'EdDSA', kid: 'operator-key', typ: 'zr-identity+jwt' });
  return JSON.stringify({ msisdn, identityAssertion, applicationId: 'chat', applicationAccount: 'x' });
}

const TARGETS: readonly Target[] = ['dispatch', 'connect', 'socks5', 'relay', 'control'];

export const ATTACKS: readonly Attack[] = [
  {
    name: 'malformed HTTP',
    run: (world, random) =>
      hold(world, random, pick(random, TARGETS), (socket) => void socket.write(pick(random, MALFORMED)), { ms: 5000 }),
  },
  {
    name: 'garbage',
    run: (world, random) =>
      hold(
        world,
        random,
        pick(random, TARGETS),
        (socket) => void socket.end(octetsOf(random, random.integer(1, 100_000))),
      ),
  },
  {
    name: 'oversize and nested JSON',
    async run(world, random) {
      const path = pick(random, ['/v1/sessions', '/v1/usage-reports', '/v1/subscribers/erasure']);
      const deep = random.integer(1000, 400_000);
      const wide = `{"reports":[${'{},'.repeat(random.integer(1000, 300_000))}{}]}`;
      const body = pick(random, [
        '['.repeat(deep) + ']'.repeat(deep),
        wide,
        `"${'x'.repeat(random.integer(1, 4) * MIB)}"`,
      ]);
      await post(world, random, { path, body });
      const target = 'control';
      await post(world, random, { target, method: 'PUT', path: '/v1/sessions/x', body: body.slice(0, MIB) });
    },
  },
  {
    name: 'flood of session requests',
    async run(world, random) {
      const requests = Array.from({ length: 40 }, () => ({ path: '/v1/sessions', body: sessionRequest(random) }));
      await Promise.all(requests.map((each) => post(world, random, each)));
    },
  },
  {
    name: 'forged tokens',
    async run(world, random) {
      const head = `CONNECT 127.0.0.1:${world.echoPort} HTTP/1.1\r\nhost: x\r\nproxy-authorization: Bearer ${forgedToken(random)}\r\n\r\n`;
      await hold(world, random, 'connect', (socket) => void socket.write(head), { ms: 3000 });
      const secret = forgedToken(random, { alg: 'EdDSA', kid: 'x' });
      await post(world, random, { path: `/v1/sessions/${random.uint32()}/renewal`, body: '{}', secret });
    },
  },
  {
    name: 'half-open and slow connections',
    run: (world, random) =>
      hold(world, random, pick(random, TARGETS), async (socket) => {
        if (random.uniform() < 0.3) return;
        const text = 'POST /v1/sessions HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\nx: '.padEnd(2000, 'a');
        for (const letter of text) {
          if (socket.destroyed) return;
          socket.write(letter);
          await pause(200);
        }
      }),
  },
  {
    name: 'SOCKS5 garbage',
    run: (world, random) =>
      hold(
        world,
        random,
        'socks5',
        (socket) => {
          socket.write(pick(random, [Buffer.of(5, 255), Buffer.of(5, 1, 2), Buffer.of(5, 0), Buffer.of(4, 1, 0, 80)]));
          socket.write(Buffer.concat([Buffer.of(1, 36), octetsOf(random, random.integer(1, 600))]));
        },
        { ms: 6000 },
      ),
  },
  {
    name: 'reports and announcements with wrong secrets',
    async run(world, random) {
      const secret = octetsOf(random, 24).toString('hex');
      const report = { reportId: '0', proxyId: 'proxy-1', sessionId: 'x', sequence: 1, kind: 'end', usage: [] };
      const body = JSON.stringify({ reports: Array.from({ length: random.integer(1, 1000) }, () => report) });
      await post(world, random, { path: '/v1/usage-reports', body, secret });
      await post(world, random, { method: 'PUT', path: '/v1/proxies/proxy-1', body: '{}', secret });
      await post(world, random, { target: 'control', method: 'PUT', path: '/v1/sessions/x', body: '{}', secret });
    },
  },
  { name: 'relay flood', run: (world, random) => relayFlood(world, random) },
  { name: 'slow readers', run: (world, random) => slowReader(world, random) },
];

/** A session that a hostile subscriber has a right to, from an address of its own. */
async function ownSession(world: HostileWorld, random: Random): Promise<{ token: string; from: string }> {
  const from = addressOf(random);
  const session = await askForSession(world, String(491_800_000_000 + random.integer(0, 999_999)), from);
  if (typeof session === 'string') throw new Error(session);
  return { token: session.token, from };
}

/** A subscriber with a session of its own sends frames that are far too large, or far too many. */
async function relayFlood(world: HostileWorld, random: Random): Promise<void> {
  const { token, from } = await ownSession(world, random);
  const key = octetsOf(random, 16).toString('base64');
  const head = [
    'GET /v1/relay/text HTTP/1.1',
    'host: x',
    'upgrade: websocket',
    'connection: Upgrade',
    'sec-websocket-version: 13',
    `sec-websocket-key: ${key}`,
    `authorization: Bearer ${token}`,
  ].join('\r\n');
  const large = Buffer.concat([Buffer.of(0x82, 0xff, 0, 0, 0, 0, 0x10, 0, 0, 0, 1, 2, 3, 4), octetsOf(random, 65_536)]);
  const small = Buffer.concat([Buffer.of(0x81, 0x84, 0, 0, 0, 0), Buffer.from('{}{}')]);
  const frames = pick(random, [large, Buffer.concat(Array.from({ length: 500 }, () => small))]);
  const flood = async (socket: Socket) => {
    socket.write(`${head}\r\n\r\n`);
    for (let sent = 0; sent < 100 && !socket.destroyed; sent++) {
      if (!socket.write(frames)) await pause(100);
      await pause(20);
    }
    socket.end();
  };
  await hold(world, random, 'relay', flood, { ms: 10_000, from });
}

/** A subscriber with a session of its own sends to a host that sends back, and reads nothing. */
async function slowReader(world: HostileWorld, random: Random): Promise<void> {
  const { token, from } = await ownSession(world, random);
  const to = `127.0.0.1:${world.echoPort}`;
  const send = async (socket: Socket) => {
    socket.pause();
    socket.write(`CONNECT ${to} HTTP/1.1\r\nhost: x\r\nproxy-authorization: Bearer ${token}\r\n\r\n`);
    await pause(500);
    for (let sent = 0; sent < 64 && !socket.destroyed; sent++) {
      if (!socket.write(octetsOf(random, 65_536))) break;
    }
  };
  await hold(world, random, 'connect', send, { from });
}
