import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { socks5Reply } from '../../../platform/network/socks5.ts';
import { parseSocks5Datagram, socks5Datagram } from '../../../platform/network/socks5-datagram.ts';
import { parseSessionTag } from '../../protocol/session-tag.ts';
import { TAG_ACCEPTED, TAG_OVER, TAG_REPEATED_AFTER_MS } from '../../protocol/tag-datagram.ts';
import type { Admitted, NotAdmitted } from '../admission.ts';
import type { BufferHolder } from '../buffer-budget.ts';
import { ConnectionMark } from '../connection-mark.ts';
import { ConnectionMeter } from '../connection-meter.ts';
import { LINGER_OCTETS, lingeringEnd } from '../linger.ts';
import type { Accepted } from '../listener.ts';
import { canonicalIp } from '../private-address.ts';
import type { ProxySession, SessionConnection } from '../proxy-session.ts';
import {
  type AssociationOptions,
  type AssociationServices,
  flowOfDatagrams,
  type Held,
} from './association-options.ts';
import type { DatagramDrop } from './datagram-drops.ts';
import { familyOf, type UdpDestination, UdpDestinations } from './udp-destinations.ts';

/** Datagrams that were under way when the control connection ended arrive within this time and are counted. */
const SETTLE_MS = 250;
const IDLE_CHECKS_PER_TIMEOUT = 4;
/** Ports of a terminal's address that send before one of them is the association's. */
const MAX_CANDIDATES = 8;
/** What a datagram that waits costs beside its octets. */
const HELD_BYTES = 256;
const RECEIVE_BUFFER_BYTES = 1024 * 1024;
/** A client has nothing to say on the control connection after its request. */
const MAX_CONTROL_OCTETS = 16 * 1024;

/**
 * An association of SOCKS5 (RFC 1928, UDP ASSOCIATE): a terminal's control connection, a socket for its datagrams, and one
 * of each address family to the hosts. It carries one content type, that of the first host. Octets are the UDP payload between terminal
 * and proxy, the SOCKS5 header included, and those of the control connection. It is admitted with its first datagram.
 */
export class UdpAssociation implements SessionConnection, BufferHolder {
  readonly blockedSinceMs = null;
  readonly #accepted: Accepted;
  readonly #session: ProxySession;
  readonly #services: AssociationServices;
  readonly #terminalIp: string;
  readonly #expectedPort: number;
  /** The datagram that the terminal's flow must begin with; null: any. */
  readonly #tag: Buffer | null;
  readonly #destinations: UdpDestinations;
  readonly #toTerminal: Socket;
  readonly #toHosts = new Map<'udp4' | 'udp6', Socket>();
  readonly #leave: () => void;
  readonly #idleTimer: NodeJS.Timeout;
  /** Octets of each port of the terminal's address from before one of them is the association's. */
  readonly #candidates = new Map<number, number>();
  #terminalPort = 0;
  #admitted: Admitted | null = null;
  #beginning: Promise<void> | null = null;
  #controlMeter: ConnectionMeter | null = null;
  #marks: ConnectionMark[] = [];
  /** Nothing is counted or passed on before the network knows whose traffic it is. */
  #hasBegun = false;
  #isEnding = false;
  #endedAtMs: number | null = null;
  #uncountedOctets = 0;
  #lingeredOctets = 0;
  #held: Held[] = [];
  #heldOctets = { up: 0, down: 0 };
  #lastPassedMs: number;
  /** When the terminal was sent something last, monotonic. */
  #saidAtMs = 0;

