import { timingSafeEqual } from 'node:crypto';
import type { JWTVerifyGetKey } from 'jose';
import type { Clock } from '../../platform/clock.ts';
import { contentTypeSchema, type SessionContentType } from '../protocol/content-octets.ts';
import type { ProxyRefusal } from '../protocol/refusal.ts';
import {
  type FindTagKey,
  parseSessionTag,
  readSessionTag,
  tagMismatch,
  verifySessionTag,
} from '../protocol/session-tag.ts';
import { type TokenVerdict, verifySessionToken } from '../protocol/session-token.ts';
import { type AllowedDestination, type ServedApplication, typeIndex } from './applications.ts';
import type { BufferBudget } from './buffer-budget.ts';
import { canonicalIp } from './private-address.ts';
import type { Payer, ProxySession } from './proxy-session.ts';
import type { SessionRegistry } from './session-registry.ts';

export interface NotAdmitted {
  refusal: ProxyRefusal;
  /** For the log: nothing of the token. */
  detail: string;
}

/** Where a connection wants to go: a host, or the application's relay with what its path says. */
export type Wish = { host: string; port: number; protocol?: 'udp'; relay?: undefined } | { relay: string };

/** What a terminal sent with its request beside the credentials: tags are none, one, or too many. */
export interface TagOffer {
  /** A zero-rating tag itself, which only proxies write. */
  hasZeroRatingTag?: boolean;
  /** Session tags as text. */
  sessionTags?: readonly string[];
}

export interface Admitted {
  session: ProxySession;
  application: ServedApplication;
  /** Index in CONTENT_TYPES. */
  type: number;
  contentType: SessionContentType;
  payer: Payer;
  /** Null for the relay. */
  destination: AllowedDestination | null;
}

export interface AdmissionOptions {
  proxyId: string;
  registry: SessionRegistry;
  applications: ReadonlyMap<string, ServedApplication>;
  getKey: JWTVerifyGetKey;
  findTagKey: FindTagKey;
  /** The dispatch server's, as far as it is known. */
  clock: Pick<Clock, 'nowMs'>;
  connectionsPerSession: number;
  buffers: BufferBudget;
}

/** Whether a connection may be, and why not: each is looked at in the order of PROXY_REFUSALS. */
export class Admission {
  readonly #options: AdmissionOptions;

  constructor(options: AdmissionOptions) {
    this.#options = options;
  }

  /** The session that a token is of, shown from the terminal's address. `sessionId`, if it was given, is the token's. */
  async byToken(token: string | null, terminalIp: string, sessionId?: string): Promise<ProxySession | NotAdmitted> {
    if (token === null) return refused('token_missing', 'no token');
    const { proxyId, registry, applications } = this.#options;
    const verdict = await this.#verify(token, proxyId);
    if ('refusal' in verdict) return verdict;
    const { claims } = verdict;
    if (sessionId !== undefined && !isSame(sessionId, claims.sessionId)) {
      return refused('token_invalid', 'the user is not the session of the token');
    }
    const session = registry.find(claims.sessionId);
    if (session === undefined || !applications.has(claims.applicationId)) {
      return refused('session_unknown', 'no such session was announced');
    }
    if (session.terms.applicationId !== claims.applicationId) return refused('token_invalid', 'of another application');
    if (!session.acceptsToken(claims.jti)) {
      return refused('token_invalid', 'it was replaced when the session was resumed, or was not announced');
    }
    const here = isOpenHere(session, terminalIp, claims.terminalIp);
    if (here !== null) return here;
    session.tokenExpiresAtMs = Math.max(session.tokenExpiresAtMs, claims.exp * 1000);
    return session;
  }

  /** The session of a SOCKS5 user and password. */
  bySocks5(tokenId: string, password: string, terminalIp: string): ProxySession | NotAdmitted {
    const session = this.#options.registry.findBySocks5(tokenId, password);
    if (session === undefined) return refused('token_invalid', 'no session has this user and password');
    return this.#checkToken(session) ?? isOpenHere(session, terminalIp) ?? session;
  }

  /** Returns what a session's connection leads to and who pays for it, or why it is refused. */
  async admit(session: ProxySession, wish: Wish, tags: TagOffer = {}): Promise<Admitted | NotAdmitted> {
    const { hasZeroRatingTag = false } = tags;
    if (hasZeroRatingTag) return refused('tag_from_terminal', 'a terminal does not write zero-rating tags');
    const found = await this.#reach(session, wish, tags.sessionTags);
    return 'refusal' in found ? found : (this.affordConnection(session) ?? found);
  }

  /** Where datagrams of an association lead. The association is one of the session's connections already. */
  async admitDatagrams(
    session: ProxySession,
    to: { host: string; port: number },
    sessionTags: readonly string[],
  ): Promise<Admitted | NotAdmitted> {
    return this.#checkToken(session) ?? this.#reach(session, { ...to, protocol: 'udp' }, sessionTags);
  }

  /** What an association carries and who pays for it, by the session tag of its control connection. */
  async admitTagged(session: ProxySession, sessionTags: readonly string[]): Promise<Admitted | NotAdmitted> {
    const application = this.#options.applications.get(session.terms.applicationId);
    if (application === undefined) return refused('session_unknown', 'the application is not served here');
    if (!application.takesSessionTags) return refused('tag_from_terminal', 'the application takes no session tags');
    const octets = parseSessionTag(sessionTags[0] ?? '');
    const contentType = octets === null ? undefined : readSessionTag(octets)?.contentType;
    if (contentType === undefined) return refused('tag_forged', 'no session tag can be read');
    const payer = await this.#payer(session, application, contentType, sessionTags);
    if (typeof payer !== 'string') return payer;
    const type = typeIndex(contentType);
    const refusal = this.#affordContent(session, type, payer);
    return refusal ?? { session, application, type, contentType, payer, destination: null };
  }

