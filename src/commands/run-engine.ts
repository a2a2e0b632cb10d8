import type { Catalogue } from '../billing/catalogue.ts';
import { Engine, type EngineOptions, type RunTotals } from '../engine/engine.ts';
import { StoreOutage } from '../engine/store-outage.ts';
import { watchedJournal, watchedPublisher } from '../engine/watched.ts';
import { migrate } from '../journal/migrate.ts';
import { systemClock } from '../platform/clock.ts';
import { collectGarbage } from '../platform/collect-garbage.ts';
import type { Config } from '../platform/config.ts';
import { isFenced } from '../platform/fenced.ts';
import type { Health } from '../platform/health.ts';
import { onStopSignal } from '../platform/lifecycle.ts';
import type { Logger } from '../platform/logger.ts';
import { packagePath } from '../platform/package-paths.ts';
import type { Progress } from '../platform/progress.ts';
import type { Store } from '../platform/store.ts';
import { assembleSource } from './assemble-source.ts';
import { type LoadedKey, loadKey } from './load-key.ts';
import { RunObserver } from './observe-run.ts';
import { recordRules } from './record-rules.ts';
import type { RunningEngine } from './running-engine.ts';
import { whileWatchingCredit } from './watch-credit.ts';
import { bookKey, KeyedJournal } from './watch-key.ts';
import { whileReloading } from './while-reloading.ts';

const RETRY = { firstDelayMs: 100, maxDelayMs: 10_000, giveUpAfterMs: 300_000 };
const RESTART_DELAY_MS = 1000;
const STOP_GRACE_MS = 10_000;

export interface RunOptions {
  config: Config;
  catalogue: Catalogue;
  store: Store;
  logger: Logger;
  progress: Progress;
  /** Books what the source has lost as a fact and goes on, instead of halting. */
  acceptGaps?: boolean;
}

/** What the engine works with; a test may put something between. */
export type EngineParts = Pick<EngineOptions, 'journal' | 'source' | 'publisher'>;

/**
 * Runs the engine over the configured source until it ends or a signal stops it. A batch that another writer fenced off,
 * or a source that went away for a while, is no end: the engine starts again from what the journal says.
 */
export async function runEngine(
  options: RunOptions,
  adorn: (parts: EngineParts) => EngineParts = (parts) => parts,
): Promise<RunTotals> {
  const { config, store, logger } = options;
  const observer = new RunObserver(options);
  try {
    await observer.start();
    const migrations = await migrate(store, packagePath('schemas/clickhouse'));
    if (migrations.length > 0) logger.info({ migrations }, 'brought the store up to date');
    const key = await loadKey(config, logger);
    await bookKey(store, key);
    observer.watch();
    return await whileWatchingCredit(options, observer, (watchCredit) =>
      whileReloading(options, observer, watchCredit, (running) => runUntilEnd(options, key, observer, running, adorn)),
    );
  } catch (error) {
    await observer.halted(error);
    throw error;
  } finally {
    await observer.stop();
  }
}

async function runUntilEnd(
  options: RunOptions,
  key: LoadedKey,
  observer: RunObserver,
  running: RunningEngine,
  adorn: (parts: EngineParts) => EngineParts,
): Promise<RunTotals> {
  const { config, logger, progress, acceptGaps = false } = options;
  const { health, events, tracer } = observer;
  const settings = {
    ...config.batch,
    rejectionPayloadOctets: config.limits.rejectionPayloadOctets,
    duplicateWindowRecords: config.duplicates.windowRecords,
    pseudonymKey: key.key,
    recordRules: recordRules(config),
    acceptGaps,
  };
  const totals: RunTotals[] = [];
  for (let isStopping = false; ; ) {
    const parts = adorn(assembleParts(options, key, health));
    const { source } = parts;
    const common = {
      ...parts,
      settings,
      retry: RETRY,
      clock: systemClock,
      onIdle: collectGarbage,
      ...events,
      ...(tracer && { tracer }),
    };
    const engine = running.begin((catalogue) => new Engine({ ...common, catalogue }));
    const forget = onStopSignal(() => {
      isStopping = true;
      observer.stopping();
      logger.info('stopping');
      void source.stop();
    }, STOP_GRACE_MS);
    try {
      observer.begin();
      await engine.run();
      totals.push(engine.totals);
      return sumOf(totals);
    } catch (error) {
      totals.push(engine.totals);
      if (isStopping || !mayStartAgain(error, config, sumOf(totals))) throw error;
      health.report('engine', `starting again after: ${(error as Error).message}`);
      logger.warn({ err: error }, 'starting again from what the journal says');
      await systemClock.sleep(RESTART_DELAY_MS);
    } finally {
      forget();
      progress.end();
    }
  }
}

function assembleParts({ config, store, logger, progress }: RunOptions, key: LoadedKey, health: Health): EngineParts {
  const { source, publisher } = assembleSource(config, {
    store,
    logger,
    onProgress: (state) => progress.report(state),
    onProblem: (part, problem) => health.report(part, problem),
  });
  return {
    source,
    journal: watchedJournal(new KeyedJournal(store, key), health, new StoreOutage(logger, systemClock)),
    publisher: watchedPublisher(publisher, health),
  };
}

/** After a fence always; after another passing error where a topic is read and the engine has worked before. */
function mayStartAgain(error: unknown, { source }: Config, { batches }: RunTotals): boolean {
  const { canRetry } = error as { canRetry?: boolean };
  // What has never worked is more likely a wrong address than an outage: its user should hear of it.
  return canRetry === true && (isFenced(error) || (source.kafka !== undefined && batches > 0));
}

function sumOf(runs: readonly RunTotals[]): RunTotals {
  return runs.reduce((sum, run) => ({
    batches: sum.batches + run.batches,
    read: sum.read + run.read,
    keyMismatches: sum.keyMismatches + run.keyMismatches,
    records: {
      charged: sum.records.charged + run.records.charged,
      not_sponsored: sum.records.not_sponsored + run.records.not_sponsored,
      duplicate: sum.records.duplicate + run.records.duplicate,
      rejected: sum.records.rejected + run.records.rejected,
    },
  }));
}
