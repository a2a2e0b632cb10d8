import { type ContentOctets, sponsoredOctetsOf } from '../protocol/content-octets.ts';
import type { SessionGrant, SessionRequest } from '../protocol/dispatch-messages.ts';
import type { GrantOutcome, TerminalDispatchClient } from './terminal-dispatch-client.ts';
import type { TerminalEvent } from './terminal-event.ts';

/** A session is renewed when so much of its token's life or of its cap is used. */
const RENEW_AT = 0.8;
const RENEW_AGAIN_AFTER_MS = 2000;

/** How traffic goes now: through the session's proxy, or past it at the subscriber's cost. */
export type Way = { grant: SessionGrant } | { grant: null; reason: string };

export interface SessionKeeperOptions {
  client: TerminalDispatchClient;
  request: () => Promise<SessionRequest>;
  /** So long after a refusal the dispatch server is asked again. */
  askAgainAfterMs: number;
  nowMs: () => number;
  onEvent: (event: TerminalEvent) => void;
  /** What the terminal has counted of a session. */
  usageOf: (sessionId: string) => readonly ContentOctets[];
  /** A session, or more of it, was granted. */
  onGrant?: (grant: SessionGrant) => void;
}

/** Has a session while there is one to be had: asks for it, renews it, and knows why there is none. */
export class SessionKeeper {
  readonly #options: SessionKeeperOptions;
  #grant: SessionGrant | null = null;
  #asking: Promise<Way> | null = null;
  #renewing: Promise<void> | null = null;
  #renewNotBeforeMs = 0;
  #refusal: { reason: string; untilMs: number } | null = null;
  #timer: NodeJS.Timeout | null = null;
  #isClosed = false;
  #sequence = 0;
  #remainingOctets: number | null = null;
  #usedSponsoredOctets = 0;

  constructor(options: SessionKeeperOptions) {
    this.#options = options;
  }

  get grant(): SessionGrant | null {
    return this.#grant;
  }

  /** Why the last session was refused; null while there is one. */
  get reason(): string | null {
    return this.#refusal?.reason ?? null;
  }

  get remainingOctets(): number | null {
    return this.#remainingOctets;
  }

  get usedSponsoredOctets(): number {
    return this.#usedSponsoredOctets;
  }

  /** Of the session's next message. */
  takeSequence(): number {
    return ++this.#sequence;
  }

  /** The session that there is, or a new one; without, when there was a refusal a short while ago. */
  async way(): Promise<Way> {
    if (this.#grant !== null) return { grant: this.#grant };
    const refusal = this.#refusal;
    if (refusal !== null && this.#options.nowMs() < refusal.untilMs) return { grant: null, reason: refusal.reason };
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = null;
    });
    return this.#asking;
  }

  /** The session is of no use any more. */
  forget({ sessionId }: SessionGrant, reason: string): void {
    if (this.#grant?.sessionId !== sessionId) return;
    this.#grant = null;
    this.#stopTimer();
    this.#options.onEvent({ type: 'session_lost', reason });
  }

  /** Sessions are to be had but of no use: none is asked for for a while. */
  giveUp(reason: string): void {
    this.#refuse(reason, this.#options.askAgainAfterMs);
  }

  /** Octets have passed: compares what the terminal has counted with the session's cap. */
  noteUsage(): void {
    const grant = this.#grant;
    if (grant === null) return;
    this.#noteUsed(grant, sponsoredOctetsOf(this.#options.usageOf(grant.sessionId), grant.contentShares));
  }

  /** What the proxy says of the quota. */
  noteQuota(sessionId: string, quota: { usedSponsoredOctets: number; remainingOctets: number | null }): void {
    const grant = this.#grant;
    if (grant?.sessionId !== sessionId) return;
    this.#remainingOctets = quota.remainingOctets;
    this.#noteUsed(grant, quota.usedSponsoredOctets);
  }

  /** Asks for more time and octets; what there is stays when they are refused. */
  renew(): Promise<void> {
    this.#renewing ??= this.#renew().finally(() => {
      this.#renewing = null;
    });
    return this.#renewing;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#stopTimer();
    await this.#asking;
    await this.#renewing;
    const grant = this.#grant;
    this.#grant = null;
    if (grant !== null) await this.#options.client.end(grant);
  }

  async #ask(): Promise<Way> {
    const { client, request, askAgainAfterMs, onEvent } = this.#options;
    const outcome = await request().then(
      (asked) => client.openSession(asked),
      (error: Error): GrantOutcome => ({ refusal: 'assertion_unavailable', message: error.message }),
    );
    if (outcome.refusal !== undefined) {
      const { refusal, retryAfterMs = askAgainAfterMs } = outcome;
      // That is how long a reservation can last; as a rule it is free with the next report.
      this.#refuse(refusal, refusal === 'quota_reserved' ? Math.min(retryAfterMs, askAgainAfterMs) : retryAfterMs);
      // What may be left is no more than the plan wants to be left: no session can have it.
      if (outcome.refusal === 'quota_exhausted') this.#remainingOctets = 0;
      onEvent({ type: 'refused', reason: outcome.refusal, message: outcome.message });
      return { grant: null, reason: outcome.refusal };
    }
    const { grant } = outcome;
    this.#sequence = 0;
    this.#usedSponsoredOctets = 0;
    this.#renewNotBeforeMs = 0;
    this.#refusal = null;
    this.#take(grant);
    onEvent({ type: 'session', sessionId: grant.sessionId, proxyId: grant.proxy.proxyId, ...termsOf(grant) });
    return { grant };
  }

  async #renew(): Promise<void> {
    const { client, nowMs, onEvent } = this.#options;
    const before = this.#grant;
    if (before === null || this.#isClosed) return;
    const outcome = await client.renew(before);
    this.#renewNotBeforeMs = nowMs() + RENEW_AGAIN_AFTER_MS;
    // It may have been lost meanwhile.
    if (this.#grant?.sessionId !== before.sessionId) return;
    if (outcome.refusal === undefined) {
      this.#take(outcome.grant);
      onEvent({ type: 'renewed', sessionId: before.sessionId, ...termsOf(outcome.grant) });
    } else {
      onEvent({ type: 'renewal_refused', reason: outcome.refusal, message: outcome.message });
      this.#renewIn(outcome.retryAfterMs ?? RENEW_AGAIN_AFTER_MS);
    }
  }

  #take(grant: SessionGrant): void {
    this.#options.onGrant?.(grant);
    this.#grant = grant;
    this.#remainingOctets = grant.remainingOctets;
    this.#renewIn((grant.tokenExpiresAtMs - this.#options.nowMs()) * RENEW_AT);
  }

  #noteUsed(grant: SessionGrant, usedSponsoredOctets: number): void {
    const current = this.#grant;
    if (current?.sessionId !== grant.sessionId) return;
    this.#usedSponsoredOctets = Math.max(this.#usedSponsoredOctets, usedSponsoredOctets);
    const isNear = this.#usedSponsoredOctets >= current.sponsoredOctetsCap * RENEW_AT;
    if (isNear && this.#options.nowMs() >= this.#renewNotBeforeMs) void this.renew();
  }

  #refuse(reason: string, forMs: number): void {
    this.#refusal = { reason, untilMs: this.#options.nowMs() + forMs };
  }

  #renewIn(delayMs: number): void {
    this.#stopTimer();
    this.#timer = setTimeout(() => void this.renew(), Math.max(0, delayMs));
    this.#timer.unref();
  }

  #stopTimer(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }
}

function termsOf({ sponsoredOctetsCap, remainingOctets }: SessionGrant) {
  return { sponsoredOctetsCap, remainingOctets };
}