  /** Why the session has no further connection; null when it may have one. */
  affordConnection(session: ProxySession): NotAdmitted | null {
    if (session.ending !== null) return refused('session_over', `the session is over: ${session.ending}`);
    if (session.terms.atCap === 'stop' && !session.hasCredit) return refused('cap_reached', 'nothing is left');
    const { connectionsPerSession, buffers } = this.#options;
    if (session.connections.size >= connectionsPerSession) {
      return refused('too_many_connections', `a session has ${connectionsPerSession} at most`);
    }
    return buffers.isFull ? refused('buffers_full', `connections hold ${buffers.bytes} bytes`) : null;
  }

  async #reach(
    session: ProxySession,
    wish: Wish,
    sessionTags: readonly string[] = [],
  ): Promise<Admitted | NotAdmitted> {
    const application = this.#options.applications.get(session.terms.applicationId);
    if (application === undefined) return refused('session_unknown', 'the application is not served here');
    if (sessionTags.length > 0 && !application.takesSessionTags) {
      return refused('tag_from_terminal', 'the application takes no session tags');
    }
    const contentType = contentTypeOf(application, wish);
    if (contentType === null) return refused('host_not_allowed', 'the application has no such host');
    let destination: AllowedDestination | null = null;
    if (wish.relay === undefined) {
      const found = await application.destinationOf(wish.host, wish.port);
      if ('refusal' in found) return found;
      destination = found;
    }
    const type = typeIndex(contentType);
    const payer = await this.#payer(session, application, contentType, sessionTags);
    if (typeof payer !== 'string') return payer;
    const refusal = this.#affordContent(session, type, payer);
    return refusal ?? { session, application, type, contentType, payer, destination };
  }

  /** Who pays for a connection with these session tags. */
  async #payer(
    session: ProxySession,
    application: ServedApplication,
    contentType: SessionContentType,
    sessionTags: readonly string[],
  ): Promise<Payer | NotAdmitted> {
    if (sessionTags.length > 1)
      return refused('tag_forged', `${sessionTags.length} session tags where one is expected`);
    if (sessionTags.length === 1) return this.#payerByTag(session, contentType, sessionTags[0]);
    if (!application.needsSessionTags) return 'by_credit';
    // A session that stops at its cap pays for nothing but what is sponsored.
    return session.terms.atCap === 'stop' ? refused('tag_missing', 'send the session tag') : 'subscriber';
  }

  async #payerByTag(
    session: ProxySession,
    contentType: SessionContentType,
    text: string,
  ): Promise<Payer | NotAdmitted> {
    const { findTagKey, clock, proxyId } = this.#options;
    const octets = parseSessionTag(text);
    if (octets === null) return refused('tag_forged', 'no session tag can be read');
    const verdict = await verifySessionTag(octets, { findKey: findTagKey, nowMs: () => clock.nowMs() });
    if (verdict.fault === 'expired') return refused('tag_expired', 'the session tag has expired');
    if (verdict.fault !== undefined) return refused('tag_forged', `the session tag does not verify: ${verdict.fault}`);
    const { sessionId, terminalIp, applicationId } = session.terms;
    const mismatch = tagMismatch(verdict.tag, { sessionId, terminalIp, proxyId, applicationId, contentType });
    return mismatch === null ? 'sponsor' : refused('tag_foreign', `the session tag is of ${mismatch}`);
  }

  async #verify(token: string, proxyId: string): Promise<TokenVerdict> {
    const { getKey, clock } = this.#options;
    try {
      return await verifySessionToken(token, { getKey, proxyId, nowMs: clock.nowMs() });
    } catch (error) {
      return { refusal: 'token_invalid', detail: (error as Error).message };
    }
  }

  #affordContent(session: ProxySession, type: number, payer: Payer): NotAdmitted | null {
    const { atCap } = session.terms;
    // The host was resolved meanwhile.
    if (session.ending !== null) return refused('session_over', `the session is over: ${session.ending}`);
    // What the network takes for the sponsor's all the time must be that from the start.
    const mustBeSponsored = atCap === 'stop' || payer === 'sponsor';
    if (mustBeSponsored && !session.isCovered(type)) return refused('content_not_covered', 'not in the plan');
    if (mustBeSponsored && !session.hasCredit) return refused('cap_reached', 'nothing is left');
    return null;
  }

  #checkToken(session: ProxySession): NotAdmitted | null {
    if (session.terms.tokenExpiresAtMs > this.#options.clock.nowMs()) return null;
    return refused('token_expired', 'the token of this user has expired');
  }
}

export function refused(refusal: ProxyRefusal, detail: string): NotAdmitted {
  return { refusal, detail };
}

function contentTypeOf(application: ServedApplication, wish: Wish): SessionContentType | null {
  if (wish.relay === undefined) return application.contentTypeOf(wish.host, wish.port, wish.protocol);
  const parsed = contentTypeSchema.safeParse(wish.relay);
  return parsed.success && application.relayUpstream !== null ? parsed.data : null;
}

function isOpenHere(session: ProxySession, terminalIp: string, ...others: string[]): NotAdmitted | null {
  if (session.ending !== null) return refused('session_over', `the session is over: ${session.ending}`);
  const isThere = [session.terms.terminalIp, ...others].every((ip) => canonicalIp(ip) === terminalIp);
  return isThere ? null : refused('token_replayed', 'the token was given to another address');
}

function isSame(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)];
  return a.length === b.length && timingSafeEqual(a, b);
}
