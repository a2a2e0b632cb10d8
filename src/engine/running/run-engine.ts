import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describeEntry } from '../../finance/accounts/account-entry.ts';
import { CreditWatcher } from '../../finance/accounts/credit-watcher.ts';
import { migrate } from '../../journal/migrate.ts';
import type { Store } from '../../platform/clickhouse/store.ts';
import { systemClock } from '../../platform/clock.ts';
import type { Config } from '../../platform/config/config.ts';
import { isFenced } from '../../platform/fenced.ts';
import { packagePath } from '../../platform/package-paths.ts';
import { StopRequest } from '../../platform/stop-request.ts';
import type { Logger } from '../../platform/telemetry/logger.ts';
import type { Progress } from '../../platform/telemetry/terminal-output.ts';
import type { Catalogue, Sponsor } from '../../rating/catalogue.ts';
import { assembleSource } from '../assembly/assemble-source.ts';
import { Engine, type EngineOptions, type RunTotals } from '../engine.ts';
import { StoreOutage, watchedJournal, watchedPublisher } from '../store-outage.ts';
import { bookKey, KeyedJournal, type LoadedKey, loadKey } from './load-key.ts';
import { RunObserver } from './observe-run.ts';
import { recordRules } from './record-rules.ts';
import { requireNewestJournal } from './require-newest-journal.ts';
import type { RunningEngine } from './running-engine.ts';
import { whileReloading } from './while-reloading.ts';

const RETRY = { firstDelayMs: 100, maxDelayMs: 10_000, giveUpAfterMs: 300_000 };
const RESTART_DELAY_MS = 1000;
export const NO_TOTALS: RunTotals = {
  batches: 0,
  read: 0,
  keyMismatches: 0,
  records: { charged: 0, not_sponsored: 0, duplicate: 0, rejected: 0 },
};

export interface RunOptions {
  config: Config;
  catalogue: Catalogue;
  store: Store;
  logger: Logger;
  progress: Progress;
  /** Books what the source has lost as a fact and continues, instead of halting. */
  acceptGaps?: boolean;
  /** Continues with a journal that is older than its quota updates. */
  acceptsRestored?: boolean;
  /** Absent: signals are listened to while the engine runs. */
  stop?: StopRequest;
  /** Called as each engine begins, with a function that returns what the run has booked so far. */
  onBegin?: (totals: () => RunTotals) => void;
}

/** What the engine works with; a test may put something between. */
export type EngineParts = Pick<EngineOptions, 'journal' | 'source' | 'publisher' | 'startPosition'>;

/**
 * Runs the engine over the configured source until it ends or a signal stops it. A batch that another writer fenced,
 * or a source that is away for a while, is no end: the engine restarts from the last committed journal state.
 */
export async function runEngine(
  options: RunOptions,
  decorateParts: (parts: EngineParts) => EngineParts = (parts) => parts,
): Promise<RunTotals> {
  const { config, store, logger } = options;
  const observer = new RunObserver(options);
  const stop = options.stop ?? new StopRequest();
  const forget = stop.onRequest(() => {
    observer.stopping();
    logger.info('stopping');
  });
  try {
    await observer.start();
    const migrations = await migrate(store, packagePath('schemas/clickhouse'));
    if (migrations.length > 0) logger.info({ migrations }, 'applied schema migrations');
    const key = await loadKey(config, logger);
    await bookKey(store, key);
    if (options.acceptsRestored !== true) await requireNewestJournal(config, store, logger);
    observer.watch();
    return await whileWatchingCredit(options, observer, (watchCredit) =>
      whileReloading(options, observer, watchCredit, (running) =>
        runUntilEnd({ ...options, stop }, key, observer, running, decorateParts),
      ),
    );
  } catch (error) {
    await observer.halted(error);
    throw error;
  } finally {
    await observer.stop();
    forget();
    if (options.stop === undefined) stop.close();
  }
}

