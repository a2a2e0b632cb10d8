import type { HeartbeatAnswer } from '../protocol/dispatch-messages.ts';

export interface DispatchClockOptions {
  nowMs: () => number;
  /** Corrections are no larger. */
  maxClockSkewMs: number;
}

/**
 * The dispatch server's time, as far as this machine's clock can be off by: tokens are judged by it. The skew is measured with each
 * sign of life, between the midpoints of the proxy's sending and receiving and of the server's receiving and answering (RFC 5905).
 */
export class DispatchClock {
  readonly #options: DispatchClockOptions;
  #skewMs: number | undefined;

  constructor(options: DispatchClockOptions) {
    this.#options = options;
  }

  /** By how much this machine's clock is ahead; undefined before the first answer. */
  get skewMs(): number | undefined {
    return this.#skewMs;
  }

  /** Whether sessions are to be expected: the dispatch server gives none to a proxy whose clock is further off. */
  get isTolerable(): boolean {
    return Math.abs(this.#skewMs ?? 0) <= this.#options.maxClockSkewMs;
  }

  nowMs(): number {
    const { nowMs, maxClockSkewMs } = this.#options;
    return nowMs() - Math.min(Math.max(this.#skewMs ?? 0, -maxClockSkewMs), maxClockSkewMs);
  }

  /** Takes the times of a sign of life, both by this machine's clock, and of its answer. */
  measure(sentAtMs: number, { receivedAtMs, answeredAtMs }: HeartbeatAnswer, arrivedAtMs: number): void {
    if (receivedAtMs === undefined || answeredAtMs === undefined) return;
    this.#skewMs = Math.round((sentAtMs - receivedAtMs + (arrivedAtMs - answeredAtMs)) / 2);
  }
}
