import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';
import type { Refusal, SessionGrant, SessionRequest, SessionTags } from '../protocol/dispatch-messages.ts';
import { decodeRelayMessage, encodeRelayMessage, isMessageOf, type RelayNotice } from '../protocol/relay-message.ts';

type Answer = Partial<SessionGrant> | Refusal;

/** A dispatch server and a proxy that do what a test says. Messages come back to who sent them. */
export class ScriptedNetwork {
  /** What the next requests are answered; the last one stays. */
  sessions: Answer[] = [{}];
  renewals: Answer[] = [{}];
  readonly asked: SessionRequest[] = [];
  readonly renewed: string[] = [];
  readonly ended: string[] = [];
  /** Why the proxy turns every connection away; null: it does not. */
  turnsAway: string | null = null;
  readonly relays = new Set<WebSocket>();
  /** What the proxy hands out, and the tags that its connections brought. */
  sessionTags: SessionTags = {};
  readonly tagRequests: string[] = [];
  readonly tagsSeen: unknown[] = [];
  readonly stillHere: unknown[] = [];
  readonly octets = { uplinkOctets: 0, downlinkOctets: 0 };
  readonly #key = randomBytes(32);
  #tokenId = 'token-1';
  #dispatch: Server | null = null;
  #proxy: Server | null = null;
  readonly #proxySockets = new Set<Socket>();
  dispatchUrl = '';
  #proxyPort = 0;

  async start(): Promise<void> {
    this.#dispatch = createServer((request, response) => {
      void this.#answer(request).then(([status, body]) => {
        response.writeHead(status, { 'content-type': 'application/json' });
        response.end(body === null ? '' : JSON.stringify(body));
      });
    });
    this.dispatchUrl = `http://127.0.0.1:${await portOf(this.#dispatch)}`;
    await this.startProxy();
  }

  async startProxy(): Promise<void> {
    const proxy = createServer();
    const relay = new WebSocketServer({ noServer: true });
    proxy.on('connection', (socket) => this.#follow(socket));
    proxy.on('request', ({ url = '', headers }, response) => {
      this.tagRequests.push(`${url} ${headers.authorization}`);
      response.writeHead(200, { connection: 'close' });
      response.end(JSON.stringify({ sessionTags: this.sessionTags, expiresAtMs: Date.now() + 60_000 }));
    });
    proxy.on('upgrade', (request, socket, head) => {
      this.tagsSeen.push(request.headers['zerorate-tag']);
      if (this.turnsAway !== null) return turnAway(socket as Socket, this.turnsAway);
      relay.handleUpgrade(request, socket, head, (connection) => this.#serveRelay(connection, request));
    });
    proxy.on('connect', (request, socket: Socket) => {
      this.tagsSeen.push(request.headers['zerorate-tag']);
      if (this.turnsAway !== null) return turnAway(socket, this.turnsAway);
      const [host, port] = (request.url ?? '').split(':');
      const upstream = connect(Number(port), host, () => {
        socket.write('HTTP/1.1 200 OK\r\n\r\n');
        socket.pipe(upstream).pipe(socket);
      });
    });
    this.#proxyPort = await portOf(proxy);
    this.#proxy = proxy;
  }

  /** As when its process is killed. */
  async killProxy(): Promise<void> {
    for (const socket of this.#proxySockets) socket.resetAndDestroy();
    this.#proxy?.close();
  }

  async stop(): Promise<void> {
    await this.killProxy();
    this.#dispatch?.close();
    this.#dispatch?.closeAllConnections();
  }

  report(notice: RelayNotice): void {
    for (const relay of this.relays) relay.send(JSON.stringify(notice));
  }

  #follow(socket: Socket): void {
    this.#proxySockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => {
      this.#proxySockets.delete(socket);
      this.octets.uplinkOctets += socket.bytesRead;
      this.octets.downlinkOctets += socket.bytesWritten;
    });
  }

  async #answer(request: IncomingMessage): Promise<[number, object | null]> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    if (request.method === 'DELETE') {
      this.ended.push(request.url ?? '');
      return [204, null];
    }
    const isRenewal = request.url?.endsWith('/renewal') === true;
    if (isRenewal) this.renewed.push(request.url ?? '');
    else this.asked.push(JSON.parse(Buffer.concat(chunks).toString()));
    const answers = isRenewal ? this.renewals : this.sessions;
    const answer = answers.length > 1 ? (answers.shift() as Answer) : answers[0];
    if ('reason' in answer) return [403, answer];
    const sessionId = isRenewal ? (request.url ?? '').split('/')[3] : `session-${this.asked.length}`;
    return [isRenewal ? 200 : 201, { ...this.#grant(sessionId), ...answer }];
  }

  #grant(sessionId: string): SessionGrant {
    this.#tokenId = randomUUID();
    const at = `127.0.0.1:${this.#proxyPort}`;
    return {
      sessionId,
      token: `token-of-${sessionId}`,
      tokenId: this.#tokenId,
      tokenExpiresAtMs: Date.now() + 60_000,
      sessionKey: this.#key.toString('base64url'),
      proxy: {
        proxyId: 'proxy-1',
        region: 'here',
        endpoints: { connect: `http://${at}`, socks5: `socks5://${at}`, relay: `ws://${at}` },
      },
      sponsoredOctetsCap: 1_000_000,
      remainingOctets: 5_000_000,
      contentShares: { text: 10_000, voice: 10_000, image: 10_000, other: 10_000 },
    };
  }

  #serveRelay(connection: WebSocket, { url, headers }: IncomingMessage): void {
    const contentType = (url ?? '').split('/').at(-1) ?? '';
    this.relays.add(connection);
    connection.on('error', () => {});
    connection.on('close', () => this.relays.delete(connection));
    connection.on('message', (data, isBinary) => {
      if (!isBinary) return void this.stillHere.push(JSON.parse(String(data)));
      const message = decodeRelayMessage(data as Buffer);
      const isGood =
        message !== null &&
        headers.authorization?.startsWith('Bearer token-of-') === true &&
        isMessageOf(this.#key, contentType, message);
      if (!isGood) return connection.send(JSON.stringify({ type: 'refused', reason: 'message_forged' }));
      const { mac: _, ...header } = message.header;
      connection.send(JSON.stringify({ type: 'accepted', messageId: header.messageId }));
      connection.send(encodeRelayMessage({ header: { ...header, from: 'echo' }, payload: message.payload }));
    });
  }
}

async function portOf(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

function turnAway(socket: Socket, reason: string): void {
  const body = JSON.stringify({ reason, message: reason });
  socket.end(`HTTP/1.1 403 Forbidden\r\nzerorate-reason: ${reason}\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
}
