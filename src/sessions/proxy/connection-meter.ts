import type { Socket } from 'node:net';
import type { Admitted } from './admission.ts';
import type { Payer, ProxySession } from './proxy-session.ts';

/** Counts what passes between a terminal and the proxy, at the transport: handshakes and TLS records included. */
export class ConnectionMeter {
  readonly #raw: Socket;
  readonly #session: ProxySession;
  readonly #type: number;
  readonly #payer: Payer;
  #uplinkOctets = 0;
  #downlinkOctets = 0;

  constructor(raw: Socket, { session, type, payer }: Pick<Admitted, 'session' | 'type' | 'payer'>) {
    this.#raw = raw;
    this.#session = session;
    this.#type = type;
    this.#payer = payer;
  }

  /**
   * Counts all that has passed, and so many octets that are about to be sent: they are on the disk before they are on the
   * wire. True when the session's limit is reached by them.
   */
  count(nowMs: number, aheadOctets = 0): boolean {
    const uplinkOctets = this.#raw.bytesRead - this.#uplinkOctets;
    // What was counted ahead is not counted again when it is written.
    const downlinkOctets = Math.max(0, this.#raw.bytesWritten + aheadOctets - this.#downlinkOctets);
    if (uplinkOctets + downlinkOctets === 0) return false;
    this.#uplinkOctets += uplinkOctets;
    this.#downlinkOctets += downlinkOctets;
    return this.#session.count(this.#type, { uplinkOctets, downlinkOctets }, nowMs, this.#payer);
  }
}
