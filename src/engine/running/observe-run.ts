import type { Tracer } from '@opentelemetry/api';
import { Registry } from 'prom-client';
import { MissingNumbers } from '../../finance/closing/missing-numbers.ts';
import type { Store } from '../../platform/clickhouse/store.ts';
import { systemClock } from '../../platform/clock.ts';
import type { Config } from '../../platform/config/config.ts';
import { Health } from '../../platform/http/health.ts';
import { exportHealth } from '../../platform/http/health-metrics.ts';
import { type HealthServer, startHealthServer } from '../../platform/http/health-server.ts';
import { onStopSignal } from '../../platform/lifecycle.ts';
import { ENGINE_VERSION } from '../../platform/package-paths.ts';
import type { Logger } from '../../platform/telemetry/logger.ts';
import { createMetrics } from '../../platform/telemetry/metrics.ts';
import { startTracing, type Tracing } from '../../platform/telemetry/tracing.ts';
import { BrokerWatch } from '../../sources/kafka/broker-watch.ts';
import { fetchLogBounds } from '../../sources/kafka/kafka-log.ts';
import { connect, isAnyBrokerThere } from '../assembly/kafka-connection.ts';
import { type EngineEvents, notifyAll } from '../book-batch.ts';
import { batchLog } from '../metrics/batch-log.ts';
import { CatalogueMetrics } from '../metrics/catalogue-metrics.ts';
import { ConsumerLag } from '../metrics/consumer-lag.ts';
import { EngineMetrics, HaltMetrics, SponsorMetrics } from '../metrics/engine-metrics.ts';
import { SequenceWatch } from '../metrics/sequence-watch.ts';

const STOP_GRACE_MS = 1000;

interface Observable {
  config: Config;
  store: Store;
  logger: Logger;
}

/** All that looks at a run: its log, its metrics and readiness over HTTP, its spans. The run does not depend on it. */
export class RunObserver {
  readonly health = new Health();
  readonly catalogue: CatalogueMetrics;
  readonly sponsors: SponsorMetrics;
  readonly events: EngineEvents;
  /** Null: the source is no topic. */
  readonly brokers: BrokerWatch | null;
  readonly #config: Config;
  readonly #logger: Logger;
  readonly #registry: Registry;
  readonly #engine: EngineMetrics;
  readonly #halt: HaltMetrics;
  readonly #lag: ConsumerLag | null;
  readonly #sequences: SequenceWatch | null;
  #server: HealthServer | null = null;
  #tracing: Tracing | null = null;
  #isStopping = false;

  constructor({ config, store, logger }: Observable) {
    this.#config = config;
    this.#logger = logger;
    // Metrics that are not scraped cost next to nothing; those that ask the store or the brokers are left out.
    const isServed = config.health !== null;
    this.#registry = isServed ? createMetrics() : new Registry();
    this.#engine = new EngineMetrics(this.#registry);
    exportHealth(this.#registry, this.health);
    this.#halt = new HaltMetrics(this.#registry);
    this.catalogue = new CatalogueMetrics(this.#registry);
    this.sponsors = new SponsorMetrics(this.#registry);
    this.#lag = isServed ? lagOf(config, this.#registry, logger) : null;
    this.#sequences = isServed ? sequencesOf(config, this.#registry, store, logger) : null;
    this.events = notifyAll([batchLog(logger), this.#engine, ...(this.#lag === null ? [] : [this.#lag])]);
    this.brokers = brokersOf(config, this.health, logger);
    this.health.report('engine', 'starting');
  }

  /** Absent: spans go nowhere. */
  get tracer(): Tracer | undefined {
    return this.#tracing?.tracer;
  }

  /** Rejects when the port is taken. */
  async start(): Promise<void> {
    const { health, tracing } = this.#config;
    if (health !== null) {
      this.#server = await startHealthServer(this.health, this.#registry, health);
      this.#logger.info({ port: this.#server.port }, 'serving GET /health/live, GET /health/ready and GET /metrics');
    }
    this.#tracing = await startTracing(tracing, process.env, ENGINE_VERSION, (error) =>
      this.#logger.warn({ err: error }, 'the collector did not take spans; they are lost'),
    );
  }

  /** The store is up to date: what asks it may begin. */
  watch(): void {
    this.brokers?.start();
    this.#lag?.start();
    this.#sequences?.start();
  }

  /** An engine begins, the first one or another. */
  begin(): void {
    this.#engine.begin();
    this.#lag?.begin();
    this.health.report('engine', null);
  }

  /** An engine has ended with an error that passes, and another one begins soon. `health`: its own. */
  restarting(error: unknown, health: Pick<Health, 'report'> = this.health): void {
    health.report('engine', `starting again after: ${(error as Error).message}`);
    // An outage of the brokers has a line of its own.
    const level = this.brokers?.isAway ? 'debug' : 'warn';
    this.#logger[level]({ err: error }, 'restarting from the last committed journal state');
  }

  /** A signal ends the run. */
  stopping(): void {
    this.#isStopping = true;
    this.health.report('engine', 'stopping');
  }

  /** The run is over, and why: scrapes still get it for a while, unless a signal ends it. */
  async halted(error: unknown): Promise<void> {
    const exitDelayMs = this.#config.health?.exitDelayMs ?? 0;
    this.#halt.halted(error);
    this.health.report('engine', `halted: ${(error as Error).message}`);
    if (this.#server === null || this.#isStopping || exitDelayMs === 0) return;
    this.#logger.error({ err: error, exitDelayMs }, 'halted; still answering for a while');
    await new Promise<void>((resolve) => {
      const disarm = systemClock.after(exitDelayMs, end);
      const forget = onStopSignal(end, STOP_GRACE_MS);
      function end() {
        disarm();
        forget();
        resolve();
      }
    });
  }

  async stop(): Promise<void> {
    this.brokers?.stop();
    this.#lag?.stop();
    await this.#sequences?.stop();
    await this.#tracing?.stop();
    await this.#server?.stop();
  }
}

function brokersOf({ source: { kafka } }: Config, health: Health, logger: Logger): BrokerWatch | null {
  if (kafka === undefined) return null;
  const { brokers } = kafka;
  return new BrokerWatch({
    brokers,
    isAnswered: () => isAnyBrokerThere(kafka),
    logger,
    onProblem: (problem) => health.report('brokers', problem),
  });
}

function lagOf({ source: { kafka } }: Config, registry: Registry, logger: Logger): ConsumerLag | null {
  if (kafka === undefined) return null;
  const { topic } = kafka;
  // What its brokers do the source says already.
  const client = connect(kafka);
  return new ConsumerLag({
    registry,
    topic,
    fetchBounds: () => fetchLogBounds(client, topic),
    clock: systemClock,
    onProblem: (error) => logger.debug({ err: error, topic }, 'the brokers do not say how far the topic reaches'),
  });
}

function sequencesOf(
  { sequences: { checkIntervalMs } }: Config,
  registry: Registry,
  store: Store,
  logger: Logger,
): SequenceWatch | null {
  if (checkIntervalMs === 0) return null;
  const numbers = new MissingNumbers(store);
  return new SequenceWatch({
    registry,
    look: () => numbers.look(),
    intervalMs: checkIntervalMs,
    clock: systemClock,
    onProblem: (error) => logger.warn({ err: error }, 'gaps in sequence numbers could not be looked for; trying again'),
  });
}
