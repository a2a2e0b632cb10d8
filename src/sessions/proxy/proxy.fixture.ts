import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { pino } from 'pino';
import { type FlowMark, type FlowMarksAnswer, flowMarksSchema } from '../protocol/flow-mark.ts';
import type { Resolve } from './applications.ts';
import { FakeDispatch, type Granted, SECRET, SECRET_VARIABLE } from './fake-dispatch.fixture.ts';
import { loadProxyConfig } from './load-proxy-config.ts';
import { ProxyServer } from './proxy-server.ts';

export interface World {
  dispatch: FakeDispatch;
  proxy: ProxyServer;
  directory: string;
  /** The proxy's configuration as YAML. */
  text: string;
  restart(): Promise<void>;
  stop(): Promise<void>;
}

export interface WorldOptions {
  /** Sections of proxy.yaml that are not the usual. */
  more?: object;
  application?: object;
  proxyId?: string;
  resolve?: Resolve;
}

/** `applications[0].hosts` of every test: this machine, by ports that the test opens. */
export function configOf(
  dispatch: FakeDispatch,
  directory: string,
  { more = {}, application = {}, proxyId = 'proxy-1' }: WorldOptions,
) {
  const endpoint = { host: '127.0.0.1', port: 0 };
  return JSON.stringify({
    proxyId,
    region: 'here',
    dataDir: join(directory, proxyId),
    listen: { connect: endpoint, socks5: endpoint, relay: endpoint, control: endpoint },
    dispatch: { url: dispatch.url, secretVariable: SECRET_VARIABLE },
    applications: [{ applicationId: 'chat', allowPrivate: ['127.0.0.0/8'], ...application }],
    statistics: { intervalMs: 100, retryDelayMs: 50 },
    log: { level: 'silent' },
    ...more,
  });
}

/** A dispatch server that is none, and a proxy. */
export async function startWorld(options: WorldOptions = {}): Promise<World> {
  const directory = await mkdtemp(join(tmpdir(), 'zerorate-proxy-'));
  const dispatch = new FakeDispatch();
  await dispatch.start();
  const text = configOf(dispatch, directory, options);
  const world = { dispatch, directory, text, proxy: await startProxy(text, options.resolve) };
  return Object.assign(world, {
    async restart() {
      await world.proxy.stop();
      world.proxy = await startProxy(text, options.resolve);
    },
    async stop() {
      await world.proxy.stop();
      await dispatch.stop();
      await rm(directory, { recursive: true });
    },
  });
}

export async function startProxy(text: string, resolve?: Resolve): Promise<ProxyServer> {
  const env = { [SECRET_VARIABLE]: SECRET };
  const config = loadProxyConfig({ file: '/proxy.yaml', env, readFile: () => text });
  const onFailure = (error: Error) => {
    throw error;
  };
  const proxy = new ProxyServer({ config, logger: pino({ level: 'silent' }), onFailure, ...(resolve && { resolve }) });
  await proxy.start();
  return proxy;
}

export function portOf(url: string): number {
  return Number(new URL(url).port);
}

export function basic({ terms, token }: Granted): string {
  return `Basic ${Buffer.from(`${terms.sessionId}:${token}`).toString('base64')}`;
}

export interface ConnectAnswer {
  status: number;
  reason: string | null;
  socket: Socket;
}

/** Asks for a tunnel; the socket is paused. */
export async function openTunnel(
  proxyUrl: string,
  destination: string,
  { authorization, headers = '', port = portOf(proxyUrl) }: { authorization?: string; headers?: string; port?: number },
): Promise<ConnectAnswer> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  socket.on('error', () => {});
  const credentials = authorization === undefined ? '' : `proxy-authorization: ${authorization}\r\n`;
  socket.write(`CONNECT ${destination} HTTP/1.1\r\nhost: ${destination}\r\n${credentials}${headers}\r\n`);
  let head = Buffer.alloc(0);
  for (;;) {
    const chunk: Buffer | null = socket.read() ?? (socket.readableEnded ? null : await readable(socket));
    if (chunk === null) break;
    head = Buffer.concat([head, chunk]);
    const end = head.indexOf('\r\n\r\n');
    if (end < 0) continue;
    if (end + 4 < head.length) socket.unshift(head.subarray(end + 4));
    break;
  }
  const text = head.toString('latin1');
  const [, status = '0'] = /^HTTP\/1\.1 (\d+)/.exec(text) ?? [];
  const [, reason = null] = /zerorate-reason: (\w+)/.exec(text) ?? [];
  return { status: Number(status), reason, socket };
}

