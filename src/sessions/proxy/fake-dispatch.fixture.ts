import { generateKeyPairSync, type KeyObject, randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK } from 'jose';
import { type ContentShares, sponsoredOctetsOf } from '../protocol/content-octets.ts';
import {
  type Announcement,
  heartbeatSchema,
  type ReportOutcome,
  type UsageReport,
  type UsageReportsAnswer,
  usageReportSchema,
  usageReportsSchema,
} from '../protocol/dispatch-messages.ts';
import type { ReportRefusal } from '../protocol/refusal.ts';
import { formatSessionTag, type SessionTagClaims, signSessionTag } from '../protocol/session-tag.ts';
import { type SessionClaims, signSessionToken } from '../protocol/session-token.ts';

/** What the dispatch server's tags are bound to beside the session's own terms. */
type TagFields = Partial<SessionTagClaims> & { privateKey?: KeyObject; keyId?: string };

export const SECRET = 'the secret of the proxy under test';
/** The environment variable that test proxies have it in. */
export const SECRET_VARIABLE = 'PROXY_UNDER_TEST_SECRET';
const WHOLE: ContentShares = { text: 10_000, voice: 10_000, image: 10_000, video: 10_000, other: 10_000 };

export interface Granted {
  terms: Announcement;
  token: string;
}

/** The dispatch server's side of the session protocol, as little as a proxy needs. */
export class FakeDispatch {
  readonly #reports = new Map<string, UsageReport>();
  readonly #sessions = new Map<string, Announcement>();
  readonly #keyId = 'key-1';
  readonly #privateKey: KeyObject;
  readonly #publicKey: KeyObject;
  #server: Server | null = null;
  #port = 0;
  controlUrl = '';
  /** Of the subscriber, less what was reported; null: no quota. */
  quotaOctets: number | null = null;
  /** Takes reports and does not say so, so many times. */
  lostAnswers = 0;
  keyFetches = 0;
  /** Refuses reports that it is true of, for this reason. */
  refuses: (report: UsageReport) => ReportRefusal | null = () => null;
  /** Answers messages of reports with this status, where it is not null. */
  statusOf: (reports: readonly UsageReport[]) => number | null = () => null;
  /** Called before a heartbeat is answered, with where the proxy's control server is. */
  onHeartbeat: (controlUrl: string) => Promise<void> = async () => {};
  /** By how much this clock is behind the proxy's. */
  clockSkewMs = 0;

