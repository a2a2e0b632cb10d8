import type { Duplex } from 'node:stream';
import { WebSocket } from 'ws';
import type { SessionEnding } from '../protocol/refusal.ts';
import { encodeRelayMessage, type RelayNotice, stillHereSchema } from '../protocol/relay-message.ts';
import type { Admitted } from './admission.ts';
import type { BufferHolder, BufferScope } from './buffer-budget.ts';
import { checkMessage } from './check-message.ts';
import { ConnectionMark } from './connection-mark.ts';
import { ConnectionMeter } from './connection-meter.ts';
import { LINGER_MS, LINGER_OCTETS } from './linger.ts';
import { type Accepted, BUFFER_OCTETS } from './listener.ts';
import type { ProxySession, SessionConnection } from './proxy-session.ts';
import { type ConnectionServices, earlier } from './proxy-tunnel.ts';

/** Normal closure, and one by rules of this server (RFC 6455, 7.4.1). */
const NORMAL = 1000;
const BY_POLICY = 1008;
const UPSTREAM_GONE = 1011;
const TRY_LATER = 1013;
/** A terminal that is closed for the memory that it holds has so long to read why. */
const OVERFLOW_CLOSES_WITHIN_MS = 100;
/** A terminal that sends more texts and refused messages than this within the time is closed: each costs more than it weighs. */
const MAX_VAIN_FRAMES = 64;
const VAIN_FRAMES_MS = 10_000;
/** What each read of an unfinished message costs beside its bytes. */
const CHUNK_BYTES = 256;

/**
 * A terminal's WebSocket and the one to the application's message server. Each message is verified and passed on with its
 * sender's account; what comes from the application is passed back. A side that takes nothing is not read from, either.
 */
export class ProxyRelayConnection implements SessionConnection, BufferHolder {
  readonly type: number;
  readonly #accepted: Accepted;
  readonly #admitted: Admitted;
  readonly #session: ProxySession;
  readonly #services: ConnectionServices;
  readonly #maxPayloadOctets: number;
  readonly #meter: ConnectionMeter;
  readonly #mark: ConnectionMark;
  #terminal: WebSocket | null = null;
  #upstream: WebSocket | null = null;
  #isEnding = false;
  #terminalFullSinceMs: number | null = null;
  #upstreamFullSinceMs: number | null = null;
  readonly #unfinished = { terminal: new UnfinishedMessage(), upstream: new UnfinishedMessage() };
  readonly #vainFrames = { count: 0, sinceMs: 0 };
  /** The newest ping that is not answered yet. */
  #ping: Buffer | null = null;

