import { once } from 'node:events';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { encodeRelayMessage } from '../protocol/relay-message.ts';
import type { Granted } from './fake-dispatch.fixture.ts';
import { openTunnel, startUpstream, startWorld, type Upstream, until, type World } from './proxy.fixture.ts';
import { UdpClient } from './udp/udp-client.fixture.ts';

const MIB = 2 ** 20;
const MESSAGE_BYTES = 4 * MIB;
const BUFFERS = { perSessionBytes: 16 * MIB, perSubscriberBytes: 24 * MIB, totalBytes: 48 * MIB };
let world: World;
let application: WebSocketServer;
let source: Upstream;
/** What the application sends to who connects with the content type `voice`, again and again. */
const message = encodeRelayMessage({
  header: { sequence: 0, messageId: 'm', to: 'alice', from: 'bob' },
  payload: Buffer.alloc(MESSAGE_BYTES - 200, 1),
});
const sockets: Socket[] = [];

beforeAll(async () => {
  application = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: false });
  await once(application, 'listening');
  application.on('connection', (socket, { url }) => {
    socket.on('error', () => {});
    socket.on('message', (data) => socket.send(data as Buffer));
    if (!url?.includes('voice')) return;
    // It holds little itself: the memory that is measured is the proxy's.
    const timer = setInterval(() => socket.bufferedAmount === 0 && socket.send(message), 5);
    socket.on('close', () => clearInterval(timer));
  });
  source = await startUpstream((socket) => {
    const block = Buffer.alloc(64 * 1024);
    const write = () => {
      while (socket.writable && socket.write(block));
    };
    socket.on('drain', write);
    write();
  });
  world = await startWorld({
    application: {
      relayUpstream: `ws://127.0.0.1:${(application.address() as AddressInfo).port}/messages`,
      hosts: [{ host: '127.0.0.1', ports: [source.port] }],
    },
    more: {
      limits: { messageBytes: MESSAGE_BYTES, stallTimeoutMs: 60_000, connectionsPerSession: 200, buffers: BUFFERS },
    },
  });
});
afterAll(async () => {
  await world?.stop();
  await source?.stop();
  application?.close();
});
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await until(() => world.proxy.figures().connections === 0);
  expect(world.proxy.figures().bufferedBytes).toBe(0);
});

/** A WebSocket by hand: what it sends and reads is the test's. */
async function openRaw({ token }: Granted, contentType: string): Promise<{ socket: Socket; status: string }> {
  const socket = connect({ port: Number(new URL(world.proxy.endpoints.relay).port), host: '127.0.0.1' });
  sockets.push(socket);
  socket.on('error', () => {});
  const head = [
    'connection: upgrade',
    'upgrade: websocket',
    'sec-websocket-version: 13',
    'sec-websocket-key: MDEyMzQ1Njc4OWFiY2RlZg==',
  ];
  socket.write(
    `GET /v1/relay/${contentType} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${token}\r\n${head.join('\r\n')}\r\n\r\n`,
  );
  const [chunk] = await once(socket, 'data');
  socket.pause();
  return { socket, status: String(chunk).slice(9, 12) };
}

/** The first octets of a masked binary frame of a whole message, without its last. */
function unfinished(bytes: number): Buffer {
  const frame = Buffer.alloc(14 + bytes);
  frame[0] = 0x82;
  frame[1] = 0x80 | 127;
  frame.writeBigUInt64BE(BigInt(MESSAGE_BYTES), 2);
  return frame;
}

const closed = () => ({ ...world.proxy.figures().closedForBuffers });
const more = (before: Record<string, number>) =>
  Object.fromEntries(Object.entries(closed()).map(([limit, count]) => [limit, count - before[limit]]));

test('unfinished messages of one session are bounded: the largest is closed by name, and other sessions continue', async () => {
  const before = closed();
  const greedy = await world.dispatch.grant();
  const opened = await Promise.all(Array.from({ length: 10 }, () => openRaw(greedy, 'text')));
  let highest = 0;
  const watch = setInterval(() => {
    highest = Math.max(highest, world.proxy.figures().bufferedBytes);
  }, 1);
  const endings = opened.map(({ socket }) => {
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
    });
    socket.resume().write(unfinished(MESSAGE_BYTES - 100_000));
    return () => text;
  });
  await until(() => more(before).session >= 6);
  await until(() => endings.filter((text) => text().includes('buffers_full')).length >= 6);
  clearInterval(watch);
  expect(highest).toBeLessThanOrEqual(BUFFERS.perSessionBytes);
  expect(more(before)).toMatchObject({ subscriber: 0, total: 0 });

  const granted = await world.dispatch.grant();
  const headers = { authorization: `Bearer ${granted.token}` };
  const other = new WebSocket(`${world.proxy.endpoints.relay}/v1/relay/text`, { headers });
  await once(other, 'open');
  other.send('{"type":"still_here"}');
  other.close();
  await once(other, 'close');
});

test('messages in octets of their own cost what they cost: each read is counted with its overhead', async () => {
  const { socket } = await openRaw(await world.dispatch.grant(), 'text');
  socket.setNoDelay(true);
  socket.write(unfinished(0));
  for (let sent = 0; sent < 200; sent++) {
    socket.write(Buffer.of(1));
    await pause(1);
  }
  await until(() => world.proxy.figures().bufferedBytes > 200);
  // Nagle or not, several octets may come in one read.
  expect(world.proxy.figures().bufferedBytes).toBeGreaterThan(20 * 256);
});

