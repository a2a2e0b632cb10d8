import { randomUUID } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { Server as TlsServer } from 'node:tls';
import type { FastifyInstance } from 'fastify';
import type { Kafka } from 'kafkajs';
import type { SuspensionFacts } from '../../platform/clickhouse/suspension-facts.ts';
import type { Clock } from '../../platform/clock.ts';
import { lockDataDirectory } from '../../platform/data-directory.ts';
import { Health } from '../../platform/http/health.ts';
import { ListenError } from '../../platform/network/listen-error.ts';
import type { Logger } from '../../platform/telemetry/logger.ts';
import { ProblemLog } from '../../platform/telemetry/problem-log.ts';
import type { Catalogue } from '../../rating/catalogue.ts';
import type { QuotaUpdate } from '../../rating/quota-updates.ts';
import type { PseudonymKey } from '../../rating/subscribers.ts';
import type { IdentityVerifier } from './accounts/identity.ts';
import type { DispatchContext, Patience, SessionLimits, SessionTerms } from './context.ts';
import { DispatchStore } from './dispatch-store.ts';
import type { ProxyControl } from './proxies/proxy-control.ts';
import { type ProxyPin, ProxyRegistry } from './proxies/proxy-registry.ts';
import { QuotaTopicReader, READING } from './quota/quota-topic.ts';
import { takeUpdates } from './quota/take-updates.ts';
import { ReportOutcomes } from './reports/report-outcomes.ts';
import { createHttpServer } from './routes/dispatch-http-server.ts';
import type { HttpOptions } from './routes/http-options.ts';
import { SponsorWatch } from './sponsor-watch.ts';
import { sweepSessions } from './sweep-sessions.ts';
import { rotateKeys } from './token-signing-keys.ts';

export interface DispatchServerOptions
  extends Pick<
    HttpOptions,
    | 'identity'
    | 'accounts'
    | 'operatorSecret'
    | 'heartbeatIntervalMs'
    | 'rateLimits'
    | 'limits'
    | 'trustedProxies'
    | 'tls'
    | 'onMetrics'
  > {
  catalogue: Catalogue;
  dataDir: string;
  host: string;
  port: number;
  clock: Clock;
  random: () => number;
  pseudonymKey: PseudonymKey;
  identity: IdentityVerifier;
  /** The configured proxies, by id. */
  proxies: ReadonlyMap<string, ProxyPin>;
  control: ProxyControl;
  termsOf: (applicationId: string) => SessionTerms;
  patience: Patience;
  sessionLimits: SessionLimits;
  keyRotationIntervalMs: number;
  retainMs: number;
  /** Throws a ConfigError when subscribers are stored by another key, or a newer state of it, than the one in use; returns its states. */
  checkPseudonymKey: (storedStates: readonly string[]) => readonly string[];
  /** `preflight` resolves when the brokers take this client and have the topic; rejects with what keeps it. */
  quotaUpdates: {
    kafka: Kafka;
    topic: string;
    decode: (value: Uint8Array) => QuotaUpdate;
    preflight: () => Promise<void>;
  };
  /** `read` asks the engine's store, whose pseudonym key it compares with the one in use. */
  suspensions: { read: () => Promise<SuspensionFacts>; intervalMs: number };
  /** The server cannot work: it has to end. */
  onFailure: (error: unknown) => void;
  logger: Logger;
}

const SWEEP_EVERY_MS = 1000;
const FORGET_EVERY_SWEEPS = 60;

/** A dispatch server: its parts, and the order in which they start. Inert until `start`. */
export class DispatchServer {
  readonly #options: DispatchServerOptions;
  readonly #health = new Health();
  readonly #stops: (() => unknown)[] = [];
  #context: DispatchContext | null = null;
  #http: FastifyInstance | null = null;
  #disarmSweep: (() => void) | null = null;
  #sweeping: Promise<void> = Promise.resolve();
  #sweeps = 0;
  #isStopping = false;
  #starting: Promise<void> = Promise.resolve();

