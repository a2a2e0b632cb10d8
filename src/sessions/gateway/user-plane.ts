import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { acceptSocks5, type Socks5Destination, type Socks5Reply, socks5Reply } from '../../platform/network/socks5.ts';
import type { Logger } from '../../platform/telemetry/logger.ts';
import { BearerDatagrams } from './bearer-datagrams.ts';
import type { Bearers } from './bearers.ts';
import { endsOf, type FlowTable } from './flow-table.ts';
import { joinSockets } from './join-sockets.ts';
import type { StoredBearer } from './record-spool.ts';
import type { TerminalTags } from './terminal-tags.ts';

const HANDSHAKE_WITHIN_MS = 10_000;
const CONNECT_WITHIN_MS = 10_000;
const LOOK_EVERY_MS = 20;

const REPLIES: Readonly<Record<string, Socks5Reply>> = {
  ECONNREFUSED: 'connection_refused',
  ENETUNREACH: 'network_unreachable',
  EHOSTUNREACH: 'host_unreachable',
  ETIMEDOUT: 'host_unreachable',
  ENOTFOUND: 'host_unreachable',
};

export interface UserPlaneOptions {
  bearers: Bearers;
  flows: FlowTable;
  /** Null: no application is identified by tags of its terminals. */
  tags: TerminalTags | null;
  logger: Logger;
}

/** Where terminals' traffic passes: SOCKS5 with the bearer as the user; connections and datagrams go out from the bearer's own address. */
export class UserPlane {
  readonly #options: UserPlaneOptions;
  readonly #server: Server;
  readonly #sockets = new Map<Socket, StoredBearer | null>();

  constructor(options: UserPlaneOptions) {
    this.#options = options;
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => void this.#serve(socket));
  }

  /** Resolves with the port. */
  async start(host: string, port: number): Promise<number> {
    this.#server.listen(port, host);
    await once(this.#server, 'listening');
    return (this.#server.address() as AddressInfo).port;
  }

  /** Takes no more connections and waits for those that are open; breaks what is open still after `graceMs`. */
  async stop(graceMs: number): Promise<void> {
    this.#server.close();
    const giveUpAtMs = performance.now() + graceMs;
    while (this.#sockets.size > 0 && performance.now() < giveUpAtMs) await pause(LOOK_EVERY_MS);
    for (const socket of this.#sockets.keys()) socket.resetAndDestroy();
    while (this.#sockets.size > 0) await pause(LOOK_EVERY_MS);
  }

  /** The terminal is detached: what it has open breaks. */
  breakBearer(bearerId: string): void {
    for (const [socket, bearer] of this.#sockets) if (bearer?.bearerId === bearerId) socket.resetAndDestroy();
  }

  async #serve(terminal: Socket): Promise<void> {
    const { logger } = this.#options;
    this.#sockets.set(terminal, null);
    terminal.on('error', (error) => logger.debug({ err: error }, 'a terminal’s connection broke'));
    try {
      await this.#connectThrough(terminal);
    } catch (error) {
      logger.warn({ err: error }, 'a connection ended unexpectedly');
      terminal.destroy();
    } finally {
      this.#sockets.delete(terminal);
    }
  }

  async #connectThrough(terminal: Socket): Promise<void> {
    const { bearers, flows, tags } = this.#options;
    const tooSlow = setTimeout(() => terminal.destroy(), HANDSHAKE_WITHIN_MS);
    const request = await acceptSocks5(terminal, ({ user }) => bearers.get(user));
    clearTimeout(tooSlow);
    if (request === null) return void terminal.end();
    const { client: bearer, destination } = request;
    this.#sockets.set(terminal, bearer);

    if (request.command === 'udp_associate') {
      await new BearerDatagrams(terminal, bearer, { flows, tags }).serve();
      return;
    }
    const dialled = await dial(destination, bearer.terminalIp);
    if ('reply' in dialled) {
      terminal.write(socks5Reply(dialled.reply));
      return void terminal.end();
    }
    const flow = flows.open(endsOf(dialled.socket), bearer);
    const tag = tags?.follow(flow.ends, (mark) => flows.markByTag(flow, mark)) ?? null;
    flow.tag = tag;
    terminal.write(socks5Reply('succeeded'));
    try {
      await joinSockets(terminal, dialled.socket, {
        uplink(segment) {
          tag?.uplink(segment);
          flows.count(flow, 'uplink', segment.length);
        },
        downlink(segment) {
          tag?.downlink(segment);
          flows.count(flow, 'downlink', segment.length);
        },
      });
    } finally {
      await tag?.close();
      flows.close(flow);
    }
  }
}

async function dial(
  { host, port }: Socks5Destination,
  localAddress: string,
): Promise<{ socket: Socket } | { reply: Socks5Reply }> {
  const socket = connect({ host, port, localAddress, family: 4, allowHalfOpen: true, noDelay: true });
  const given = setTimeout(
    () => socket.destroy(Object.assign(new Error('too slow'), { code: 'ETIMEDOUT' })),
    CONNECT_WITHIN_MS,
  );
  try {
    await once(socket, 'connect');
    return { socket };
  } catch (error) {
    socket.destroy();
    return { reply: REPLIES[(error as NodeJS.ErrnoException).code ?? ''] ?? 'general_failure' };
  } finally {
    clearTimeout(given);
  }
}
