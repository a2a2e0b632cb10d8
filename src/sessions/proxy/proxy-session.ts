import { SESSION_CONTENT_TYPES, sponsoredOctetsOf } from '../protocol/content-octets.ts';
import type { Announcement } from '../protocol/dispatch-messages.ts';
import type { SessionEnding } from '../protocol/refusal.ts';
import type { RelayNotice } from '../protocol/relay-message.ts';
import { COUNTERS, contentOctetsOf, octetsUpTo } from './reports/usage-counters.ts';
import type { SpooledReport, UsageSpool } from './reports/usage-spool.ts';

/** Less than so much is not worth a report of its own before the interval is over. */
const EARLY_REPORT_OCTETS = 256 * 1024;

/**
 * Who pays for a connection: the sponsor for all of it (it carries a session tag), the sponsor while the session has credit (the
 * network learns changes by marks, or knows the proxy's address), or the subscriber for all of it.
 */
export type Payer = 'sponsor' | 'by_credit' | 'subscriber';
/** An expired token is forgotten so much later, as clocks may be off. */
const TOKEN_GRACE_MS = 60_000;

/** What a session knows of each of its connections. */
export interface SessionConnection {
  /** Index in SESSION_CONTENT_TYPES. */
  readonly type: number;
  /** Since when the other side takes nothing, monotonic; null while it does. */
  readonly blockedSinceMs: number | null;
  /** Says so where there is a way to say it, lets what was sent arrive, and closes within a bounded time. */
  close(ending: SessionEnding): void;
  /** Ends it at once. */
  destroy(): void;
  /** Notifies the terminal: relays alone can. */
  notify(notice: RelayNotice): void;
  /**
   * Whether the sponsor pays may have changed: nothing passes before the network knows. A connection that carries a session tag
   * closes instead, as the network takes all of it for the sponsor's.
   */
  markAgain(): void;
}

/**
 * A session at this proxy: what it was granted, what it has used, and what of that is in which report. Only octets that the
 * sponsor pays for are counted: what passes at the subscriber's cost is in no report.
 */
export class ProxySession {
  readonly connections = new Set<SessionConnection>();
  terms: Announcement;
  key: Buffer;
  /** Highest sequence number of a message, over all connections. */
  messageSequence = -1;
  /** Of the latest token that was shown. */
  tokenExpiresAtMs = 0;
  lastActiveMs: number;
  /** When the terminal was asked whether it is still there. */
  promptedAtMs: number | null = null;
  ending: SessionEnding | null = null;
  /** All octets, of any payer, since the last call. */
  passedOctets = 0;
  /** False from when the limit is reached until there is more: the subscriber pays. */
  hasCredit: boolean;
  isReportDue = false;
  lastReportMs = 0;
  /** The last interim report is not confirmed yet: what is used meanwhile goes into the next one. */
  isReportUnderWay = false;

  readonly #spool: UsageSpool;
  readonly #counters = new Float64Array(COUNTERS);
  #report: SpooledReport | null = null;
  #sequence = 0;
  /** Most sponsored octets that it may use, from its start. */
  #limit: number;
  /** Octets that may pass, of whatever type, until it has to be computed again. */
  #allowance = 0;
  /** Sponsored octets in sealed reports. */
  #reportedOctets = 0;
  readonly #confirmed = new Float64Array(COUNTERS);
  /** The ids of tokens that open connections, with their expiry. */
  readonly #tokens = new Map<string, number>();

  constructor(terms: Announcement, spool: UsageSpool, nowMs: number) {
    this.terms = terms;
    this.key = Buffer.from(terms.sessionKey, 'base64url');
    this.lastActiveMs = nowMs;
    this.#spool = spool;
    this.#limit = terms.sponsoredOctetsCap;
    this.hasCredit = this.#limit > 0;
    this.#tokens.set(terms.tokenId, terms.tokenExpiresAtMs);
  }

  get isStarted(): boolean {
    return this.#sequence > 0;
  }

