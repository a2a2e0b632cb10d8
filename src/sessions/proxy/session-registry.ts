import { timingSafeEqual } from 'node:crypto';
import type { Clock } from '../../platform/clock.ts';
import type { Logger } from '../../platform/telemetry/logger.ts';
import type { Announcement, UsageReportsAnswer } from '../protocol/dispatch-messages.ts';
import type { SessionEnding } from '../protocol/refusal.ts';
import { socks5Password } from '../protocol/relay-message.ts';
import { ProxySession, type SessionConnection } from './proxy-session.ts';
import type { SpooledReport, UsageSpool } from './reports/usage-spool.ts';

/** So long a session that is over is known as one. */
const REMEMBER_MS = 600_000;
/** Sessions that are over are remembered up to this multiple of the capacity, open ones included. */
const REMEMBERED_PER_OPEN = 4;

export interface RegistryOptions {
  spool: UsageSpool;
  clock: Clock;
  logger: Logger;
  capacitySessions: number;
  idleMs: number;
  promptTimeoutMs: number;
  stallTimeoutMs: number;
  statisticsIntervalMs: number;
  /** Takes a report that is complete. */
  report(report: SpooledReport): void;
}

export type AnnouncementVerdict = 'taken' | 'outdated' | 'session_over' | 'full';

