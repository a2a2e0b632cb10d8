import type { SessionContentType } from '../protocol/content-octets.ts';

/** What one partial record says of its connection. */
export interface FlowUsage {
  startTimeMs: number;
  endTimeMs: number;
  uplinkOctets: number;
  downlinkOctets: number;
  zeroRatingTag: string | null;
  contentType: SessionContentType | null;
}

export interface Mark {
  zeroRatingTag: string | null;
  contentType: SessionContentType;
}

/** Counts the octets of one connection and cuts them into partial records: each octet is in one of them. */
export class FlowMeter {
  #mark: Mark | null = null;
  #startTimeMs: number | null = null;
  #uplinkOctets = 0;
  #downlinkOctets = 0;

  /** Whether a proxy or the terminal's tag has said what it carries. */
  get isMarked(): boolean {
    return this.#mark !== null;
  }

  /** Of the record that is open. */
  get openOctets(): number {
    return this.#uplinkOctets + this.#downlinkOctets;
  }

  /** When the first octet of the open record came; null when it has none. */
  get openSinceMs(): number | null {
    return this.#startTimeMs;
  }

  countUplink(octets: number, nowMs: number): void {
    this.#startTimeMs ??= nowMs;
    this.#uplinkOctets += octets;
  }

  countDownlink(octets: number, nowMs: number): void {
    this.#startTimeMs ??= nowMs;
    this.#downlinkOctets += octets;
  }

  /**
   * The first mark says what the connection carries, its handshake included; a later one that says otherwise ends the open
   * record. Returns that record.
   */
  mark(mark: Mark, nowMs: number): FlowUsage | null {
    const before = this.#mark;
    const isOther =
      before !== null && (before.zeroRatingTag !== mark.zeroRatingTag || before.contentType !== mark.contentType);
    const usage = isOther ? this.cut(nowMs) : null;
    this.#mark = mark;
    return usage;
  }

  /** Ends the open record. Null when it holds no octets. */
  cut(nowMs: number): FlowUsage | null {
    const startTimeMs = this.#startTimeMs;
    if (startTimeMs === null) return null;
    const usage = {
      startTimeMs,
      // The clock may have been set back.
      endTimeMs: Math.max(startTimeMs, nowMs),
      uplinkOctets: this.#uplinkOctets,
      downlinkOctets: this.#downlinkOctets,
      zeroRatingTag: this.#mark?.zeroRatingTag ?? null,
      contentType: this.#mark?.contentType ?? null,
    };
    this.#startTimeMs = null;
    this.#uplinkOctets = 0;
    this.#downlinkOctets = 0;
    return usage;
  }
}
