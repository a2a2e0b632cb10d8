import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { EventEmitter, once } from 'node:events';
import type { Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { parseSocks5Datagram, socks5Datagram } from '../../platform/network/socks5-datagram.ts';
import { associate } from './associate.ts';
import { DialError, directDial, type TerminalDestination } from './terminal-dial.ts';

const RECEIVE_BUFFER_BYTES = 1024 * 1024;
const END_WITHIN_MS = 3000;
/** What has arrived is read within this time. */
const DRAIN_MS = 50;

/** How a terminal exchanges datagrams with one destination. Rejects with a DialError. */
export type DatagramDial = (destination: TerminalDestination) => Promise<DatagramPath>;

/**
 * Datagrams to and from one destination, with the octets of their payload (a gateway's header is not counted). Emits `datagram` with a
 * payload, and `close`.
 */
export class DatagramPath extends EventEmitter<{ datagram: [Buffer]; close: []; error: [Error] }> {
  readonly #socket: UdpSocket;
  readonly #to: TerminalDestination;
  /** Through a gateway: its control connection, and where the datagrams are really for. */
  readonly #gateway: { control: Socket; peer: TerminalDestination } | null;
  #uplinkOctets = 0;
  #downlinkOctets = 0;
  #isClosed = false;

  constructor(
    socket: UdpSocket,
    to: TerminalDestination,
    gateway: { control: Socket; peer: TerminalDestination } | null = null,
  ) {
    super();
    this.#socket = socket;
    this.#to = to;
    this.#gateway = gateway;
    socket.on('message', (octets, { address, port }) => {
      if (address === to.host && port === to.port) this.#take(octets);
    });
    socket.on('error', () => this.destroy());
    socket.on('close', () => this.emit('close'));
    gateway?.control.on('error', () => {}).once('close', () => setTimeout(() => this.destroy(), DRAIN_MS));
  }

  send(payload: Buffer): void {
    if (this.#isClosed) return;
    const octets = this.#gateway === null ? payload : socks5Datagram({ peer: this.#gateway.peer, payload });
    this.#uplinkOctets += payload.length;
    this.#socket.send(octets, this.#to.port, this.#to.host, () => {});
  }

  octets(): { uplinkOctets: number; downlinkOctets: number } {
    return { uplinkOctets: this.#uplinkOctets, downlinkOctets: this.#downlinkOctets };
  }

  /** Takes what is under way and ends: a gateway passes on what it has metered before it closes its side. */
  async end(): Promise<void> {
    const control = this.#gateway?.control;
    if (control !== undefined && !control.destroyed) {
      const over = new Promise((resolve) => control.once('close', resolve));
      control.end();
      const given = setTimeout(() => control.destroy(), END_WITHIN_MS);
      await over;
      clearTimeout(given);
    }
    await pause(DRAIN_MS);
    this.destroy();
  }

  destroy(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#gateway?.control.destroy();
    this.#socket.close();
  }

  #take(octets: Buffer): void {
    if (this.#isClosed) return;
    const payload = this.#gateway === null ? octets : payloadOf(octets);
    if (payload === null) return;
    this.#downlinkOctets += payload.length;
    this.emit('datagram', payload);
  }
}

/** Straight to the destination. */
export const directDatagrams: DatagramDial = async ({ host, port }) => {
  const { address, family } = await lookup(host).catch((cause: Error) => {
    throw new DialError('unreachable', `${host} cannot be resolved: ${cause.message}`, cause);
  });
  return new DatagramPath(await bound(family === 6 ? 'udp6' : 'udp4'), { host: address, port });
};

/** Through a gateway's SOCKS5 (UDP ASSOCIATE), the bearer being the user. */
export function gatewayDatagrams(gateway: TerminalDestination, bearerId: string): DatagramDial {
  return async (peer) => {
    const { socket: control } = await directDial(gateway);
    const associated = await associate(control, { user: bearerId, password: '-' });
    if ('refusal' in associated) {
      control.destroy();
      throw new DialError('turned_away', `the gateway takes no datagrams: ${associated.refusal}`);
    }
    control.resume();
    return new DatagramPath(await bound('udp4'), associated.relay, { control, peer });
  };
}

async function bound(type: 'udp4' | 'udp6'): Promise<UdpSocket> {
  const socket = createSocket({ type, recvBufferSize: RECEIVE_BUFFER_BYTES });
  socket.bind(0);
  await once(socket, 'listening');
  return socket;
}

function payloadOf(octets: Buffer): Buffer | null {
  const parsed = parseSocks5Datagram(octets);
  return parsed.fault === undefined ? parsed.payload : null;
}
