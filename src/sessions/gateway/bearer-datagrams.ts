import { createSocket, type RemoteInfo } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import { isIPv4, type Socket as TcpSocket } from 'node:net';
import { type Socks5Destination, socks5Reply } from '../../platform/network/socks5.ts';
import { parseSocks5Datagram, socks5Datagram } from '../../platform/network/socks5-datagram.ts';
import { type DatagramTag, followDatagrams } from './datagram-tag.ts';
import type { Mark } from './flow-meter.ts';
import { type Flow, type FlowEnds, type FlowTable, UDP } from './flow-table.ts';
import type { StoredBearer } from './record-spool.ts';
import type { TerminalTags } from './terminal-tags.ts';

/** Flows of one association. They last as long as it does: a proxy's mark must not be lost while nothing passes. */
const MAX_FLOWS = 64;
const MAX_NAMES = 64;
/** Datagrams of one association that wait for names. */
const MAX_WAITING = 64;
const MAX_SEND_QUEUE_BYTES = 1024 * 1024;
const DRAIN_MS = 50;
const RECEIVE_BUFFER_BYTES = 1024 * 1024;

/**
 * Datagrams of a terminal's association with the gateway (SOCKS5 UDP ASSOCIATE): they go out from the bearer's own address and are
 * metered by flow, UDP payload in both directions. The gateway's own SOCKS5 header is not counted. Ends with the control connection.
 */
export class BearerDatagrams {
  readonly #control: TcpSocket;
  readonly #bearer: StoredBearer;
  readonly #flows: FlowTable;
  readonly #tags: TerminalTags | null;
  /** By remote address and port. */
  readonly #open = new Map<string, { flow: Flow; tag: DatagramTag | null }>();
  readonly #names = new Map<string, Promise<string | null>>();
  readonly #toTerminal = createSocket({ type: 'udp4', recvBufferSize: RECEIVE_BUFFER_BYTES });
  readonly #toNetwork = createSocket({ type: 'udp4', recvBufferSize: RECEIVE_BUFFER_BYTES });
  #terminalPort: number | null = null;
  #waiting = 0;
  #isOver = false;

  constructor(
    control: TcpSocket,
    bearer: StoredBearer,
    { flows, tags }: { flows: FlowTable; tags: TerminalTags | null },
  ) {
    this.#tags = tags;
    this.#control = control;
    this.#bearer = bearer;
    this.#flows = flows;
  }

  /** Answers the request, and resolves when the association is over. Rejects when no socket can be had. */
  async serve(): Promise<void> {
    const control = this.#control;
    const closed = new Promise<void>((resolve) => control.once('close', () => resolve()));
    const [terminal, network] = [this.#toTerminal, this.#toNetwork];
    try {
      for (const socket of [terminal, network]) socket.on('error', () => control.resetAndDestroy());
      terminal.on('message', (octets, from) => this.#fromTerminal(octets, from));
      network.on('message', (octets, from) => this.#fromNetwork(octets, from));
      terminal.bind(0, plainIp(control.localAddress));
      network.bind(0, this.#bearer.terminalIp);
      await Promise.all([once(terminal, 'listening'), once(network, 'listening')]);
      // What has arrived before the terminal's end is passed on.
      control.on('end', () => setTimeout(() => this.#end(), DRAIN_MS));
      control.resume();
      const { address, port } = terminal.address();
      control.write(socks5Reply('succeeded', { host: address, port }));
      if (!control.destroyed) await closed;
    } finally {
      this.#isOver = true;
      terminal.close();
      network.close();
      for (const { flow, tag } of this.#open.values()) {
        await tag?.close();
        this.#flows.close(flow);
      }
    }
  }

  #end(): void {
    this.#isOver = true;
    this.#control.end();
  }

  #fromTerminal(octets: Buffer, { address, port }: RemoteInfo): void {
    if (this.#isOver || address !== plainIp(this.#control.remoteAddress) || port !== (this.#terminalPort ?? port))
      return;
    const parsed = parseSocks5Datagram(octets);
    if (parsed.fault !== undefined) return;
    this.#terminalPort = port;
    const { host } = parsed.peer;
    if (isIPv4(host)) this.#send(parsed.peer, parsed.payload);
    else if (this.#waiting < MAX_WAITING) void this.#sendByName(parsed.peer, parsed.payload);
  }

  async #sendByName({ host, port }: Socks5Destination, payload: Buffer): Promise<void> {
    let found = this.#names.get(host);
    if (found === undefined) {
      if (this.#names.size >= MAX_NAMES) return;
      found = lookup(host, { family: 4 }).then(
        ({ address }) => address,
        () => null,
      );
      this.#names.set(host, found);
    }
    this.#waiting++;
    const address = await found;
    this.#waiting--;
    if (address !== null && !this.#isOver) this.#send({ host: address, port }, payload);
  }

  #send({ host, port }: Socks5Destination, payload: Buffer): void {
    if (port === 0 || this.#toNetwork.getSendQueueSize() > MAX_SEND_QUEUE_BYTES) return;
    const open = this.#flowTo(host, port);
    if (open === null) return;
    open.tag?.uplink(payload);
    this.#flows.count(open.flow, 'uplink', payload.length);
    // What cannot be sent is lost as on any network.
    this.#toNetwork.send(payload, port, host, () => {});
  }

  #flowTo(remoteIp: string, remotePort: number): { flow: Flow; tag: DatagramTag | null } | null {
    const key = `${remoteIp}|${remotePort}`;
    const known = this.#open.get(key);
    if (known !== undefined) return known;
    if (this.#open.size >= MAX_FLOWS) return null;
    const { address, port } = this.#toNetwork.address();
    const ends: FlowEnds = { protocol: UDP, terminalIp: address, terminalPort: port, remoteIp, remotePort };
    const flow = this.#flows.open(ends, this.#bearer);
    const marking = {
      set: (mark: Mark) => this.#flows.markByTag(flow, mark),
      remove: (mark: Mark) => this.#flows.unmark(flow, mark),
    };
    const tag = this.#tags === null ? null : followDatagrams(this.#tags, ends, marking);
    flow.tag = tag;
    const opened = { flow, tag };
    this.#open.set(key, opened);
    return opened;
  }

  #fromNetwork(payload: Buffer, { address, port }: RemoteInfo): void {
    const open = this.#open.get(`${address}|${port}`);
    if (this.#isOver || open === undefined || this.#terminalPort === null) return;
    if (this.#toTerminal.getSendQueueSize() > MAX_SEND_QUEUE_BYTES) return;
    // First: the datagram that says that a tagged flow is over is the subscriber's already.
    open.tag?.downlink(payload);
    this.#flows.count(open.flow, 'downlink', payload.length);
    const datagram = socks5Datagram({ peer: { host: address, port }, payload });
    this.#toTerminal.send(datagram, this.#terminalPort, plainIp(this.#control.remoteAddress), () => {});
  }
}

function plainIp(address = ''): string {
  return address.replace(/^::ffff:(?=\d+\.)/i, '');
}
