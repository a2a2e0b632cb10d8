import { generateKeyPairSync, type KeyObject, randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FastifyInstance, InjectOptions, LightMyRequestResponse } from 'fastify';
import { createLocalJWKSet } from 'jose';
import type { Clock } from '../../platform/clock.ts';
import { Health } from '../../platform/http/health.ts';
import { httpLimitsSchema } from '../../platform/http/http-limits-schema.ts';
import { PeerSecret } from '../../platform/http/peer-secret.ts';
import { createLogger } from '../../platform/telemetry/logger.ts';
import { parseCatalogue } from '../../rating/catalogue/catalogue-compile.ts';
import type { Catalogue } from '../../rating/catalogue.ts';
import type { QuotaUpdate } from '../../rating/quota-updates.ts';
import { PseudonymKey } from '../../rating/subscribers.ts';
import {
  type AccountStatement,
  accountClaims,
  identityOf,
  signAccountAssertion,
} from '../protocol/account-assertion.ts';
import type { ContentOctets } from '../protocol/content-octets.ts';
import type {
  Announcement,
  Heartbeat,
  SessionGrant,
  SessionRequest,
  UsageReport,
  UsageReportsAnswer,
} from '../protocol/dispatch-messages.ts';
import { identityClaims, signIdentityAssertion } from '../protocol/identity-assertion.ts';
import { Accounts, type ApplicationAccounts, assertionVerifier } from './accounts/accounts.ts';
import { DEVELOPMENT_KEY_ID, operatorJwks } from './accounts/development-issuer.ts';
import { operatorVerifier } from './accounts/operator-keys.ts';
import type { DispatchContext } from './context.ts';
import { DispatchStore } from './dispatch-store.ts';
import type { AnnouncementProblem, ProxyControl } from './proxies/proxy-control.ts';
import { type ProxyPin, ProxyRegistry } from './proxies/proxy-registry.ts';
import { ReportOutcomes } from './reports/report-outcomes.ts';
import { createHttpServer } from './routes/dispatch-http-server.ts';
import type { HttpOptions } from './routes/http-options.ts';
import { rotateKeys } from './token-signing-keys.ts';

/** 2026-11-10T12:00Z. */
export const NOW_MS = Date.UTC(2026, 10, 10, 12);
export const TERMINAL_IP = '127.9.0.1';
export const MSISDN = '491701234567';
export const ISSUER = 'test-operator';
export const SPONSOR_ISSUER = 'test-sponsor';
export const OPERATOR_SECRET = 'operator-secret-0123456789';
export const PROXY_IDS = ['edge-1', 'edge-2'];
export const secretOf = (proxyId: string) => `secret-of-${proxyId}-0123456789`;

/** As `TestDispatch.heartbeat` says it. */
export function pinOf(proxyId: string, fields: Partial<ProxyPin> = {}): ProxyPin {
  return {
    secret: PeerSecret.of(secretOf(proxyId)),
    clientCertificate: null,
    controlUrl: 'http://127.0.0.1:4',
    endpoints: { connect: 'http://127.0.0.1:1', socks5: 'socks5://127.0.0.1:2', relay: 'ws://127.0.0.1:3' },
    applicationIds: ['chat', 'talk', 'idle'],
    ...fields,
  };
}

export const CATALOGUE_TEXT = `
sponsors:
  - { id: acme, name: Acme, currency: EUR, creditLimit: "100" }
applications:
  - { id: chat, sponsor: acme }
  - { id: talk, sponsor: acme }
  - { id: idle, sponsor: acme }
plans:
  - id: chat-daily
    application: chat
    version: 1
    effectiveFrom: 2026-01-01T00:00:00Z
    effectiveTo: 2026-12-01T00:00:00Z
    period: day
    timeZone: Asia/Tokyo
    content: { text: 10000, image: 5000 }
    quotaOctets: 1000
    allocateAboveOctets: 50
    tiers: [{ upToOctets: null, pricePerMiB: "1" }]
  - id: talk-all
    application: talk
    version: 1
    effectiveFrom: 2026-01-01T00:00:00Z
    effectiveTo: null
    period: month
    timeZone: UTC
    content: { text: 10000 }
    quotaOctets: null
    tiers: [{ upToOctets: null, pricePerMiB: "1" }]
`;

