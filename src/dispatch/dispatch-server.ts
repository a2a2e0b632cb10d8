import { randomUUID } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import type { FastifyInstance } from 'fastify';
import type { Kafka } from 'kafkajs';
import type { Catalogue } from '../billing/catalogue.ts';
import type { PseudonymKey } from '../billing/pseudonym.ts';
import type { QuotaUpdate } from '../billing/quota-update.ts';
import type { Clock } from '../platform/clock.ts';
import { Health } from '../platform/health.ts';
import type { Logger } from '../platform/logger.ts';
import type { SuspensionFacts } from '../platform/suspension-facts.ts';
import type { DispatchContext, Patience, SessionLimits, SessionTerms } from './context.ts';
import { DispatchStore } from './dispatch-store.ts';
import type { HttpOptions } from './http-options.ts';
import { createHttpServer } from './http-server.ts';
import type { IdentityVerifier } from './identity.ts';
import type { ProxyControl } from './proxy-control.ts';
import { type ProxyPin, ProxyRegistry } from './proxy-registry.ts';
import { QuotaTopic } from './quota-topic.ts';
import { ReportOutcomes } from './report-outcomes.ts';
import { rotateKeys } from './signing-keys.ts';
import { SponsorWatch } from './sponsor-watch.ts';
import { sweepSessions } from './sweep-sessions.ts';
import { takeUpdates } from './take-updates.ts';

export interface DispatchServerOptions
  extends Pick<
    HttpOptions,
    'identity' | 'accounts' | 'operatorSecret' | 'heartbeatEveryMs' | 'rateLimits' | 'trustedProxies' | 'tls'
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
  limits: SessionLimits;
  rotateKeysEveryMs: number;
  retainMs: number;
  quotaUpdates: { kafka: Kafka; topic: string; decode: (value: Uint8Array) => QuotaUpdate };
  suspensions: { read: () => Promise<SuspensionFacts>; everyMs: number };
  logger: Logger;
}

const SWEEP_EVERY_MS = 1000;
const FORGET_EVERY_SWEEPS = 60;

/** A dispatch server: its parts, and the order in which they start. Inert until `start`. */
export class DispatchServer {
  readonly #options: DispatchServerOptions;
  readonly #health = new Health();
  readonly #stops: (() => Promise<unknown>)[] = [];
  #context: DispatchContext | null = null;
  #http: FastifyInstance | null = null;
  #disarmSweep: (() => void) | null = null;
  #sweeping: Promise<void> = Promise.resolve();
  #sweeps = 0;

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
   * Listens once it knows who is suspended and what quotas are used, now or as of the last time that it ran. Rejects, with
   * nothing left running, when it can know neither.
   */
  async start(): Promise<void> {
    const { dataDir } = this.#options;
    const store = new DispatchStore(dataDir);
    this.#stops.push(() => store.close());
    try {
      const context = this.#createContext(store);
      this.#context = context;
      await this.#rotateKeys();
      await this.#watchSponsors(context);
      await this.#readQuotas(context);
      await this.#listen(context);
      this.#armSweep();
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  /** Answers what is under way, and leaves the rest to the next start. */
  async stop(): Promise<void> {
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
    const { catalogue, clock, random, pseudonymKey, control, termsOf, patience, limits, logger } = this.#options;
    const proxies = new ProxyRegistry(this.#options.proxies, clock.nowMs());
    const given = { catalogue, control, clock, random, pseudonymKey, termsOf, patience, limits, logger };
    return { ...given, store, proxies, reportOutcomes: new ReportOutcomes() };
  }

  async #rotateKeys(): Promise<void> {
    const { store, clock, patience, logger } = this.context;
    const before = store.fact('signingKeys') ?? [];
    const rotation = { rotateEveryMs: this.#options.rotateKeysEveryMs, tokenMs: patience.tokenMs };
    const keys = rotateKeys(before, clock.nowMs(), rotation);
    const ids = keys.map(({ keyId }) => keyId);
    if (ids.join() === before.map(({ keyId }) => keyId).join()) return;
    await store.transaction(() => store.putFact('signingKeys', keys));
    logger.info({ keys: ids }, 'signing keys');
  }

  async #watchSponsors(context: DispatchContext): Promise<void> {
    const { suspensions, clock, logger } = this.#options;
    const watch = new SponsorWatch({
      ...suspensions,
      clock,
      store: context.store,
      onChanged: () => sweepSessions(context),
      onLooked: (problem) => {
        this.#health.report('store', problem);
        if (problem !== null)
          logger.warn({ problem }, 'the store cannot be asked who is suspended; the last answer counts');
      },
    });
    await watch.start();
    this.#stops.push(() => watch.stop());
  }

  async #readQuotas(context: DispatchContext): Promise<void> {
    const { quotaUpdates } = this.#options;
    const { store } = context;
    const known = store.fact('instanceId');
    const instanceId = known ?? randomUUID();
    const topic = new QuotaTopic({
      ...quotaUpdates,
      groupId: `zerorate.dispatch.${instanceId}`,
      nextOffset: (partition) => store.nextOffset(partition),
      take: (batch) => takeUpdates(context, batch),
      onProblem: (problem) => this.#health.report('quotaUpdates', problem),
    });
    this.#stops.push(() => topic.stop());
    if (known === undefined) {
      // Without any quota every subscriber would seem to have used nothing.
      await topic.start();
      await topic.caughtUp;
      await store.transaction(() => store.putFact('instanceId', instanceId));
    } else {
      void this.#startTopic(topic);
    }
  }

  /** What was known at the last run counts until the topic can be read. */
  async #startTopic(topic: QuotaTopic): Promise<void> {
    const { logger, clock } = this.#options;
    for (;;) {
      try {
        return await topic.start();
      } catch (error) {
        if (topic.isStopping) return;
        this.#health.report('quotaUpdates', (error as Error).message);
        logger.warn({ err: error }, 'quota updates cannot be read; what was known last counts');
        await clock.sleep(SWEEP_EVERY_MS);
      }
    }
  }

  async #listen(context: DispatchContext): Promise<void> {
    const { host, port, logger } = this.#options;
    const http = await createHttpServer({ ...this.#options, context, health: this.#health });
    this.#stops.push(() => http.close());
    await http.listen({ host, port });
    this.#http = http;
    logger.info({ host, port: this.port }, 'the dispatch server listens');
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