test('a message that does not continue is closed with the stalled connections', async () => {
  const options = {
    application: { relayUpstream: `ws://127.0.0.1:${(application.address() as AddressInfo).port}/messages` },
  };
  const strict = await startWorld({ ...options, more: { limits: { stallTimeoutMs: 500 } } });
  try {
    const { token } = await strict.dispatch.grant();
    const headers = { authorization: `Bearer ${token}` };
    const socket = new WebSocket(`${strict.proxy.endpoints.relay}/v1/relay/text`, { headers });
    socket.on('error', () => {});
    await once(socket, 'open');
    // A first fragment alone.
    socket.send(Buffer.alloc(1000), { fin: false });
    await once(socket, 'close');
    await until(() => strict.proxy.figures().bufferedBytes === 0);
  } finally {
    await strict.stop();
  }
});

test('terminals that never read hold what they may by subscriber and in all, and RSS grows in that relation', async () => {
  const before = closed();
  global.gc?.();
  const rssBefore = process.memoryUsage().rss;
  const sameSubscriber = 'ab'.repeat(16);
  const sessions = [
    ...(await Promise.all(Array.from({ length: 3 }, () => world.dispatch.grant({ subscriber: sameSubscriber })))),
    ...(await Promise.all(Array.from({ length: 8 }, () => world.dispatch.grant()))),
  ];
  let [highest, highestRss] = [0, 0];
  const watch = setInterval(() => {
    highest = Math.max(highest, world.proxy.figures().bufferedBytes);
    highestRss = Math.max(highestRss, process.memoryUsage().rss);
  }, 1);
  const asked = 6;
  const opened = await Promise.all(
    sessions.flatMap((granted) => Array.from({ length: asked }, () => openRaw(granted, 'voice').catch(() => null))),
  );
  await until(() => more(before).subscriber + more(before).session > 0 && more(before).total > 0);
  await pause(500);
  clearInterval(watch);
  const wanted = opened.length * 2 * MESSAGE_BYTES;
  const grown = highestRss - rssBefore;
  process.stdout.write(
    `never read: ${opened.length} connections that would hold ${wanted / MIB} MiB; counted at most ${(highest / MIB).toFixed(1)} MiB, RSS grew by ${(grown / MIB).toFixed(1)} MiB\n`,
  );
  expect(highest).toBeLessThanOrEqual(BUFFERS.totalBytes);
  // A message is in memory several times while it is put together, and what is freed is not given back at once.
  expect(grown).toBeLessThan(wanted * 0.75);
});

test('tunnels to terminals that never read are counted too', async () => {
  const tunnels = await Promise.all(
    Array.from({ length: 8 }, async () => {
      const granted = await world.dispatch.grant();
      return Promise.all(
        Array.from({ length: 8 }, async () => {
          const { socket } = await openTunnel(world.proxy.endpoints.connect, `127.0.0.1:${source.port}`, {
            authorization: `Bearer ${granted.token}`,
          });
          sockets.push(socket.pause());
          return socket;
        }),
      );
    }),
  );
  const count = tunnels.flat().length;
  await until(() => world.proxy.figures().bufferedBytes >= count * 128 * 1024 * 0.9);
  expect(world.proxy.figures().bufferedBytes).toBeLessThanOrEqual(count * 256 * 1024);
});

test('while nearly all memory is held no further connection is taken, in no way of asking for it', async () => {
  // Two buffers of a tunnel are well below the tenth that is kept free, so that it is reached before a tunnel is closed.
  const buffers = { perSessionBytes: MIB, perSubscriberBytes: MIB, totalBytes: 4 * MIB };
  const small = await startWorld({
    application: {
      relayUpstream: `ws://127.0.0.1:${(application.address() as AddressInfo).port}/messages`,
      hosts: [{ host: '127.0.0.1', ports: [source.port] }],
    },
    more: { limits: { messageBytes: 100_000, buffers } },
  });
  try {
    const open = async () => {
      const { token } = await small.dispatch.grant();
      const opened = await openTunnel(small.proxy.endpoints.connect, `127.0.0.1:${source.port}`, {
        authorization: `Bearer ${token}`,
      });
      sockets.push(opened.socket.pause());
      return opened;
    };
    let reason: string | null = null;
    for (let tunnels = 0; tunnels < 80 && reason === null; tunnels++) {
      const before = small.proxy.figures().bufferedBytes;
      const opened = await open();
      reason = opened.reason;
      // The one that finds hardly any room holds no more than there was before.
      const isHeld = () => small.proxy.figures().bufferedBytes > before;
      for (let waits = 0; reason === null && !isHeld() && waits < 100; waits++) await pause(10);
    }
    expect(reason).toBe('buffers_full');
    const granted = await small.dispatch.grant();
    await expect(UdpClient.open(small.proxy.endpoints.socks5, granted)).rejects.toThrow('reply 1');
    const headers = { authorization: `Bearer ${granted.token}` };
    const relay = new WebSocket(`${small.proxy.endpoints.relay}/v1/relay/text`, { headers });
    const [error] = await once(relay, 'error');
    expect(String(error)).toContain('503');
    expect(small.proxy.figures().bufferedBytes).toBeLessThanOrEqual(buffers.totalBytes);
    // When they are gone it is as before.
    for (const socket of sockets.splice(0)) socket.destroy();
    await until(() => small.proxy.figures().bufferedBytes === 0);
    expect((await open()).reason).toBeNull();
  } finally {
    await small.stop();
  }
});