/** The same catalogue, in which `chat` has these fields too. */
export function catalogueWithClaims(fields: string): Catalogue {
  const text = CATALOGUE_TEXT.replace('{ id: chat, sponsor: acme', `{ id: chat, sponsor: acme, ${fields}`);
  const { catalogue } = parseCatalogue(text, 'catalogue.yaml');
  if (catalogue === undefined) throw new Error(`bad claims: ${fields}`);
  return catalogue;
}

/** The same rate for everything, except what is given. */
export function ratesOf(requests: number, more: Partial<HttpOptions['rateLimits']> = {}): HttpOptions['rateLimits'] {
  const rate = { requests, intervalMs: 60_000 };
  return {
    ...{ perSubscriber: rate, perAddress: rate, publicPerAddress: rate, unauthenticatedPerAddress: rate },
    ...{ perProxy: rate, perOperator: rate, ...more },
  };
}

/** A clock that a test moves; nothing waits by it. */
export class TestClock implements Clock {
  ms = NOW_MS;
  nowMs = () => this.ms;
  moveTo(ms: number): void {
    this.ms = ms;
  }
  monotonicMs = () => this.ms;
  sleep = async () => {};
  after = () => () => {};
}

/** Proxies that take announcements over, unless they are down. */
class TestProxies implements ProxyControl {
  readonly announced: { proxyId: string; announcement: Announcement }[] = [];
  readonly down = new Set<string>();

  /** Sessions that have ended at their proxy, whose end report is not here yet. */
  readonly over = new Set<string>();

  async announce(proxyId: string, announcement: Announcement): Promise<AnnouncementProblem> {
    if (this.down.has(proxyId)) return { message: 'connect ECONNREFUSED', kind: 'unreachable' };
    if (this.over.has(announcement.sessionId)) return { message: 'HTTP 409', kind: 'over' };
    this.announced.push({ proxyId, announcement });
    return null;
  }

  last(sessionId: string): Announcement | undefined {
    return this.announced.findLast(({ announcement }) => announcement.sessionId === sessionId)?.announcement;
  }
}

/** A dispatch server without Kafka and ClickHouse, in a folder of its own; time and proxies are the test's. */
export class TestDispatch {
  readonly clock = new TestClock();
  readonly proxies = new TestProxies();
  readonly operatorKey: KeyObject = generateKeyPairSync('ed25519').privateKey;
  readonly sponsorKey: KeyObject = generateKeyPairSync('ed25519').privateKey;
  readonly health = new Health();
  readonly pseudonymKey = PseudonymKey.ofRoot(Buffer.alloc(32, 5));
  context!: DispatchContext;
  http!: FastifyInstance;
  directory = '';

  static async start(options: Partial<HttpOptions> & Partial<DispatchContext> = {}): Promise<TestDispatch> {
    const dispatch = new TestDispatch();
    dispatch.directory = await mkdtemp(join(tmpdir(), 'zerorate-dispatch-'));
    await dispatch.open(options);
    return dispatch;
  }