  get sponsoredOctets(): number {
    return sponsoredOctetsOf(contentOctetsOf(this.#counters), this.terms.contentShares);
  }

  /** Something passed, by the terminal's will or to it. */
  touch(nowMs: number): void {
    this.lastActiveMs = nowMs;
    this.promptedAtMs = null;
  }

  /** Whether the sponsor pays for this content now. What still passes while a session is stopped at its limit is the sponsor's, too. */
  isSponsored(type: number): boolean {
    return (this.hasCredit || this.terms.atCap === 'stop') && this.isCovered(type);
  }

  isCovered(type: number): boolean {
    return (this.terms.contentShares[SESSION_CONTENT_TYPES[type]] ?? 0) > 0;
  }

  /** How many of so many octets the limit leaves room for. */
  room(type: number, octets: number, payer: Payer): number {
    if (!this.isSponsoredFor(type, payer)) return octets;
    if (this.hasCredit && octets <= this.#allowance) return octets;
    this.#allow();
    if (octets <= this.#allowance) return octets;
    return Math.min(octets, octetsUpTo(this.#limit, this.#counters, type, this.terms.contentShares));
  }

  /** Whether the sponsor pays for this content on a connection of this payer now. */
  isSponsoredFor(type: number, payer: Payer): boolean {
    return payer === 'sponsor' || (payer === 'by_credit' && this.isSponsored(type));
  }

  /** Counts octets, on the disk too. True when they reach the limit. */
  count(
    type: number,
    { uplinkOctets, downlinkOctets }: { uplinkOctets: number; downlinkOctets: number },
    nowMs: number,
    payer: Payer,
  ): boolean {
    this.passedOctets += uplinkOctets + downlinkOctets;
    const report = this.#report;
    if (report === null || !this.isSponsoredFor(type, payer)) return false;
    const at = type * 2;
    report.counters[at] += uplinkOctets;
    report.counters[at + 1] += downlinkOctets;
    this.#spool.count(report, nowMs);
    this.#counters[at] += uplinkOctets;
    this.#counters[at + 1] += downlinkOctets;
    this.#allowance -= uplinkOctets + downlinkOctets;
    if (this.#allowance > 0 || !this.#allow()) return false;
    this.hasCredit = false;
    return true;
  }

  /** The first connection is there. Gives the report that says so. */
  start(nowMs: number): SpooledReport {
    this.#begin(nowMs);
    return this.#seal('start', nowMs);
  }

  /** Gives the report of what was used since the one before. */
  cut(nowMs: number): SpooledReport {
    return this.#seal('interim', nowMs);
  }

  /** The last connection is gone. Gives the last report. */
  finish(ending: SessionEnding, nowMs: number): SpooledReport {
    if (!this.isStarted) this.#begin(nowMs);
    return this.#seal('end', nowMs, ending);
  }

  /** Whether a token of this id was announced, with the session's key of now. One that was replaced when the session was resumed is not. */
  acceptsToken(tokenId: string): boolean {
    return this.#tokens.has(tokenId);
  }

  /** Terms that came late: their token is good as long as their key is. */
  knowToken({ sessionKey, tokenId, tokenExpiresAtMs }: Announcement, nowMs: number): void {
    if (sessionKey !== this.terms.sessionKey) return;
    for (const [id, expiresAtMs] of this.#tokens) if (expiresAtMs < nowMs - TOKEN_GRACE_MS) this.#tokens.delete(id);
    this.#tokens.set(tokenId, tokenExpiresAtMs);
  }

  /** New terms from the dispatch server. Another key means that the terminal has begun again: its tokens and numbers are new ones. */
  takeTerms(terms: Announcement, nowMs: number): void {
    if (terms.sessionKey !== this.terms.sessionKey) {
      this.#tokens.clear();
      this.messageSequence = -1;
    }
    this.terms = terms;
    this.knowToken(terms, nowMs);
    this.key = Buffer.from(terms.sessionKey, 'base64url');
    this.#limit = terms.sponsoredOctetsCap;
    this.#lookAtCredit();
  }

  /** The dispatch server has the report. */
  confirm({ label, counters }: SpooledReport): void {
    for (let at = 0; at < COUNTERS; at++) this.#confirmed[at] += counters[at];
    if (label.kind === 'interim') this.isReportUnderWay = false;
  }

  /** The dispatch server refuses the report: what it holds stays unconfirmed, and so counts towards the cap. */
  refuse({ label }: SpooledReport): void {
    if (label.kind === 'interim') this.isReportUnderWay = false;
  }

  /** What the dispatch server says may be used, knowing what it has confirmed. */
  takeQuota(sponsoredOctetsCap: number, remainingOctets: number | null): void {
    const rest = remainingOctets ?? Number.POSITIVE_INFINITY;
    const known = sponsoredOctetsOf(contentOctetsOf(this.#confirmed), this.terms.contentShares);
    this.#limit = Math.min(sponsoredOctetsCap, known + rest);
    this.#lookAtCredit();
  }

  #lookAtCredit(): void {
    this.hasCredit = this.sponsoredOctets < this.#limit;
    this.#allow();
  }

  #begin(nowMs: number): void {
    this.#sequence++;
    this.#report = this.#spool.begin(this.terms.sessionId, this.#sequence, nowMs);
  }

  #seal(kind: 'start' | 'interim' | 'end', endTimeMs: number, ending?: SessionEnding): SpooledReport {
    const report = this.#report;
    if (report === null) throw new Error(`session ${this.terms.sessionId} has no report to end`);
    this.#spool.seal(report, { kind, endTimeMs, ...(ending && { ending }) });
    this.#report = null;
    this.#reportedOctets = this.sponsoredOctets;
    this.lastReportMs = endTimeMs;
    this.isReportDue = false;
    if (ending === undefined) this.#begin(endTimeMs);
    return report;
  }

  /** Half of what is left may pass before it is reported early; never past the limit. True when that is reached. */
  #allow(): boolean {
    const used = this.sponsoredOctets;
    const left = this.#limit - used;
    const earlyAt = this.#reportedOctets + Math.max((this.#limit - this.#reportedOctets) / 2, EARLY_REPORT_OCTETS);
    if (used >= earlyAt) this.isReportDue = true;
    // An octet is at most one sponsored octet.
    this.#allowance = Math.max(0, Math.min(left, used < earlyAt ? Math.ceil(earlyAt - used) : left));
    return left <= 0;
  }
}