  constructor(options: DispatchServerOptions) {
    this.#options = options;
  }

  get health(): Health {
    return this.#health;
  }

  /** Of the running server. */
  get context(): DispatchContext {
    if (this.#context === null) throw new Error('the dispatch server is not running');
    return this.#context;
  }

  get port(): number {
    if (this.#http === null) throw new Error('the dispatch server does not listen');
    return (this.#http.server.address() as AddressInfo).port;
  }

  /**
   * Resolves when it listens. Terminals are refused until it knows who is suspended and what quotas are used, now or as of the
   * last time that it ran: store, brokers and topic are waited for, and readiness says which. Rejects with nothing left running.
   */
  async start(): Promise<void> {
    const { dataDir } = this.#options;
    this.#stops.push(await lockDataDirectory({ path: dataDir, owner: 'dispatch server', field: 'dataDir' }));
    try {
      const store = new DispatchStore(dataDir);
      this.#stops.push(() => store.close());
      await this.rememberPseudonymKey(store);
      const context = this.#createContext(store);
      this.#context = context;
      await this.#rotateKeys();
      for (const part of ['store', 'quotaUpdates']) this.#health.report(part, 'not asked yet');
      await this.#listen(context);
      this.#starting = this.#takeUp(context).catch((error) => this.#options.onFailure(error));
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  /** Resolves when store and topic have been asked for the first time. */
  get started(): Promise<void> {
    return this.#starting;
  }

  /** Stores by which states of the pseudonym key subscribers are known. Rejects with a ConfigError where that may not be. */
  async rememberPseudonymKey(store = this.context.store): Promise<void> {
    const before = store.fact('pseudonymKeyStates') ?? [];
    const states = this.#options.checkPseudonymKey(before);
    if (states.length > before.length) {
      await store.transaction(() => store.putFact('pseudonymKeyStates', [...states]));
    }
  }

  /** Answers what is under way, and leaves the rest to the next start. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    this.#disarmSweep?.();
    this.#disarmSweep = null;
    await this.#sweeping;
    for (const stop of this.#stops.splice(0).reverse()) await stop();
  }

  /** One look at all sessions; the running server looks by itself every second. */
  async sweep(): Promise<void> {
    await this.#rotateKeys();
    await sweepSessions(this.context);
    const { clock, retainMs } = this.#options;
    const { store } = this.context;
    if (this.#sweeps++ % FORGET_EVERY_SWEEPS !== 0) return;
    while (!(await store.transaction(() => store.forgetBefore(clock.nowMs() - retainMs))));
  }

  #createContext(store: DispatchStore): DispatchContext {
    const { catalogue, clock, random, pseudonymKey, control, termsOf, patience, sessionLimits, logger } = this.#options;
    const proxies = new ProxyRegistry(this.#options.proxies, clock.nowMs());
    const given = { catalogue, control, clock, random, pseudonymKey, termsOf, patience, sessionLimits, logger };
    return { ...given, store, proxies, reportOutcomes: new ReportOutcomes() };
  }

  async #rotateKeys(): Promise<void> {
    const { store, clock, patience, logger } = this.context;
    const before = store.fact('signingKeys') ?? [];
    const rotation = { rotationIntervalMs: this.#options.keyRotationIntervalMs, tokenMs: patience.tokenMs };
    const keys = rotateKeys(before, clock.nowMs(), rotation);
    const ids = keys.map(({ keyId }) => keyId);
    if (ids.join() === before.map(({ keyId }) => keyId).join()) return;
    await store.transaction(() => store.putFact('signingKeys', keys));
    logger.info({ keys: ids }, 'signing keys');
  }

  async #takeUp(context: DispatchContext): Promise<void> {
    await this.#watchSponsors(context);
    if (this.#isStopping) return;
    this.#armSweep();
    await this.#readQuotas(context);
  }

  async #watchSponsors(context: DispatchContext): Promise<void> {
    const { suspensions, clock, logger } = this.#options;
    const problems = new ProblemLog('store', logger, this.#health);
    const watch = new SponsorWatch({
      ...suspensions,
      clock,
      store: context.store,
      onChanged: () => sweepSessions(context),
      onLooked(problem) {
        const isKnown = context.store.fact('suspendedSponsors') !== undefined;
        if (problem === null) problems.over('the store answers who is suspended');
        else if (isKnown)
          problems.report(problem, 'the store cannot be asked who is suspended; the last answer counts');
        else
          problems.report(
            problem,
            'waiting for the store and the engine’s tables in it, which say who is suspended; terminals are refused',
          );
      },
    });
    this.#stops.push(() => watch.stop());
    await watch.start();
  }

  async #readQuotas(context: DispatchContext): Promise<void> {
    const { quotaUpdates, logger } = this.#options;
    const { store } = context;
    const problems = new ProblemLog('quotaUpdates', logger, this.#health);
    const known = store.fact('instanceId');
    const instanceId = known ?? randomUUID();
    const meanwhile = known === undefined ? 'waiting for it; terminals are refused' : 'what was known last counts';
    const waiting = `quota updates cannot be read; ${meanwhile}`;
    const topic = new QuotaTopicReader({
      ...quotaUpdates,
      groupId: `zerorate.dispatch.${instanceId}`,
      nextOffset: (partition) => store.nextOffset(partition),
      take: (batch) => takeUpdates(context, batch),
      onProblem: (problem) => {
        if (problem === null) problems.over('quota updates are read');
        else if (problem === READING) this.#health.report('quotaUpdates', problem);
        else problems.report(problem, waiting);
      },
    });
    this.#stops.push(() => topic.stop());
    await this.#startTopic(topic, (error) => {
      // A login that is refused before anything is known is a wrong configuration; later it may be a broker's maintenance.
      if (known === undefined && isFinal(error)) throw error;
      problems.report((error as Error).message, waiting);
    });
    if (known !== undefined || this.#isStopping) return;
    // Without any quota every subscriber would seem to have used nothing.
    await topic.caughtUp;
    await store.transaction(() => store.putFact('instanceId', instanceId));
  }

  async #startTopic(topic: QuotaTopicReader, onError: (error: unknown) => void): Promise<void> {
    const { clock, quotaUpdates } = this.#options;
    while (!topic.isStopping) {
      try {
        await quotaUpdates.preflight();
        if (!topic.isStopping) await topic.start();
        return;
      } catch (error) {
        if (!topic.isStopping) onError(error);
        await clock.sleep(SWEEP_EVERY_MS);
      }
    }
  }

  async #listen(context: DispatchContext): Promise<void> {
    const { host, port, logger } = this.#options;
    const { store } = context;
    const isStarted = () =>
      store.fact('suspendedSponsors') !== undefined &&
      store.fact('instanceId') !== undefined &&
      store.fact('pseudonymKeyStates') !== undefined;
    const http = await createHttpServer({ ...this.#options, context, health: this.#health, isStarted });
    this.#stops.push(() => http.close());
    await http.listen({ host, port }).catch((cause) => {
      throw new ListenError('http', { host, port }, cause);
    });
    this.#http = http;
    logger.info({ host, port: this.port }, 'the dispatch server listens');
  }

  /** Uses another certificate from the next connection on. */
  useCertificate(tls: { cert: string; key: string }): void {
    const server = this.#http?.server;
    if (server instanceof TlsServer) server.setSecureContext(tls);
  }

  #armSweep(): void {
    const { clock, logger } = this.#options;
    this.#disarmSweep = clock.after(SWEEP_EVERY_MS, () => {
      this.#sweeping = this.sweep().catch((error) => logger.error({ err: error }, 'a look at the sessions failed'));
      void this.#sweeping.then(() => {
        if (this.#disarmSweep !== null) this.#armSweep();
      });
    });
  }
}

/** Brokers or a topic that are not there yet may come; a refused login does not. */
function isFinal(error: unknown): boolean {
  const { code, canRetry } = error as { code?: string; canRetry?: boolean };
  return canRetry === false && code !== 'topic_missing';
}