  async open(options: Partial<HttpOptions> & Partial<DispatchContext> = {}): Promise<void> {
    const { catalogue } = parseCatalogue(CATALOGUE_TEXT, 'catalogue.yaml');
    if (catalogue === undefined) throw new Error('the test’s catalogue has faults');
    const { clock } = this;
    this.context = {
      catalogue,
      store: new DispatchStore(this.directory),
      proxies: new ProxyRegistry(new Map(PROXY_IDS.map((id) => [id, pinOf(id)])), clock.nowMs()),
      control: this.proxies,
      clock,
      random: () => 0,
      pseudonymKey: this.pseudonymKey,
      termsOf: () => ({ grantOctets: 300, atCap: 'stop' }),
      patience: {
        tokenMs: 300_000,
        staleTimeoutMs: 6000,
        lostTimeoutMs: 60_000,
        idleTimeoutMs: 600_000,
        releaseDelayMs: 900_000,
        warnClockSkewMs: 1000,
        maxClockSkewMs: 5000,
      },
      sessionLimits: { perSubscriber: 100, overshootOctets: 1000 },
      reportOutcomes: new ReportOutcomes(),
      logger: createLogger({ level: 'silent', format: 'json' }),
      ...options,
    };
    await this.rotateKeys();
    this.http = await createHttpServer({
      context: this.context,
      identity: operatorVerifier(new Map([[ISSUER, createLocalJWKSet(await operatorJwks(this.operatorKey))]])),
      accounts: new Accounts(await this.#accounts(), this.context.logger),
      health: this.health,
      operatorSecret: OPERATOR_SECRET,
      heartbeatIntervalMs: 2000,
      rateLimits: ratesOf(1000),
      limits: httpLimitsSchema.parse({}),
      trustedProxies: [],
      ...options,
    });
  }

  /** The assertions of one sponsor, for each application. */
  async #accounts(): Promise<Map<string, ApplicationAccounts>> {
    const getKey = createLocalJWKSet(await operatorJwks(this.sponsorKey));
    const of = (applicationId: string): [string, ApplicationAccounts] => [
      applicationId,
      {
        verifier: assertionVerifier({ applicationId, issuer: SPONSOR_ISSUER, getKey }),
        subscribersPerAccount: applicationId === 'talk' ? 2 : 1,
      },
    ];
    return new Map(['chat', 'talk', 'idle'].map(of));
  }

  async close(): Promise<void> {
    await this.http.close();
    await this.context.store.close();
  }

  async remove(): Promise<void> {
    await this.close();
    await rm(this.directory, { recursive: true });
  }

  async rotateKeys(): Promise<void> {
    const { store, clock, patience } = this.context;
    const rotation = { rotationIntervalMs: 86_400_000, tokenMs: patience.tokenMs };
    const keys = rotateKeys(store.fact('signingKeys') ?? [], clock.nowMs(), rotation);
    await store.transaction(() => store.putFact('signingKeys', keys));
  }

  async heartbeat(proxyId: string, fields: Partial<Heartbeat> = {}): Promise<void> {
    const response = await this.register(proxyId, fields);
    if (response.statusCode !== 200) throw new Error(response.body);
  }

  /** A heartbeat as it is answered. */
  register(
    proxyId: string,
    fields: Partial<Heartbeat> = {},
    secret = secretOf(proxyId),
  ): Promise<LightMyRequestResponse> {
    return this.call({
      method: 'PUT',
      url: `/v1/proxies/${proxyId}`,
      headers: { authorization: `Bearer ${secret}` },
      payload: {
        region: 'north',
        endpoints: { connect: 'http://127.0.0.1:1', socks5: 'socks5://127.0.0.1:2', relay: 'ws://127.0.0.1:3' },
        controlUrl: 'http://127.0.0.1:4',
        applicationIds: ['chat', 'talk', 'idle'],
        openSessions: 0,
        capacitySessions: 1000,
        octetsPerSecond: 0,
        sentAtMs: this.clock.ms,
        ...fields,
      },
    });
  }

  assertion(msisdn = MSISDN, terminalIp = TERMINAL_IP, key = this.operatorKey, seconds = 3600): Promise<string> {
    const claims = identityClaims({ issuer: ISSUER, msisdn, terminalIp }, this.clock.ms, seconds);
    return signIdentityAssertion(claims, { keyId: DEVELOPMENT_KEY_ID, privateKey: key });
  }