  constructor(
    accepted: Accepted,
    admitted: Admitted,
    { services, maxPayloadOctets }: { services: ConnectionServices; maxPayloadOctets: number },
  ) {
    this.type = admitted.type;
    this.#accepted = accepted;
    this.#admitted = admitted;
    this.#session = admitted.session;
    this.#services = services;
    this.#maxPayloadOctets = maxPayloadOctets;
    this.#meter = new ConnectionMeter(accepted.raw, admitted);
    this.#mark = new ConnectionMark(accepted.raw, admitted, services.marks, () => this.#balance());
    services.registry.join(admitted.session, this);
    accepted.raw.once('close', () => void this.#closed());
  }

  get blockedSinceMs(): number | null {
    if (this.#isEnding) return null;
    const { terminal, upstream } = this.#unfinished;
    const full = earlier(this.#terminalFullSinceMs, this.#upstreamFullSinceMs);
    return earlier(full, earlier(terminal.lastReadMs, upstream.lastReadMs));
  }

  get isEnding(): boolean {
    return this.#isEnding;
  }

  /** Marks its traffic for the network. */
  async begin(): Promise<void> {
    if (!this.#isEnding) await this.#mark.begin();
    if (this.#mark.hasEnded) this.#isEnding = true;
  }

  /** Both sides are there; the upstream has been paused until now. */
  open(terminal: WebSocket, upstream: WebSocket, upstreamSocket: Duplex): void {
    this.#mark.accept();
    this.#terminal = terminal;
    this.#upstream = upstream;
    terminal.on('message', (data: Buffer, isBinary) => {
      this.#unfinished.terminal.end();
      if (isBinary) this.#fromTerminal(data);
      else this.#answered(data);
    });
    terminal.on('ping', (data: Buffer) => this.#pinged(terminal, data));
    terminal.on('error', () => {});
    terminal.on('close', () => upstream.close(NORMAL));
    upstream.on('message', (data: Buffer, isBinary) => {
      this.#unfinished.upstream.end();
      if (isBinary) this.#fromUpstream(data);
    });
    upstream.on('error', () => {});
    upstream.on('close', () => this.#end(UPSTREAM_GONE, 'upstream_failed'));
    // Each read counts, not each message: one may be large, and slow.
    this.#accepted.stream.on('data', (chunk: Buffer) => {
      this.#read('terminal', chunk);
      this.#count();
    });
    upstreamSocket.on('data', (chunk: Buffer) => this.#read('upstream', chunk));
    this.#count();
    this.#balance();
  }

  close(ending: SessionEnding): void {
    this.#end(ending === 'terminal_left' || ending === 'idle' ? NORMAL : BY_POLICY, ending);
    this.#isEnding = true;
  }

  destroy(): void {
    this.#accepted.raw.destroy();
  }

  overflow(scope: BufferScope): void {
    const [terminal, upstream] = [this.#terminal, this.#upstream];
    if (this.#isEnding || terminal === null) return;
    this.#services.logger.warn(
      { scope, sessionId: this.#session.terms.sessionId },
      'a relay connection held too much memory and is closed',
    );
    this.#isEnding = true;
    // One that does not read what it is sent does not read the reason, either.
    if (terminal.bufferedAmount < BUFFER_OCTETS) {
      this.notify({ type: 'closing', reason: 'buffers_full' });
      terminal.close(TRY_LATER, 'buffers_full');
    }
    terminal.pause();
    upstream?.terminate();
    setTimeout(() => this.#accepted.raw.destroy(), OVERFLOW_CLOSES_WITHIN_MS);
  }

  notify(notice: RelayNotice): void {
    if (this.#terminal !== null) this.#send(this.#terminal, JSON.stringify(notice));
  }

  markAgain(): void {
    if (this.#admitted.payer === 'sponsor' && !this.#session.isSponsored(this.type)) this.close('cap_reached');
    else if (this.#terminal !== null) void this.#mark.renew();
  }

  #fromTerminal(frame: Buffer): void {
    const upstream = this.#upstream;
    if (this.#isEnding || upstream === null) return;
    const { application: _, contentType } = this.#admitted;
    const checked = checkMessage(frame, this.#session, { contentType, maxPayloadOctets: this.#maxPayloadOctets });
    if ('reason' in checked) {
      this.notify({ type: 'refused', ...checked });
      this.#countVainFrame();
      return;
    }
    this.#session.touch(Date.now());
    const { mac: _mac, ...header } = checked.header;
    const from = this.#session.terms.applicationAccount;
    const message = encodeRelayMessage({ header: { ...header, from }, payload: checked.payload });
    this.#send(upstream, message, () => this.notify({ type: 'accepted', messageId: header.messageId }));
  }

  #fromUpstream(frame: Buffer): void {
    const terminal = this.#terminal;
    if (this.#isEnding || terminal === null) return;
    this.#session.touch(Date.now());
    this.#send(terminal, frame);
  }

  /**
   * Answered here and not by the library: of those that came in one read the newest alone (RFC 6455, 5.5.3), as they come by the
   * thousand, too; a client that does not read the answers gets none.
   */
  #pinged(terminal: WebSocket, data: Buffer): void {
    const isWaiting = this.#ping !== null;
    this.#ping = data;
    if (isWaiting) return;
    setImmediate(() => {
      const newest = this.#ping;
      this.#ping = null;
      const isOpen = terminal.readyState === WebSocket.OPEN;
      if (newest !== null && isOpen && terminal.bufferedAmount < BUFFER_OCTETS) terminal.pong(newest);
    });
  }

  /** The one thing that a terminal says as text. */
  #answered(data: Buffer): void {
    if (this.#isEnding) return;
    if (stillHereSchema.safeParse(parseJson(data.toString())).success) this.#session.touch(Date.now());
    else this.notify({ type: 'refused', reason: 'message_invalid' });
    this.#countVainFrame();
  }

  /** Frames come by the thousand in one read: what is behind the last one that is taken is not looked at. */
  #countVainFrame(): void {
    const vain = this.#vainFrames;
    const nowMs = this.#services.clock.monotonicMs();
    if (nowMs - vain.sinceMs > VAIN_FRAMES_MS) Object.assign(vain, { count: 0, sinceMs: nowMs });
    vain.count++;
    if (vain.count > MAX_VAIN_FRAMES) this.#end(BY_POLICY, 'message_invalid');
  }

  #read(side: 'terminal' | 'upstream', chunk: Buffer): void {
    this.#unfinished[side].read(chunk.length, this.#services.clock.monotonicMs());
    this.#holdBuffers();
  }

  #holdBuffers(): void {
    const [terminal, upstream] = [this.#terminal, this.#upstream];
    if (terminal === null || upstream === null || this.#isEnding) return;
    const unfinishedBytes = this.#unfinished.terminal.bytes + this.#unfinished.upstream.bytes;
    const bytes = terminal.bufferedAmount + upstream.bufferedAmount + unfinishedBytes;
    this.#services.buffers.hold(this, this.#session, bytes);
  }

  #send(to: WebSocket, data: Buffer | string, done: () => void = () => {}): void {
    // Who has said that it closes is sent nothing more: what is counted ahead must be written.
    if (to.readyState !== WebSocket.OPEN) return;
    const isAtLimit = to === this.#terminal && this.#meter.count(Date.now(), frameOctets(data));
    to.send(data, { binary: typeof data !== 'string' }, (error) => {
      if (error === undefined || error === null) done();
      this.#balance();
    });
    if (isAtLimit && !this.#isEnding) this.#services.registry.reachLimit(this.#session);
    this.#balance();
  }

  #count(): void {
    if (this.#meter.count(Date.now()) && !this.#isEnding) this.#services.registry.reachLimit(this.#session);
  }

  /** Reads as long as what was read is taken. */
  #balance(): void {
    const [terminal, upstream] = [this.#terminal, this.#upstream];
    if (terminal === null || upstream === null || this.#isEnding) return;
    this.#holdBuffers();
    const terminalIsFull = terminal.bufferedAmount > BUFFER_OCTETS;
    const upstreamIsFull = upstream.bufferedAmount > BUFFER_OCTETS;
    const nowMs = this.#services.clock.monotonicMs();
    this.#terminalFullSinceMs = terminalIsFull ? (this.#terminalFullSinceMs ?? nowMs) : null;
    this.#upstreamFullSinceMs = upstreamIsFull ? (this.#upstreamFullSinceMs ?? nowMs) : null;
    const isHeld = this.#mark.isChanging;
    // A terminal that takes no answers asks no more.
    if (isHeld || upstreamIsFull || terminalIsFull) terminal.pause();
    else terminal.resume();
    if (isHeld || terminalIsFull) upstream.pause();
    else upstream.resume();
  }

  /** Says why, and has both sides closed within the time that lingering takes. */
  #end(code: number, reason: string): void {
    const [terminal, upstream] = [this.#terminal, this.#upstream];
    if (terminal === null || upstream === null || this.#isEnding) return;
    // First: the notice counts, too, and reaching the limit with it must not end this again.
    this.#isEnding = true;
    this.notify({ type: 'closing', reason });
    this.#services.buffers.release(this);
    const { raw, stream } = this.#accepted;
    const readBefore = raw.bytesRead;
    stream.on('data', () => {
      if (raw.bytesRead - readBefore > LINGER_OCTETS) raw.destroy();
    });
    const timer = setTimeout(() => raw.destroy(), LINGER_MS);
    raw.once('close', () => clearTimeout(timer));
    terminal.resume();
    terminal.close(code, reason);
    upstream.terminate();
  }

  async #closed(): Promise<void> {
    this.#isEnding = true;
    this.#services.buffers.release(this);
    this.#upstream?.terminate();
    if (await this.#mark.whetherBegun()) this.#meter.count(Date.now());
    this.#services.registry.leave(this.#session, this);
  }
}

/** What has been read of a message that is not whole yet. */
class UnfinishedMessage {
  #hasEnded = false;
  bytes = 0;
  /** Monotonic; null while none is unfinished. */
  lastReadMs: number | null = null;

  /** A message is whole. What has been read behind it is less than one read, and not counted. */
  end(): void {
    this.#hasEnded = true;
  }

  read(bytes: number, nowMs: number): void {
    this.bytes = this.#hasEnded ? 0 : this.bytes + bytes + CHUNK_BYTES;
    this.lastReadMs = this.#hasEnded ? null : nowMs;
    this.#hasEnded = false;
  }
}

/** On the wire: what a server sends is not masked (RFC 6455, 5.2). */
function frameOctets(data: Buffer | string): number {
  const length = Buffer.byteLength(data);
  return length + (length < 126 ? 2 : length < 65_536 ? 4 : 10);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
