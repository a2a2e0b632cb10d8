import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Tracer } from '@opentelemetry/api';
import type { Store } from '../../platform/clickhouse/store.ts';
import { systemClock } from '../../platform/clock.ts';
import type { Config } from '../../platform/config/config.ts';
import type { Health } from '../../platform/http/health.ts';
import type { Logger } from '../../platform/telemetry/logger.ts';
import type { PreparedCatalogue } from '../../rating/prepared-catalogue.ts';
import { assembleSource, type SourceDependencies } from '../assembly/assemble-source.ts';
import type { EngineEvents, WorkerSettings } from '../book-batch.ts';
import { Engine, type EngineOptions } from '../engine.ts';
import { StoreOutage, watchedJournal, watchedPublisher } from '../store-outage.ts';
import { KeyedJournal, type LoadedKey } from './load-key.ts';
import { recordRules } from './record-rules.ts';

const RETRY = { firstDelayMs: 100, maxDelayMs: 10_000, giveUpAfterMs: 300_000 };

/** What the engine works with; a test may put something between. */
export type EngineParts = Pick<EngineOptions, 'journal' | 'source' | 'publisher' | 'startPosition'>;
export type DecorateParts = (parts: EngineParts) => EngineParts;

/** What an engine is assembled from. */
export interface EngineSetup {
  config: Config;
  store: Store;
  key: LoadedKey;
  logger: Logger;
  /** Books what the source has lost as a fact and continues, instead of halting. */
  acceptGaps: boolean;
  decorateParts?: DecorateParts;
}

/** Where an engine reports what it does. */
export interface EngineReports extends Pick<SourceDependencies, 'onProgress' | 'onRead' | 'onBrokerAnswer'> {
  health: Health;
  events: EngineEvents;
  /** Absent: spans go nowhere. */
  tracer?: Tracer | undefined;
  onHalt?: EngineOptions['onHalt'];
}

/** The configured engine. Inert until it runs. */
export function assembleEngine(setup: EngineSetup, reports: EngineReports, catalogue: PreparedCatalogue): Engine {
  const { decorateParts = (parts) => parts } = setup;
  const { events, tracer, onHalt } = reports;
  return new Engine({
    ...decorateParts(assembleParts(setup, reports)),
    catalogue,
    settings: workerSettings(setup),
    retry: RETRY,
    clock: systemClock,
    onIdle: collectGarbage,
    ...events,
    ...(tracer && { tracer }),
    ...(onHalt && { onHalt }),
  });
}

/** What the configuration says of one engine; `batch.maxTotalBytes` is for the threads of a process together. */
export function workerSettings({
  config,
  key,
  acceptGaps,
}: Pick<EngineSetup, 'config' | 'key' | 'acceptGaps'>): WorkerSettings {
  const { batch, quotaUpdates, limits, leakage, duplicates, engine } = config;
  return {
    ...batch,
    maxTotalBytes: Math.floor(batch.maxTotalBytes / engine.threads),
    quotaIntervalMs: quotaUpdates.minIntervalMs,
    rejectionPayloadBytes: limits.rejectionPayloadBytes,
    leakageRows: leakage.maxRows,
    duplicateWindowRecords: duplicates.windowRecords,
    pseudonymKey: key.key,
    recordRules: recordRules(config),
    acceptGaps,
  };
}

function assembleParts({ config, store, key, logger }: EngineSetup, reports: EngineReports): EngineParts {
  const { health, onProgress, onRead, onBrokerAnswer } = reports;
  const { source, publisher, startPosition } = assembleSource(config, {
    store,
    logger,
    onProgress,
    onRead,
    onProblem: (part, problem) => health.report(part, problem),
    onBrokerAnswer,
  });
  return {
    source,
    ...(startPosition && { startPosition }),
    journal: watchedJournal(new KeyedJournal(store, key), health, new StoreOutage(logger, systemClock)),
    publisher: watchedPublisher(publisher, health),
  };
}

let collect: (() => void) | null = null;

/**
 * Frees what is not reachable any more. Node.js does it by itself only when more memory is asked for, so a process that has
 * nothing to do keeps what it needed last.
 */
function collectGarbage(): void {
  if (collect === null) {
    setFlagsFromString('--expose-gc');
    collect = runInNewContext('gc') as () => void;
  }
  collect();
}