async function runUntilEnd(
  options: RunOptions & { stop: StopRequest },
  key: LoadedKey,
  observer: RunObserver,
  running: RunningEngine,
  decorateParts: (parts: EngineParts) => EngineParts,
): Promise<RunTotals> {
  const { config, logger, progress, stop, acceptGaps = false, onBegin } = options;
  const { health, events, tracer } = observer;
  const settings = {
    ...config.batch,
    quotaIntervalMs: config.quotaUpdates.minIntervalMs,
    rejectionPayloadBytes: config.limits.rejectionPayloadBytes,
    leakageRows: config.leakage.maxRows,
    duplicateWindowRecords: config.duplicates.windowRecords,
    pseudonymKey: key.key,
    recordRules: recordRules(config),
    acceptGaps,
  };
  const totals: RunTotals[] = [];
  while (!stop.isRequested) {
    const parts = decorateParts(assembleParts(options, key, observer));
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
    onBegin?.(() => sumOf([...totals, engine.totals]));
    const forget = stop.onRequest(() => void source.stop());
    try {
      observer.begin();
      await engine.run();
      return sumOf([...totals, engine.totals]);
    } catch (error) {
      totals.push(engine.totals);
      if (stop.isRequested && isPassing(error)) {
        logger.warn({ err: error }, 'stopped; what is not booked is read again by the next run');
        break;
      }
      if (stop.isRequested || !mayStartAgain(error, config, sumOf(totals))) throw error;
      health.report('engine', `starting again after: ${(error as Error).message}`);
      // An outage of the brokers has a line of its own.
      const level = observer.brokers?.isAway ? 'debug' : 'warn';
      logger[level]({ err: error }, 'restarting from the last committed journal state');
      await stop.sleep(RESTART_DELAY_MS);
    } finally {
      forget();
      progress.end();
    }
  }
  return sumOf([NO_TOTALS, ...totals]);
}

function isPassing(error: unknown): boolean {
  return (error as { canRetry?: boolean }).canRetry === true;
}

function assembleParts(
  { config, store, logger, progress }: RunOptions,
  key: LoadedKey,
  { health, brokers }: RunObserver,
): EngineParts {
  const { source, publisher, startPosition } = assembleSource(config, {
    store,
    logger,
    onProgress: (state) => progress.report(state),
    onProblem: (part, problem) => health.report(part, problem),
    onBrokerAnswer: () => brokers?.answered(),
  });
  return {
    source,
    ...(startPosition && { startPosition }),
    journal: watchedJournal(new KeyedJournal(store, key), health, new StoreOutage(logger, systemClock)),
    publisher: watchedPublisher(publisher, health),
  };
}

/** After a fence always; after another passing error where a topic is read and the engine has worked before. */
function mayStartAgain(error: unknown, { source }: Config, { batches }: RunTotals): boolean {
  // What has never worked is more likely a wrong address than an outage: its user should hear of it.
  return isPassing(error) && (isFenced(error) || (source.kafka !== undefined && batches > 0));
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

interface WatchOptions {
  config: Config;
  catalogue: Catalogue;
  store: Store;
  logger: Logger;
}

/**
 * Does the work while credit limits are watched. There is a look before it, so that no record is rated for a sponsor that
 * was past its limit before the start, and one more after files have come to their end. The work may say that others are
 * watched from now on.
 */
async function whileWatchingCredit<T>(
  { config, catalogue, store, logger }: WatchOptions,
  { health, sponsors }: Pick<RunObserver, 'health' | 'sponsors'>,
  work: (watch: (sponsors: readonly Sponsor[]) => void) => Promise<T>,
): Promise<T> {
  const watcher = new CreditWatcher({
    store,
    sponsors: catalogue.sponsors,
    clock: systemClock,
    checkIntervalMs: config.credit.checkIntervalMs,
    onBooked: (entry) => logger.warn({ sponsorId: entry.sponsorId, why: entry.why }, describeEntry(entry)),
    onLooked: (accounts) => sponsors.onLooked(accounts),
    onChecked(problem) {
      health.report('credit', problem === null ? null : (problem as Error).message);
      if (problem !== null) logger.warn({ err: problem }, 'credit limits could not be looked at; trying again');
    },
  });
  await watcher.check();
  watcher.start();
  try {
    const done = await work((others) => watcher.watch(others));
    await watcher.stop();
    if (config.source.kafka === undefined) await watcher.check();
    return done;
  } finally {
    await watcher.stop();
  }
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