async function readable(socket: Socket): Promise<Buffer | null> {
  await Promise.race([once(socket, 'readable'), once(socket, 'end'), once(socket, 'close')]);
  const chunk: Buffer | null = socket.read();
  if (chunk !== null) return chunk;
  return socket.readableEnded || socket.destroyed ? null : readable(socket);
}

/** Reads to the end; gives how many octets there were. */
export async function readAll(socket: Socket): Promise<number> {
  let octets = 0;
  try {
    for await (const chunk of socket) octets += chunk.length;
  } catch {
    // What came before it broke has been counted.
  }
  return octets;
}

/** Resolves when the proxy has ended the connection, however. */
export async function gone(socket: Socket): Promise<void> {
  await new Promise<void>((resolve) => {
    socket.once('end', resolve).once('close', () => resolve());
    socket.resume();
    if (socket.destroyed || socket.readableEnded) resolve();
  });
}

export interface Upstream {
  port: number;
  /** Octets that came from the proxy. */
  received: number;
  connections: number;
  sockets: Set<Socket>;
  stop(): Promise<void>;
}

/** A host of the application: what it does with a connection is the test's. */
export async function startUpstream(serve: (socket: Socket) => void): Promise<Upstream> {
  const sockets = new Set<Socket>();
  const server: Server = createServer({ allowHalfOpen: true }, (socket) => {
    upstream.connections++;
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
    socket.on('data', (chunk) => {
      upstream.received += chunk.length;
    });
    serve(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const upstream: Upstream = {
    port: (server.address() as AddressInfo).port,
    received: 0,
    connections: 0,
    sockets,
    async stop() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
  return upstream;
}

export const echo = (socket: Socket): void => void socket.pipe(socket);

export interface CountingRelay {
  port: number;
  uplinkOctets: number;
  downlinkOctets: number;
  stop(): void;
}

/** Is in front of a proxy and counts what passes on connections that `counts` says yes to by their first answer. */
export async function startCountingRelay(toPort: number, counts = (_answer: string) => true): Promise<CountingRelay> {
  const server = createServer({ allowHalfOpen: true }, (terminal) => {
    const proxy = connect({ port: toPort, host: '127.0.0.1', allowHalfOpen: true });
    const own = { up: 0, down: 0, counts: true };
    terminal.on('data', (chunk) => {
      own.up += chunk.length;
    });
    proxy.on('data', (chunk) => {
      if (own.down === 0) own.counts = counts(chunk.toString('latin1'));
      own.down += chunk.length;
    });
    terminal.pipe(proxy);
    proxy.pipe(terminal);
    // A browser that ends resets its connections: what the proxy sends meanwhile was sent all the same.
    terminal.on('error', () => {
      proxy.unpipe(terminal).resume().end();
    });
    proxy.on('error', () => terminal.destroy());
    proxy.on('close', () => {
      if (!own.counts) return;
      relay.uplinkOctets += own.up;
      relay.downlinkOctets += own.down;
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const relay = {
    port: (server.address() as AddressInfo).port,
    uplinkOctets: 0,
    downlinkOctets: 0,
    stop: () => void server.close(),
  };
  return relay;
}

export interface FakeGateway {
  url: string;
  marks: FlowMark[];
  /** What it answers to a mark; as long as there is none, nothing. */
  answer: ((mark: FlowMark) => FlowMarksAnswer) | null;
  /** Waits with its answer for as long. */
  wait: () => Promise<unknown>;
  stop(): void;
}

export async function startGateway(): Promise<FakeGateway> {
  const marks: FlowMark[] = [];
  const server = createHttpServer(async (request, response) => {
    let text = '';
    for await (const chunk of request) text += chunk;
    const posted = flowMarksSchema.parse(JSON.parse(text)).marks;
    marks.push(...posted);
    await gateway.wait();
    if (gateway.answer === null) response.writeHead(204).end();
    else response.writeHead(200).end(JSON.stringify(gateway.answer(posted[0])));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const stop = () => {
    server.closeAllConnections();
    server.close();
  };
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const gateway: FakeGateway = { url, marks, answer: null, wait: async () => {}, stop };
  return gateway;
}

/** Looks again and again; rejects when it does not come true in time. */
export async function until(isTrue: () => boolean, what = String(isTrue)): Promise<void> {
  for (let tries = 0; tries < 6000; tries++) {
    if (isTrue()) return;
    await pause(10);
  }
  throw new Error(`it did not come true: ${what}`);
}
