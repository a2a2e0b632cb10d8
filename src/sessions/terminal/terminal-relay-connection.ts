import WebSocket, { type RawData } from 'ws';
import {
  decodeRelayMessage,
  encodeRelayMessage,
  type RelayMessage,
  type RelayNotice,
  relayNoticeSchema,
} from '../protocol/relay-message.ts';
import { securedAs } from './http-exchange.ts';
import type { Dialled } from './terminal-dial.ts';
import { untilClosed } from './until-closed.ts';

const CLOSE_WITHIN_MS = 3000;

export interface RelayConnectionOptions {
  url: URL;
  dialled: Dialled;
  headers?: Record<string, string>;
  /** A proxy says of each message what became of it; an application server does not. */
  isAcknowledged: boolean;
  onMessage: (message: RelayMessage) => void;
  onNotice: (notice: RelayNotice) => void;
  /** Not after `close`. */
  onLost: (reason: string) => void;
}

export type RelayOpening = { connection: TerminalRelayConnection } | { refusal: string };
export type RelaySending = 'accepted' | { refusal: string };

/** Messages of one content type, to a proxy or straight to the application's message server. */
export class TerminalRelayConnection {
  readonly #options: RelayConnectionOptions;
  readonly #socket: WebSocket;
  readonly #waiting = new Map<string, (outcome: RelaySending) => void>();
  #closingReason: string | null = null;
  #isClosing = false;

  private constructor(options: RelayConnectionOptions, socket: WebSocket) {
    this.#options = options;
    this.#socket = socket;
    socket.on('message', (data, isBinary) => this.#take(data, isBinary));
    socket.on('close', () => this.#lost());
    // A close follows.
    socket.on('error', () => {});
  }

  /** A refusal is a value; a connection that breaks before it is open is one, too: `connection_lost`. */
  static async open(options: RelayConnectionOptions): Promise<RelayOpening> {
    const { url, dialled, headers = {} } = options;
    const stream = securedAs(url, dialled.socket);
    const socket = new WebSocket(url, { headers, createConnection: () => stream as never, perMessageDeflate: false });
    const refused = new Promise<RelayOpening>((resolve) => {
      socket.on('unexpected-response', (request, response) => {
        const reason = response.headers['zerorate-reason'];
        response.resume();
        response.once('end', () => request.destroy());
        resolve({ refusal: typeof reason === 'string' ? reason : `http_${response.statusCode}` });
      });
      socket.on('error', () => resolve({ refusal: 'connection_lost' }));
    });
    // At once: the first message may come together with the answer to the handshake.
    const connection = new TerminalRelayConnection(options, socket);
    const opened = new Promise<RelayOpening>((resolve) => socket.once('open', () => resolve({ connection })));
    return Promise.race([opened, refused]);
  }

  get isOpen(): boolean {
    return this.#socket.readyState === WebSocket.OPEN && this.#closingReason === null;
  }

  async send(message: RelayMessage): Promise<RelaySending> {
    if (!this.isOpen) return { refusal: this.#closingReason ?? 'connection_lost' };
    const { messageId } = message.header;
    return new Promise((resolve) => {
      this.#waiting.set(messageId, resolve);
      this.#socket.send(encodeRelayMessage(message), (error) => {
        if (error == null && !this.#options.isAcknowledged) this.#settle(messageId, 'accepted');
      });
    });
  }

  stillHere(): void {
    if (this.isOpen) this.#socket.send(JSON.stringify({ type: 'still_here' }));
  }

  /** Resolves when the other side has closed, too, so that all that was sent has been counted. */
  async close(): Promise<void> {
    this.#isClosing = true;
    if (this.#socket.readyState === WebSocket.CLOSED) return;
    const closed = untilClosed(this.#socket);
    this.#socket.close(1000);
    const given = setTimeout(() => this.#socket.terminate(), CLOSE_WITHIN_MS);
    await closed;
    clearTimeout(given);
  }

  #take(data: RawData, isBinary: boolean): void {
    if (isBinary) {
      const message = decodeRelayMessage(data as Buffer);
      if (message !== null) this.#options.onMessage(message);
      return;
    }
    const notice = parseNotice(String(data));
    if (notice === null) return;
    if (notice.type === 'accepted') this.#settle(notice.messageId, 'accepted');
    else if (notice.type === 'refused') this.#refuse(notice);
    else if (notice.type === 'closing') this.#closingReason = notice.reason;
    this.#options.onNotice(notice);
  }

  #refuse({ messageId, reason }: { messageId?: string | undefined; reason: string }): void {
    // A message that could not be read has no id; one alone is on its way at a time.
    const refused = messageId === undefined ? [...this.#waiting.keys()] : [messageId];
    for (const id of refused) this.#settle(id, { refusal: reason });
  }

  #settle(messageId: string, outcome: RelaySending): void {
    const settle = this.#waiting.get(messageId);
    this.#waiting.delete(messageId);
    settle?.(outcome);
  }

  #lost(): void {
    const reason = this.#closingReason ?? 'connection_lost';
    for (const messageId of [...this.#waiting.keys()]) this.#settle(messageId, { refusal: reason });
    if (!this.#isClosing) this.#options.onLost(reason);
  }
}

function parseNotice(text: string): RelayNotice | null {
  try {
    return relayNoticeSchema.parse(JSON.parse(text));
  } catch {
    return null;
  }
}