/** The sessions that the dispatch server announced to this proxy. */
export class SessionRegistry {
  readonly #options: RegistryOptions;
  readonly #sessions = new Map<string, ProxySession>();
  readonly #byTokenId = new Map<string, ProxySession>();
  /** Sessions that ended with the process before: their sequence numbers do not begin again. */
  readonly #overBefore = new Set<string>();
  #open = 0;
  #octetsTakenAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: RegistryOptions) {
    this.#options = options;
  }

  get openSessions(): number {
    return this.#open;
  }

  /** Sessions that are over are remembered, so that a late announcement does not open one again: their number is bounded, too. */
  #hasRoomFor({ state }: Announcement): boolean {
    const { capacitySessions } = this.#options;
    if (this.#sessions.size >= capacitySessions * REMEMBERED_PER_OPEN) return false;
    return state !== 'open' || this.#open < capacitySessions;
  }

  /** Since it was asked last. */
  takeOctetsPerSecond(): number {
    let octets = 0;
    for (const session of this.#sessions.values()) {
      octets += session.passedOctets;
      session.passedOctets = 0;
    }
    const nowMs = this.#options.clock.monotonicMs();
    const seconds = Math.max(1, nowMs - this.#octetsTakenAtMs) / 1000;
    this.#octetsTakenAtMs = nowMs;
    return Math.round(octets / seconds);
  }

  find(sessionId: string): ProxySession | undefined {
    return this.#sessions.get(sessionId);
  }

  /** The session that a SOCKS5 client has: its user is the token's id, its password is proved by the session key. */
  findBySocks5(tokenId: string, password: string): ProxySession | undefined {
    const session = this.#byTokenId.get(tokenId);
    if (session === undefined) return undefined;
    const expected = Buffer.from(socks5Password(session.key, tokenId));
    const given = Buffer.from(password);
    return given.length === expected.length && timingSafeEqual(given, expected) ? session : undefined;
  }

  /** Takes a session, or new terms of one. What was announced later wins, in whatever order it comes. */
  announce(terms: Announcement): AnnouncementVerdict {
    const known = this.#sessions.get(terms.sessionId);
    if (this.#overBefore.has(terms.sessionId)) return terms.state === 'open' ? 'session_over' : 'taken';
    if (known !== undefined && known.terms.revision >= terms.revision) {
      known.knowToken(terms, this.#options.clock.nowMs());
      return 'outdated';
    }
    if (known === undefined && !this.#hasRoomFor(terms)) return 'full';
    if (known !== undefined && known.ending !== null) {
      known.terms = terms;
      return terms.state === 'open' ? 'session_over' : 'taken';
    }
    const session = known ?? this.#add(terms);
    // What was over before it came here has nothing to report.
    if (session.ending !== null) return 'taken';
    this.#byTokenId.delete(session.terms.tokenId);
    this.#byTokenId.set(terms.tokenId, session);
    session.takeTerms(terms, this.#options.clock.nowMs());
    this.#settle(session, terms.state);
    return 'taken';
  }

  /** A process before has reported the end of the session. */
  markOver(sessionId: string): void {
    this.#overBefore.add(sessionId);
  }

  /** The dispatch server does not take the report: its octets count against the cap, and the next report may follow. */
  refuse(report: SpooledReport): void {
    this.#sessions.get(report.label.sessionId)?.refuse(report);
  }

  /** Takes what the dispatch server answered to reports; `revisions` are the sessions' when they were sent. */
  takeAnswer(
    sent: readonly SpooledReport[],
    answer: UsageReportsAnswer,
    revisions: ReadonlyMap<string, number | undefined>,
  ): void {
    for (const [at, report] of sent.entries()) {
      if (answer.outcomes[at].outcome !== 'refused') this.#sessions.get(report.label.sessionId)?.confirm(report);
    }
    for (const { sessionId, state, sponsoredOctetsCap, remainingOctets } of answer.sessions) {
      const session = this.#sessions.get(sessionId);
      if (session === undefined || session.ending !== null) continue;
      // An announcement that came in between is newer than the answer.
      if (revisions.get(sessionId) !== session.terms.revision) continue;
      session.takeQuota(sponsoredOctetsCap, remainingOctets);
      this.#settle(session, state === 'unknown' ? 'revoked' : state);
      if (session.ending !== null) continue;
      const usedSponsoredOctets = session.sponsoredOctets;
      this.#notify(session, { type: 'quota', sponsoredOctetsCap, usedSponsoredOctets, remainingOctets });
    }
  }

  /** Connections that are open, or whose last octets are not counted yet. */
  get connections(): number {
    let count = 0;
    for (const session of this.#sessions.values()) count += session.connections.size;
    return count;
  }

  /** A connection of a session has been admitted. */
  join(session: ProxySession, connection: SessionConnection): void {
    const { clock, report } = this.#options;
    if (!session.isStarted) report(session.start(clock.nowMs()));
    session.connections.add(connection);
    session.touch(clock.nowMs());
  }

  /** A connection is closed. */
  leave(session: ProxySession, connection: SessionConnection): void {
    session.connections.delete(connection);
    if (session.ending !== null && session.connections.size === 0) this.#finish(session, session.ending);
  }

  /** The octets that reached the limit have been passed on. */
  reachLimit(session: ProxySession): void {
    this.#settle(session, 'open');
  }

  /** All of its connections are closed; the report follows when they are closed. */
  end(session: ProxySession, ending: SessionEnding): void {
    if (session.ending !== null) return;
    session.ending = ending;
    session.lastActiveMs = this.#options.clock.nowMs();
    this.#open--;
    this.#options.logger.info({ sessionId: session.terms.sessionId, ending }, 'a session is over');
    for (const connection of session.connections) connection.close(ending);
    if (session.connections.size === 0) this.#finish(session, ending);
  }

  endAll(ending: SessionEnding): void {
    for (const session of this.#sessions.values()) this.end(session, ending);
  }

  /** What time brings: prompts, idle sessions, stalled connections, reports that are due. */
  sweep(): void {
    const nowMs = this.#options.clock.nowMs();
    for (const session of this.#sessions.values()) {
      if (session.ending !== null) this.#forget(session, nowMs);
      else this.#sweepOne(session, nowMs);
    }
  }

  #sweepOne(session: ProxySession, nowMs: number): void {
    const { idleMs, promptTimeoutMs, stallTimeoutMs, statisticsIntervalMs, clock, report } = this.#options;
    const idleForMs = nowMs - session.lastActiveMs;
    if (idleForMs >= idleMs + promptTimeoutMs) {
      const isExpired =
        session.connections.size === 0 && session.tokenExpiresAtMs > 0 && session.tokenExpiresAtMs <= nowMs;
      this.end(session, isExpired ? 'expired' : 'idle');
      return;
    }
    if (idleForMs >= idleMs && session.promptedAtMs === null) {
      session.promptedAtMs = nowMs;
      this.#notify(session, { type: 'idle_prompt', closesInMs: Math.max(0, idleMs + promptTimeoutMs - idleForMs) });
    }
    for (const connection of session.connections) {
      const { blockedSinceMs } = connection;
      if (blockedSinceMs !== null && clock.monotonicMs() - blockedSinceMs >= stallTimeoutMs) connection.destroy();
    }
    const isDue = session.isReportDue || nowMs - session.lastReportMs >= statisticsIntervalMs;
    if (!session.isStarted || !isDue || session.isReportUnderWay) return;
    session.isReportUnderWay = true;
    report(session.cut(nowMs));
  }

  #add(terms: Announcement): ProxySession {
    const session = new ProxySession(terms, this.#options.spool, this.#options.clock.nowMs());
    this.#sessions.set(terms.sessionId, session);
    if (terms.state === 'open') this.#open++;
    else session.ending = terms.state === 'revoked' ? 'revoked' : 'terminal_left';
    return session;
  }

  /** Brings a session to the state and the credit that it has. */
  #settle(session: ProxySession, state: Announcement['state']): void {
    if (state !== 'open') this.end(session, state === 'revoked' ? 'revoked' : 'terminal_left');
    else if (!session.hasCredit && session.terms.atCap === 'stop') this.end(session, 'cap_reached');
    else for (const connection of session.connections) connection.markAgain();
  }

  #finish(session: ProxySession, ending: SessionEnding): void {
    this.#options.report(session.finish(ending, this.#options.clock.nowMs()));
  }

  #notify(session: ProxySession, notice: Parameters<SessionConnection['notify']>[0]): void {
    for (const connection of session.connections) connection.notify(notice);
  }

  #forget(session: ProxySession, nowMs: number): void {
    if (session.connections.size > 0 || nowMs - session.lastActiveMs < REMEMBER_MS) return;
    this.#sessions.delete(session.terms.sessionId);
    this.#byTokenId.delete(session.terms.tokenId);
  }
}