  /** Of the sponsor, bound to an identity assertion; any text that is none has an account assertion that is none. */
  accountAssertion(identityAssertion: string, fields: Partial<AccountStatement> = {}, key = this.sponsorKey) {
    const statement = { issuer: SPONSOR_ISSUER, applicationId: 'chat', account: 'alice', ...fields };
    const identity = fields.identity ?? boundTo(identityAssertion);
    const claims = accountClaims({ ...statement, identity }, this.clock.ms, 600);
    return signAccountAssertion(claims, { keyId: DEVELOPMENT_KEY_ID, privateKey: key });
  }

  call(request: InjectOptions): Promise<LightMyRequestResponse> {
    return this.http.inject({ remoteAddress: TERMINAL_IP, ...request });
  }

  /** Asks for a session of alice's as her terminal does, but for what is changed. */
  async ask(fields: AskFields = {}): Promise<LightMyRequestResponse> {
    const { msisdn = MSISDN, applicationId = 'chat', applicationAccount: account = 'alice' } = fields;
    const identityAssertion = fields.identityAssertion ?? (await this.assertion(msisdn));
    const accountAssertion = await this.accountAssertion(identityAssertion, { applicationId, account });
    const payload = { msisdn, identityAssertion, applicationId, accountAssertion, ...fields };
    return this.call({ method: 'POST', url: '/v1/sessions', payload });
  }

  async open1(fields: AskFields = {}): Promise<SessionGrant> {
    const response = await this.ask(fields);
    if (response.statusCode !== 201) throw new Error(response.body);
    return response.json();
  }

  withToken(method: 'GET' | 'POST' | 'DELETE', url: string, token: string, more: InjectOptions = {}) {
    return this.call({ method, url, headers: { authorization: `Bearer ${token}` }, ...more });
  }

  renew({ sessionId, token }: SessionGrant): Promise<LightMyRequestResponse> {
    return this.withToken('POST', `/v1/sessions/${sessionId}/renewal`, token);
  }

  async report(proxyId: string, ...reports: unknown[]): Promise<UsageReportsAnswer> {
    const headers = { authorization: `Bearer ${secretOf(proxyId)}` };
    const response = await this.call({ method: 'POST', url: '/v1/usage-reports', headers, payload: { reports } });
    if (response.statusCode !== 200) throw new Error(response.body);
    return response.json();
  }

  usage(sessionId: string, sequence: number, octets: number, fields: Partial<UsageReport> = {}): UsageReport {
    return {
      reportId: randomUUID(),
      proxyId: 'edge-1',
      sessionId,
      sequence,
      kind: 'interim',
      startTimeMs: this.clock.ms,
      endTimeMs: this.clock.ms,
      usage: [text(octets)],
      ...fields,
    };
  }

  update(fields: Partial<QuotaUpdate> = {}): QuotaUpdate {
    return {
      subscriber: this.pseudonymKey.pseudonymOf(MSISDN).toString('hex'),
      sponsorId: 'acme',
      applicationId: 'chat',
      planId: 'chat-daily',
      planVersion: 1,
      periodStart: Math.floor(NOW_MS / 86_400_000),
      quotaOctets: 1000,
      usedOctets: 0,
      remainingOctets: 1000,
      thresholdReached: 0,
      version: 1,
      topic: 'flows',
      partition: 0,
      offset: 0,
      ...fields,
    };
  }

  async suspend(...sponsors: string[]): Promise<void> {
    const { store } = this.context;
    await store.transaction(() => store.putFact('suspendedSponsors', sponsors));
  }
}

export type AskFields = { [field in keyof SessionRequest]?: SessionRequest[field] | undefined } & Record<
  string,
  unknown
>;

function boundTo(identityAssertion: string): { iss: string; jti: string } {
  try {
    return identityOf(identityAssertion);
  } catch {
    return { iss: 'none', jti: 'none' };
  }
}

export function text(octets: number): ContentOctets {
  return { contentType: 'text', uplinkOctets: octets, downlinkOctets: 0 };
}
