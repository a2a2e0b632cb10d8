import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { ConnectionLimits } from '../../platform/network/connection-limits.ts';
import { ListenError } from '../../platform/network/listen-error.ts';
import type { ReloadableCertificate } from './reloadable-certificate.ts';

/** Most octets that wait on one side of a connection for the other. */
export const BUFFER_OCTETS = 128 * 1024;
export const KEEP_ALIVE_MS = 30_000;

/** A connection of a terminal. */
export interface Accepted {
  /** TCP: octets are counted here. */
  raw: Socket;
  /** What is spoken on it: the same, or TLS within it. */
  stream: Socket;
  /** Its request is there: it may take the time that it likes from now on. */
  admitted(): void;
}

export interface ListenerOptions {
  /** Of the configuration that names the address. */
  field: string;
  address: { host: string; port: number };
  /** Null: plain TCP. */
  tls: ReloadableCertificate | null;
  /** Shared by all listeners. */
  gate: ConnectionLimits;
  handshakeTimeoutMs: number;
  onConnection(accepted: Accepted): void;
}

/**
 * Takes connections. One that has not sent its request `handshakeTimeoutMs` after the connection was accepted is gone, whatever it
 * spends the time on: nothing, TLS, headers one octet at a time.
 */
export class Listener {
  readonly #options: ListenerOptions;
  readonly #server: Server;

  constructor(options: ListenerOptions) {
    this.#options = options;
    const keepAlive = { keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS };
    const settings = { allowHalfOpen: true, noDelay: true, highWaterMark: BUFFER_OCTETS, ...keepAlive };
    this.#server = createServer(settings, (raw) => this.#accept(raw));
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Rejects with a ConfigError when the port is taken. */
  async start(): Promise<void> {
    const { field, address } = this.#options;
    try {
      this.#server.listen({ ...address, backlog: 1024 });
      await once(this.#server, 'listening');
    } catch (cause) {
      throw new ListenError(field, address, cause);
    }
  }

  /** Takes no more connections; open ones continue. */
  stop(): void {
    this.#server.close();
    this.#options.tls?.stop();
  }

  #accept(raw: Socket): void {
    const { tls, gate, handshakeTimeoutMs, onConnection } = this.#options;
    // A broken connection is closed; no answer can reach it.
    raw.on('error', () => {});
    if (!gate.enter(raw)) {
      raw.destroy();
      return;
    }
    const deadline = setTimeout(() => raw.destroy(), handshakeTimeoutMs);
    raw.once('close', () => clearTimeout(deadline));
    const admitted = () => {
      clearTimeout(deadline);
      gate.hold(raw);
    };
    if (tls === null) {
      onConnection({ raw, stream: raw, admitted });
      return;
    }
    const stream = new TLSSocket(raw, { isServer: true, secureContext: tls.context, allowHalfOpen: true } as object);
    stream.on('error', () => raw.destroy());
    stream.once('secure', () => onConnection({ raw, stream, admitted }));
  }
}