  constructor() {
    const pair = generateKeyPairSync('ed25519');
    this.#privateKey = pair.privateKey;
    this.#publicKey = pair.publicKey;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** In the order in which they came. */
  get reports(): UsageReport[] {
    return [...this.#reports.values()];
  }

  reportsOf(sessionId: string): UsageReport[] {
    return this.reports.filter((report) => report.sessionId === sessionId);
  }

  /** Both directions, all content types, as reported. */
  octetsOf(sessionId: string): { uplinkOctets: number; downlinkOctets: number } {
    const usage = this.reportsOf(sessionId).flatMap((report) => report.usage);
    return {
      uplinkOctets: usage.reduce((sum, each) => sum + each.uplinkOctets, 0),
      downlinkOctets: usage.reduce((sum, each) => sum + each.downlinkOctets, 0),
    };
  }

  async start(): Promise<void> {
    const server = createServer((request, response) => {
      this.#answer(request).then(
        (body) => {
          if (body === undefined) response.destroy();
          else response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
        },
        (error) => response.writeHead(error instanceof HttpStatus ? error.status : 400).end(String(error)),
      );
    });
    server.listen(this.#port, '127.0.0.1');
    await once(server, 'listening');
    this.#port = (server.address() as AddressInfo).port;
    this.#server = server;
  }

  async stop(): Promise<void> {
    const server = this.#server;
    if (server === null) return;
    this.#server = null;
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  }

  /** Announces a session, and signs a token of it. */
  async grant(terms: Partial<Announcement> = {}, claims: Partial<SessionClaims> = {}): Promise<Granted> {
    const announcement: Announcement = {
      revision: 1,
      sessionId: randomUUID(),
      tokenId: randomUUID(),
      tokenExpiresAtMs: Date.now() + 600_000,
      subscriber: randomBytes(16).toString('hex'),
      sponsorId: 'chatter',
      applicationId: 'chat',
      applicationAccount: 'alice',
      terminalIp: '127.0.0.1',
      sessionKey: randomBytes(32).toString('base64url'),
      contentShares: WHOLE,
      sponsoredOctetsCap: 2 ** 40,
      atCap: 'stop',
      state: 'open',
      ...terms,
    };
    expectStatus(await this.announce(announcement), 204);
    return { terms: announcement, token: await this.sign(announcement, claims) };
  }

  async announce(terms: Announcement): Promise<number> {
    this.#sessions.set(terms.sessionId, terms);
    const answer = await fetch(`${this.controlUrl}/v1/sessions/${terms.sessionId}`, {
      method: 'PUT',
      headers: { authorization: `Bearer ${SECRET}`, 'content-type': 'application/json' },
      body: JSON.stringify(terms),
    });
    await answer.text();
    return answer.status;
  }

  /** A session tag of these terms, as text. */
  tag(terms: Announcement, fields: TagFields = {}): string {
    const { privateKey = this.#privateKey, keyId = this.#keyId, ...claims } = fields;
    const { sessionId, terminalIp, applicationId } = terms;
    const own: SessionTagClaims = {
      ...{ sessionId, terminalIp, applicationId },
      proxyId: 'proxy-1',
      proxyIp: null,
      proxyPorts: { connect: 1, socks5: 2, relay: 3 },
      contentType: 'text',
      expiresAtMs: Math.floor(Date.now() / 1000) * 1000 + 300_000,
    };
    return formatSessionTag(signSessionTag({ ...own, ...claims }, { keyId, privateKey }));
  }

  /** A renewal of a session that was announced before. */
  announceAgain(sessionId: string): Promise<number> {
    const terms = this.#sessions.get(sessionId);
    if (terms === undefined) throw new Error(`no session ${sessionId} was announced`);
    return this.announce({ ...terms, revision: terms.revision + 1, tokenId: randomUUID() });
  }

  sign(
    terms: Announcement,
    claims: Partial<SessionClaims> = {},
    key = this.#privateKey,
    keyId = this.#keyId,
  ): Promise<string> {
    const iat = Math.floor(Date.now() / 1000);
    const { tokenId: jti, sessionId, subscriber: sub, applicationId, sponsoredOctetsCap, terminalIp } = terms;
    const own = {
      jti,
      sessionId,
      sub,
      aud: 'proxy-1',
      applicationId,
      sponsoredOctetsCap,
      terminalIp,
      iat,
      exp: iat + 300,
    };
    return signSessionToken({ ...own, ...claims }, { keyId, privateKey: key });
  }

  /** Undefined: the connection breaks. */
  async #answer(request: IncomingMessage): Promise<object | undefined> {
    if (request.url === '/.well-known/jwks.json') {
      this.keyFetches++;
      return { keys: [{ ...(await exportJWK(this.#publicKey)), kid: this.#keyId, alg: 'EdDSA' }] };
    }
    if (request.headers.authorization !== `Bearer ${SECRET}`) throw new Error('another secret');
    let text = '';
    for await (const chunk of request) text += chunk;
    if (request.url?.startsWith('/v1/proxies/')) {
      this.controlUrl = heartbeatSchema.parse(JSON.parse(text)).controlUrl;
      await this.onHeartbeat(this.controlUrl);
      const nowMs = Date.now() - this.clockSkewMs;
      return { nextWithinMs: 1000, receivedAtMs: nowMs, answeredAtMs: nowMs };
    }
    const reports = usageReportsSchema.parse(JSON.parse(text)).reports.map((report) => usageReportSchema.parse(report));
    const status = this.statusOf(reports);
    if (status !== null) throw new HttpStatus(status);
    const outcomes = reports.map((report): ReportOutcome => {
      const reason = this.refuses(report);
      if (reason !== null) return { outcome: 'refused', reason, message: 'by the test' };
      return { outcome: this.#reports.has(report.reportId) ? 'duplicate' : 'accepted' };
    });
    const fresh = reports.filter((_, at) => outcomes[at].outcome === 'accepted');
    for (const report of fresh) this.#reports.set(report.reportId, report);
    if (this.lostAnswers > 0) {
      this.lostAnswers--;
      return undefined;
    }
    const sessionIds = [...new Set(reports.map(({ sessionId }) => sessionId))];
    return {
      accepted: fresh.length,
      known: outcomes.filter(({ outcome }) => outcome === 'duplicate').length,
      refused: outcomes.filter(({ outcome }) => outcome === 'refused').length,
      outcomes,
      sessions: sessionIds.map((id) => this.#status(id)),
    };
  }

  #status(sessionId: string): UsageReportsAnswer['sessions'][number] {
    const terms = this.#sessions.get(sessionId);
    if (terms === undefined) return { sessionId, state: 'unknown', sponsoredOctetsCap: 0, remainingOctets: 0 };
    const used = sponsoredOctetsOf(
      this.reportsOf(sessionId).flatMap((report) => report.usage),
      terms.contentShares,
    );
    const remainingOctets = this.quotaOctets === null ? null : Math.max(0, this.quotaOctets - used);
    return { sessionId, state: terms.state, sponsoredOctetsCap: terms.sponsoredOctetsCap, remainingOctets };
  }
}

class HttpStatus extends Error {
  readonly status: number;

  constructor(status: number) {
    super(`status ${status}`);
    this.status = status;
  }
}

function expectStatus(status: number, expected: number): void {
  if (status !== expected) throw new Error(`status ${status}, not ${expected}`);
}
