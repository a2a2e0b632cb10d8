import { once } from 'node:events';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Readable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { createLogger } from '../telemetry/logger.ts';
import { createGuardedServer, type GuardedServer } from './http-guard.ts';
import { httpLimitsSchema } from './http-limits-schema.ts';

const OPERATOR = 'Bearer operator';
const HELD_MS = 200;
const CONNECTIONS = 40;
const ATTACKERS = 24;

async function startServer(): Promise<GuardedServer> {
  const many = { requests: 1_000_000, intervalMs: 60_000 };
  const few = { requests: 100, intervalMs: 60_000 };
  const guarded = await createGuardedServer({
    name: 'test',
    logger: createLogger({ level: 'silent', format: 'json' }),
    limits: httpLimitsSchema.parse({ connections: CONNECTIONS, connectionsPerAddress: CONNECTIONS / 2 }),
    limitsField: 'limits',
    rates: { byAddress: { public: few, secret: few }, byIdentity: { operator: many } },
    identify: ({ headers }) => (headers.authorization === OPERATOR ? { kind: 'operator', key: '' } : null),
    unauthorized: () => ({ reason: 'secret_invalid', message: 'another secret' }),
  });
  guarded.server.get('/open', { config: { access: 'public' } }, async () => ({ open: true }));
  guarded.server.get('/endless', { config: { access: 'public' } }, async (_, reply) =>
    reply.type('text/plain').send(
      Readable.from(
        (function* lines() {
          for (;;) yield 'x'.repeat(65_536);
        })(),
      ),
    ),
  );
  await guarded.server.listen({ host: '127.0.0.1', port: 0 });
  return guarded;
}

const FIRST_WORDS: readonly string[] = [
  '',
  'GET /open HTTP/1.1\r\nhost: a\r\nx: ',
  'POST /open HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 1000000000\r\n\r\n',
  'GET /endless HTTP/1.1\r\nhost: a\r\n\r\n',
  'GET /open HTTP/1.1\r\nhost: a\r\n\r\n'.repeat(50),
  `GET /open HTTP/1.1\r\nhost: a\r\nx: ${'h'.repeat(100_000)}\r\n\r\n`,
  `GET /${'u'.repeat(100_000)} HTTP/1.1\r\nhost: a\r\n\r\n`,
  `POST /open HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 500000\r\n\r\n${'['.repeat(500_000)}`,
];

/** Connects as all kinds of attackers, which never read, and keeps what is open for a while. */
async function attack({ server }: GuardedServer['server'], attackers: number): Promise<void> {
  const { port } = server.address() as AddressInfo;
  let accepted = 0;
  const count = () => accepted++;
  server.on('connection', count);
  const sockets: Socket[] = [];
  for (let at = 0; at < attackers; at++) {
    const socket = connect({ host: '127.0.0.1', port, localAddress: `127.0.1.${1 + (at % 20)}` });
    sockets.push(socket);
    socket.on('error', () => {});
    socket.pause();
    socket.write(FIRST_WORDS[at % FIRST_WORDS.length]);
    if (at % 10 === 0) await pause(5);
  }
  while (accepted < attackers) await pause(5);
  server.off('connection', count);
  await pause(HELD_MS);
  for (const socket of sockets) socket.destroy();
}

/** The operator asks on one connection until it is stopped; returns how many requests were answered, by status. */
function operatorAsks(port: number) {
  let isStopped = false;
  const asking = (async () => {
    const socket = connect({ host: '127.0.0.1', port });
    let answered = 0;
    while (!isStopped) {
      socket.write(`GET /open HTTP/1.1\r\nhost: a\r\nauthorization: ${OPERATOR}\r\n\r\n`);
      const [answer] = await once(socket, 'data');
      if (!String(answer).startsWith('HTTP/1.1 200')) throw new Error(String(answer));
      answered++;
      await pause(5);
    }
    socket.destroy();
    return answered;
  })();
  return {
    stop() {
      isStopped = true;
      return asking;
    },
  };
}

async function observe(server: GuardedServer['server'], attackers: number) {
  const delay = monitorEventLoopDelay({ resolution: 5 });
  const operator = operatorAsks((server.server.address() as AddressInfo).port);
  delay.enable();
  await attack(server, attackers);
  delay.disable();
  return { answered: await operator.stop(), delayMs: delay.mean / 1e6, rss: process.memoryUsage.rss() };
}

test('five times as many attackers take no more connections or memory, and the operator is served', async () => {
  const guarded = await startServer();
  const { server } = guarded;
  try {
    const first = await observe(server, ATTACKERS);
    const few = await observe(server, ATTACKERS);
    const many = await observe(server, ATTACKERS * 5);
    expect(guarded.connections.open).toBeLessThanOrEqual(CONNECTIONS);
    expect(guarded.connections.closed.total + guarded.connections.closed.address).toBeGreaterThan(0);
    for (const { answered } of [first, few, many]) expect(answered).toBeGreaterThan(0);
    expect(many.rss).toBeLessThan(Math.max(first.rss, few.rss) * 1.5);
    expect(many.delayMs).toBeLessThan(Math.max(first.delayMs, few.delayMs) * 10);
  } finally {
    await guarded.server.close();
  }
});
