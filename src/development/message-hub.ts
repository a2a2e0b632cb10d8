import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { WebSocket, WebSocketServer } from 'ws';
import { decodeRelayMessage, encodeRelayMessage } from '../sessions/protocol/relay-message.ts';

const MAX_MESSAGE_OCTETS = 16 * 2 ** 20;

/**
 * An application's message server: a connection with `?account=...&contentType=...` gets what others send to that account with that content
 * type. Proxies connect for terminals, and so do terminals that send direct.
 */
export class MessageHub {
  readonly #accounts = new Map<string, Set<WebSocket>>();
  #server: WebSocketServer | null = null;
  readonly counts = { delivered: 0, undelivered: 0 };

  /** Listens at the port, or at a free one, and resolves with the URL. */
  async start(host: string, port = 0): Promise<string> {
    const server = new WebSocketServer({ host, port, maxPayload: MAX_MESSAGE_OCTETS, perMessageDeflate: false });
    await once(server, 'listening');
    server.on('connection', (socket, { url }) => {
      const { searchParams } = new URL(url ?? '/', 'ws://hub');
      this.#attend(socket, searchParams.get('account') ?? '', searchParams.get('contentType') ?? '');
    });
    this.#server = server;
    return `ws://${host}:${(server.address() as AddressInfo).port}/messages`;
  }

  async stop(): Promise<void> {
    const server = this.#server;
    if (server === null) return;
    for (const socket of server.clients) socket.terminate();
    server.close();
    await once(server, 'close');
  }

  #attend(socket: WebSocket, account: string, contentType: string): void {
    const key = `${account}|${contentType}`;
    const sockets = this.#accounts.get(key) ?? new Set();
    this.#accounts.set(key, sockets.add(socket));
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    socket.on('message', (data, isBinary) => {
      const message = isBinary ? decodeRelayMessage(data as Buffer) : null;
      if (message === null) return;
      const { mac: _, ...header } = message.header;
      this.#deliver(
        `${header.to}|${contentType}`,
        encodeRelayMessage({ header: { ...header, from: account }, payload: message.payload }),
      );
    });
  }

  #deliver(key: string, frame: Buffer): void {
    const open = [...(this.#accounts.get(key) ?? [])].filter(({ readyState }) => readyState === WebSocket.OPEN);
    if (open.length === 0) this.counts.undelivered++;
    else this.counts.delivered++;
    for (const socket of open) socket.send(frame);
  }
}
