import type { Socket } from 'node:net';
import type { Clock } from '../../platform/clock.ts';
import type { Logger } from '../../platform/telemetry/logger.ts';
import type { Admitted } from './admission.ts';
import type { BufferBudget, BufferHolder, BufferScope } from './buffer-budget.ts';
import { ConnectionMark } from './connection-mark.ts';
import { ConnectionMeter } from './connection-meter.ts';
import type { FlowMarks } from './flow-marks.ts';
import { lingeringEnd } from './linger.ts';
import type { Accepted } from './listener.ts';
import type { Payer, ProxySession, SessionConnection } from './proxy-session.ts';
import type { SessionRegistry } from './session-registry.ts';

export interface ConnectionServices {
  registry: SessionRegistry;
  marks: FlowMarks;
  clock: Clock;
  buffers: BufferBudget;
  logger: Logger;
}

/**
 * A terminal's connection and the one to a host of the application, octets passed from each to the other and counted. What
 * one side does not take stays with the other: no more is read than what is in buffers of a fixed size.
 */
export class Tunnel implements SessionConnection, BufferHolder {
  readonly type: number;
  readonly #accepted: Accepted;
  readonly #session: ProxySession;
  readonly #payer: Payer;
  readonly #services: ConnectionServices;
  readonly #meter: ConnectionMeter;
  readonly #mark: ConnectionMark;
  #upstream: Socket | null = null;
  #isOpen = false;
  #isEnding = false;
  /** Since when a side has not taken what it was given, monotonic. Each by itself: a busy tunnel may always have one of them. */
  #terminalFullSinceMs: number | null = null;
  #upstreamFullSinceMs: number | null = null;

  constructor(accepted: Accepted, admitted: Admitted, services: ConnectionServices) {
    this.type = admitted.type;
    this.#accepted = accepted;
    this.#session = admitted.session;
    this.#payer = admitted.payer;
    this.#services = services;
    this.#meter = new ConnectionMeter(accepted.raw, admitted);
    this.#mark = new ConnectionMark(accepted.raw, admitted, services.marks, () => this.#markChanges());
    services.registry.join(admitted.session, this);
    accepted.raw.once('close', () => void this.#closed());
  }

  get blockedSinceMs(): number | null {
    return this.#isEnding ? null : earlier(this.#terminalFullSinceMs, this.#upstreamFullSinceMs);
  }

  /** Begins once the network knows whose traffic it is: `greeting` to the terminal, `head` (of the terminal) to the host, then all. */
  async open(upstream: Socket, greeting: Buffer | string, head: Buffer): Promise<void> {
    const { stream } = this.#accepted;
    this.#upstream = upstream;
    upstream.on('error', () => {});
    // One that has come to its end has left nothing but what the terminal still takes.
    upstream.once('close', () => {
      if (!upstream.readableEnded || !this.#isOpen) this.close();
    });
    if (!this.#isEnding) await this.#mark.begin();
    if (this.#mark.hasEnded) this.close();
    if (this.#isEnding || stream.destroyed) {
      upstream.destroy();
      return;
    }
    this.#mark.accept();
    this.#meter.count(Date.now(), greeting.length);
    stream.write(greeting);
    if (head.length > 0) upstream.write(head);
    stream.on('data', (chunk: Buffer) => this.#fromTerminal(chunk, upstream));
    upstream.on('data', (chunk: Buffer) => this.#fromUpstream(chunk, upstream));
    stream.on('end', () => upstream.end());
    upstream.on('end', () => {
      if (!this.#isEnding) stream.end();
    });
    stream.on('drain', () => {
      this.#terminalFullSinceMs = null;
      this.#holdBuffers();
      this.#flow();
    });
    upstream.on('drain', () => {
      this.#upstreamFullSinceMs = null;
      this.#holdBuffers();
      this.#flow();
    });
    this.#isOpen = true;
    this.#flow();
  }

  close(): void {
    if (this.#isEnding) return;
    this.#isEnding = true;
    this.#upstream?.destroy();
    lingeringEnd(this.#accepted);
  }

  destroy(): void {
    this.#accepted.raw.destroy();
  }

  notify(): void {}

  overflow(scope: BufferScope): void {
    this.#services.logger.warn(
      { scope, sessionId: this.#session.terms.sessionId },
      'a tunnel held too much memory and is closed',
    );
    this.#isEnding = true;
    this.#upstream?.destroy();
    this.#accepted.raw.destroy();
  }

  markAgain(): void {
    if (this.#payer === 'sponsor' && !this.#session.isSponsored(this.type)) this.close();
    else if (this.#isOpen) void this.#mark.renew();
  }

  /** Nothing passes while the mark changes. */
  #markChanges(): void {
    if (!this.#mark.isChanging) {
      this.#flow();
      return;
    }
    this.#accepted.stream.pause();
    this.#upstream?.pause();
  }

  #fromTerminal(chunk: Buffer, upstream: Socket): void {
    const nowMs = Date.now();
    const isAtLimit = this.#meter.count(nowMs);
    if (this.#isEnding) return;
    this.#session.touch(nowMs);
    if (!upstream.write(chunk)) {
      this.#upstreamFullSinceMs = this.#services.clock.monotonicMs();
      this.#holdBuffers();
      this.#flow();
    }
    if (isAtLimit) this.#services.registry.reachLimit(this.#session);
  }

  #fromUpstream(chunk: Buffer, upstream: Socket): void {
    const { stream } = this.#accepted;
    // What is counted ahead must be written.
    if (this.#isEnding || !stream.writable) return;
    const room = this.#session.room(this.type, chunk.length, this.#payer);
    const isCut = room < chunk.length;
    // What there is no room for waits: the subscriber pays for it, or it is not passed on.
    if (isCut) upstream.pause().unshift(chunk.subarray(room));
    const nowMs = Date.now();
    const isAtLimit = this.#meter.count(nowMs, room);
    this.#session.touch(nowMs);
    if (room > 0 && !stream.write(isCut ? chunk.subarray(0, room) : chunk)) {
      this.#terminalFullSinceMs = this.#services.clock.monotonicMs();
      this.#holdBuffers();
    }
    if (isAtLimit || isCut) this.#services.registry.reachLimit(this.#session);
    if (isCut || this.#terminalFullSinceMs !== null) this.#flow();
  }

  /** Counts what a side that is full has not taken; one that is not full holds less than one buffer. */
  #holdBuffers(): void {
    if (this.#isEnding) return;
    const terminalBytes = this.#terminalFullSinceMs === null ? 0 : this.#accepted.stream.writableLength;
    const upstreamBytes = this.#upstreamFullSinceMs === null ? 0 : (this.#upstream?.writableLength ?? 0);
    this.#services.buffers.hold(this, this.#session, terminalBytes + upstreamBytes);
  }

  /** Reads from each side as long as the other takes it. */
  #flow(): void {
    if (!this.#isOpen || this.#isEnding || this.#mark.isChanging) return;
    const { stream } = this.#accepted;
    if (this.#upstreamFullSinceMs !== null) stream.pause();
    else stream.resume();
    if (this.#terminalFullSinceMs !== null) this.#upstream?.pause();
    else this.#upstream?.resume();
  }

  async #closed(): Promise<void> {
    this.#isEnding = true;
    this.#services.buffers.release(this);
    this.#upstream?.destroy();
    if (await this.#mark.whetherBegun()) this.#meter.count(Date.now());
    this.#services.registry.leave(this.#session, this);
  }
}

/** Null where neither is. */
export function earlier(one: number | null, other: number | null): number | null {
  if (one === null || other === null) return one ?? other;
  return Math.min(one, other);
}