  constructor(accepted: Accepted, session: ProxySession, { services, expectedPort, tag, leave }: AssociationOptions) {
    const { raw } = accepted;
    const { clock, udp, admission } = services;
    this.#accepted = accepted;
    this.#session = session;
    this.#services = services;
    this.#terminalIp = canonicalIp(raw.remoteAddress ?? '') ?? '';
    this.#expectedPort = expectedPort;
    this.#leave = leave;
    this.#tag = tag === null ? null : parseSessionTag(tag.text);
    this.#admitted = tag?.admitted ?? null;
    this.#lastPassedMs = clock.monotonicMs();
    this.#destinations = new UdpDestinations({
      ...{ admission, session, clock, limits: udp, sessionTags: tag === null ? [] : [tag.text] },
      onAdmitted: (admitted) => this.#takeAdmission(admitted),
      onRefused: (refusal) => this.#refuse(refusal),
      onDecided: () => this.#pump(),
    });
    this.#toTerminal = createSocket({ type: familyOf(raw.localAddress ?? ''), recvBufferSize: RECEIVE_BUFFER_BYTES });
    this.#toTerminal.on('message', (octets, from) => this.#fromTerminal(octets, from));
    this.#toTerminal.on('error', () => this.close());
    this.#idleTimer = setInterval(() => this.#closeIfIdle(), udp.idleTimeoutMs / IDLE_CHECKS_PER_TIMEOUT).unref();
    services.registry.join(session, this);
    raw.once('close', () => void this.#closed());
  }

  /** Index in CONTENT_TYPES. */
  get type(): number {
    return this.#admitted?.type ?? 0;
  }

  /**
   * Answers the request with where the terminal's datagrams are expected: at `advertisedIp`, or where the control connection
   * came. Rejects when no socket can be had.
   */
  async open(advertisedIp: string | null): Promise<void> {
    const { raw, stream } = this.#accepted;
    const address = (raw.localAddress ?? '').replace(/^::ffff:(?=\d+\.)/i, '');
    this.#toTerminal.bind(0, address);
    await once(this.#toTerminal, 'listening');
    if (this.#isEnding || raw.destroyed) return;
    // The network takes a control connection with a tag for the sponsor's from its first octet on.
    if (this.#admitted !== null) this.#follow(this.#admitted);
    stream.on('data', () => this.#countControl());
    stream.once('end', () => this.close());
    stream.resume();
    stream.write(socks5Reply('succeeded', { host: advertisedIp ?? address, port: this.#toTerminal.address().port }));
    if (this.#tag !== null) this.#marks[0].accept();
    this.#countControl();
  }

  close(): void {
    if (this.#isEnding) return;
    this.#isEnding = true;
    for (const _ of this.#held.splice(0)) this.#services.drop('session_over');
    this.#services.buffers.release(this);
    lingeringEnd(this.#accepted);
  }

  destroy(): void {
    this.#accepted.raw.destroy();
  }

  notify(): void {}

  overflow(): void {
    this.#services.logger.warn(
      { sessionId: this.#session.terms.sessionId },
      'an association held too much memory and is closed',
    );
    this.close();
  }

  markAgain(): void {
    if (this.#tag !== null && !this.#session.isSponsored(this.type)) this.close();
    else if (this.#hasBegun && !this.#isEnding) for (const mark of this.#marks) void mark.renew();
  }

  #fromTerminal(octets: Buffer, from: RemoteInfo): void {
    const taken = this.#takeUplink(octets, from);
    if (typeof taken === 'string') this.#services.drop(taken);
    else if (taken !== null) this.#pass(taken);
  }

  /** Counts it, and says where it goes or why it is dropped; null for what goes no further. */
  #takeUplink(octets: Buffer, { address, port }: RemoteInfo): Held | DatagramDrop | null {
    if (canonicalIp(address) !== this.#terminalIp || !this.#isOwnPort(port)) return 'other_source';
    if (!this.#countUplink(port, octets.length)) return 'other_source';
    if (this.#isEnding) {
      this.#lingeredOctets += octets.length;
      if (this.#lingeredOctets > LINGER_OCTETS) this.#accepted.raw.destroy();
      return 'session_over';
    }
    if (octets.length > this.#services.udp.datagramBytes) return 'too_large';
    if (this.#tag?.equals(octets)) return this.#takeTag(port, octets.length);
    const parsed = parseSocks5Datagram(octets);
    if (parsed.fault !== undefined) return parsed.fault;
    if (this.#tag !== null && !this.#hasBegun) return 'tag_missing';
    if (this.#terminalPort === 0) this.#bind(port);
    const to = this.#destinations.find(parsed.peer);
    return to === null ? 'too_many_destinations' : { octets: parsed.payload, to };
  }

  /** The flow begins with the session's tag, and again while the terminal has no answer. */
  #takeTag(port: number, octets: number): DatagramDrop | null {
    // The network reads a flow's first datagram alone.
    if (this.#terminalPort === 0 && this.#candidates.get(port) !== octets) return 'tag_missing';
    if (this.#terminalPort === 0) this.#bind(port);
    if (!this.#hasBegun) {
      this.#hasBegun = true;
      this.#countBefore();
    }
    this.#say(TAG_ACCEPTED);
    return null;
  }

  #say(octets: Buffer): void {
    this.#count(0, octets.length);
    this.#saidAtMs = this.#services.clock.monotonicMs();
    this.#toTerminal.send(octets, this.#terminalPort, this.#terminalIp, () => {});
  }

  #isOwnPort(port: number): boolean {
    const own = this.#terminalPort === 0 ? this.#expectedPort : this.#terminalPort;
    return own === 0 || own === port;
  }

  /** The first datagram with a header says which port is the association's. */
  #bind(port: number): void {
    this.#terminalPort = port;
    this.#uncountedOctets = this.#candidates.get(port) ?? 0;
    this.#candidates.clear();
  }

  /** Counts what came, whether or not it can be passed on: the network has metered it. False: from one port too many. */
  #countUplink(port: number, octets: number): boolean {
    if (this.#terminalPort === 0) {
      const before = this.#candidates.get(port);
      if (before === undefined && this.#candidates.size >= MAX_CANDIDATES) return false;
      this.#candidates.set(port, (before ?? 0) + octets);
    } else if (!this.#hasBegun) this.#uncountedOctets += octets;
    else this.#count(octets, 0);
    return true;
  }

  #count(uplinkOctets: number, downlinkOctets: number): void {
    const payer = this.#admitted?.payer ?? 'by_credit';
    const isAtLimit = this.#session.count(this.type, { uplinkOctets, downlinkOctets }, Date.now(), payer);
    if (isAtLimit && !this.#isEnding) {
      // The datagram that reaches the limit is passed on whole: it cannot be divided.
      queueMicrotask(() => this.#services.registry.reachLimit(this.#session));
    }
  }

  #countControl(): void {
    const { raw } = this.#accepted;
    if (raw.bytesRead > MAX_CONTROL_OCTETS) raw.destroy();
    const isAtLimit = this.#marks[0]?.hasBegun === true && this.#controlMeter?.count(Date.now()) === true;
    if (isAtLimit && !this.#isEnding) this.#services.registry.reachLimit(this.#session);
  }

  /** The first host that is admitted says what the association carries. */
  #takeAdmission(admitted: Admitted): DatagramDrop | null {
    if (this.#isEnding) return 'session_over';
    if (this.#admitted !== null) return admitted.type === this.#admitted.type ? null : 'other_content';
    this.#admitted = admitted;
    this.#beginning = this.#begin(admitted);
    return null;
  }

  async #begin(admitted: Admitted): Promise<void> {
    this.#follow(admitted);
    await Promise.all(this.#marks.map((mark) => mark.begin()));
    const [control, datagrams] = this.#marks;
    // A flow that ended before its mark is in no report; one that has it is counted, and loses it at the end.
    this.#hasBegun = datagrams.hasBegun;
    this.#countControl();
    if (this.#hasBegun) this.#countBefore();
    if (control.hasEnded || !this.#hasBegun) this.close();
    else this.#pump();
  }

  #follow(admitted: Admitted): void {
    const { raw } = this.#accepted;
    const ends = { local: this.#toTerminal.address(), remote: { address: this.#terminalIp, port: this.#terminalPort } };
    const flow = flowOfDatagrams(ends, this.#services.clock, () => this.#endedAtMs);
    this.#controlMeter = new ConnectionMeter(raw, admitted);
    this.#marks = [raw, flow].map(
      (each) => new ConnectionMark(each, admitted, this.#services.marks, () => this.#pump()),
    );
  }

  #countBefore(): void {
    this.#count(this.#uncountedOctets, 0);
    this.#uncountedOctets = 0;
  }

  #refuse(refusal: NotAdmitted): void {
    this.#services.logRefusal(refusal);
    // Without one host that it may send to it is of no use, and its end is all that SOCKS5 can say.
    if (this.#admitted === null) this.close();
  }

  #fromHost(octets: Buffer, from: RemoteInfo): void {
    const taken = this.#takeDownlink(octets, from);
    if (typeof taken === 'string') this.#services.drop(taken);
    else this.#pass(taken);
  }

  #takeDownlink(octets: Buffer, { address, port }: RemoteInfo): Held | DatagramDrop {
    if (this.#isEnding) return 'session_over';
    if (!this.#destinations.isAsked(address, port)) return 'not_asked';
    const datagram = socks5Datagram({ peer: { host: address, port }, payload: octets });
    return datagram.length > this.#services.udp.datagramBytes ? 'too_large' : { octets: datagram, to: null };
  }

  get #isHeld(): boolean {
    return !this.#hasBegun || this.#marks.some(({ isChanging }) => isChanging);
  }

  #pass(datagram: Held): void {
    if (!this.#isHeld && this.#held.length === 0 && datagram.to?.state !== 'pending') {
      this.#send(datagram);
      return;
    }
    const way = datagram.to === null ? 'down' : 'up';
    if (this.#heldOctets[way] + datagram.octets.length > this.#services.udp.queuedBytes) {
      this.#services.drop('queue_full');
      return;
    }
    this.#heldOctets[way] += datagram.octets.length;
    this.#held.push({ ...datagram, octets: Buffer.from(datagram.octets) });
    this.#pump();
  }

  /** Passes on what waited, in its order, as far as its hosts are known. */
  #pump(): void {
    const waiting = this.#held;
    this.#held = [];
    for (const datagram of waiting) {
      if (!this.#isEnding && (this.#isHeld || datagram.to?.state === 'pending')) {
        this.#held.push(datagram);
        continue;
      }
      this.#heldOctets[datagram.to === null ? 'down' : 'up'] -= datagram.octets.length;
      this.#send(datagram);
    }
    const { up, down } = this.#heldOctets;
    if (!this.#isEnding) this.#services.buffers.hold(this, this.#session, up + down + this.#held.length * HELD_BYTES);
  }

  #send(datagram: Held): void {
    const { drop } = this.#services;
    const { octets, to } = datagram;
    const reason = this.#reasonNotToSend(datagram);
    if (reason !== null) {
      drop(reason);
      return;
    }
    const socket = this.#socketFor(to);
    this.#lastPassedMs = this.#services.clock.monotonicMs();
    this.#session.touch(Date.now());
    if (to === null) {
      this.#saidAtMs = this.#lastPassedMs;
      this.#count(0, octets.length);
    } else {
      this.#destinations.noteAsked(to);
      const isSilent = this.#lastPassedMs - this.#saidAtMs > TAG_REPEATED_AFTER_MS;
      if (this.#tag !== null && isSilent) this.#say(TAG_ACCEPTED);
    }
    socket.send(octets, to?.port ?? this.#terminalPort, to?.address ?? this.#terminalIp, (error) => {
      if (error !== null) drop('send_failed');
    });
  }

  #reasonNotToSend({ octets, to }: Held): DatagramDrop | null {
    if (this.#isEnding) return 'session_over';
    if (to !== null && to.state !== 'ready') return to.state === 'pending' ? 'queue_full' : to.state;
    return this.#socketFor(to).getSendQueueSize() + octets.length > this.#services.udp.queuedBytes
      ? 'queue_full'
      : null;
  }

  #socketFor(to: UdpDestination | null): Socket {
    if (to === null) return this.#toTerminal;
    const family = familyOf(to.address);
    const known = this.#toHosts.get(family);
    if (known !== undefined) return known;
    const socket = createSocket({ type: family, recvBufferSize: RECEIVE_BUFFER_BYTES });
    this.#toHosts.set(family, socket);
    socket.on('message', (octets, from) => this.#fromHost(octets, from));
    socket.on('error', () => this.close());
    return socket;
  }

  #closeIfIdle(): void {
    const { clock, udp } = this.#services;
    if (clock.monotonicMs() - this.#lastPassedMs >= udp.idleTimeoutMs) this.close();
  }

  /** Counts what is still under way, takes the mark away, and is gone. */
  async #closed(): Promise<void> {
    clearInterval(this.#idleTimer);
    this.close();
    // The network may have the mark already: what it metered with it is counted.
    await this.#beginning;
    if (this.#hasBegun) {
      if (this.#lingeredOctets <= LINGER_OCTETS) await pause(SETTLE_MS);
      await this.#marks[1]?.end();
      if (this.#tag !== null) {
        // The network hears that the flow is over; what was on its way before is counted.
        this.#toTerminal.send(TAG_OVER, this.#terminalPort, this.#terminalIp, () => {});
        await pause(SETTLE_MS);
      }
    }
    this.#countControl();
    this.#endedAtMs = this.#services.clock.monotonicMs();
    for (const socket of [this.#toTerminal, ...this.#toHosts.values()]) socket.close();
    this.#leave();
    this.#services.registry.leave(this.#session, this);
  }
}
