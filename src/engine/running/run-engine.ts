import { setImmediate as nextTurn } from 'node:timers/promises';
import { describeEntry } from '../../finance/accounts/account-entry.ts';
import { CreditWatcher } from '../../finance/accounts/credit-watcher.ts';
import { campaignsIn, type WatchedCampaign } from '../../finance/campaigns/campaign-rules.ts';
import { CampaignWatcher } from '../../finance/campaigns/campaign-watcher.ts';
import { otherCurrencies, readAccountCurrencies } from '../../journal/account-currencies.ts';
import { requireSuccession } from '../../journal/counted-plans.ts';
import { migrate } from '../../journal/migrate.ts';
import type { Store } from '../../platform/clickhouse/store.ts';
import { systemClock } from '../../platform/clock.ts';
import type { Config } from '../../platform/config/config.ts';
import { ConfigError } from '../../platform/config/config-error.ts';
import { packagePath } from '../../platform/package-paths.ts';
import { StopRequest } from '../../platform/stop-request.ts';
import type { Logger } from '../../platform/telemetry/logger.ts';
import type { Progress } from '../../platform/telemetry/terminal-output.ts';
import type { Catalogue, CatalogueTerms, Sponsor } from '../../rating/catalogue.ts';
import { prepareCatalogue } from '../../rating/prepared-catalogue.ts';
import type { Engine, RunTotals } from '../engine.ts';
import {
  type PackedCatalogue,
  packCatalogue,
  unpackCatalogue,
  unpackCatalogueNow,
} from '../reload/packed-catalogue.ts';
import { assembleEngine, type DecorateParts, type EngineSetup } from './assemble-engine.ts';
import { engineThreads } from './engine-threads.ts';
import { bookKey, type LoadedKey, loadKey } from './load-key.ts';
import { RunObserver } from './observe-run.ts';
import { requireNewestJournal } from './require-newest-journal.ts';
import { RunTally } from './run-totals.ts';
import { type EngineSuccession, runUntilEnd } from './run-until-end.ts';
import { type RunnableEngine, RunningEngine } from './running-engine.ts';
import { TopicProgress } from './topic-progress.ts';
import { whileReloading } from './while-reloading.ts';

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
  /** Called before the first engine begins, with a function that returns what the run has booked so far. */
  onBegin?: (totals: () => RunTotals) => void;
  /** Puts something between an engine of this thread and what it works with. */
  decorateParts?: DecorateParts;
  /** What engine threads run; absent: the engine. */
  threadProgram?: string;
}

/**
 * Runs the engine over the configured source until it ends or a signal stops it. A batch that another writer fenced,
 * or a source that is away for a while, is no end: the engine restarts from the last committed journal state.
 */
export async function runEngine(options: RunOptions): Promise<RunTotals> {
  const { config, store, logger, progress, catalogue } = options;
  const observer = new RunObserver(options);
  const stop = options.stop ?? new StopRequest();
  const forget = stop.onRequest(() => {
    observer.stopping();
    logger.info('stopping');
  });
  const tally = new RunTally();
  try {
    const packed = packCatalogue(prepareCatalogue(catalogue));
    // Seconds, with a million prefixes: connections that were closed meanwhile are noticed before they are used.
    await nextTurn();
    await observer.start();
    const migrations = await migrate(store, packagePath('schemas/clickhouse'));
    if (migrations.length > 0) logger.info({ migrations }, 'applied schema migrations');
    const key = await loadKey(config, logger);
    await bookKey(store, key);
    const [fault] = otherCurrencies(await readAccountCurrencies(store), catalogue.sponsors);
    if (fault !== undefined) throw new ConfigError(fault);
    const countedBefore = await requireSuccession(store, catalogue);
    if (options.acceptsRestored !== true) await requireNewestJournal(config, store, logger);
    observer.watch();
    options.onBegin?.(() => tally.sum());
    const threads = successions(options, packed, key, observer);
    const running = threads.map((thread) => thread.running);
    await whileWatchingCredit(options, observer, (watchCredit) =>
      whileWatchingCampaigns(options, observer, (watchCampaigns) => {
        const watch = (next: CatalogueTerms) => {
          watchCredit(next.sponsors);
          watchCampaigns(campaignsIn(next));
        };
        return whileReloading({ config, catalogue, countedBefore, store, logger, running }, observer, watch, () =>
          runUntilEnd(threads, { config, logger, tally, stop }).finally(() => progress.end()),
        );
      }),
    );
    return tally.sum();
  } catch (error) {
    await observer.halted(error);
    throw error;
  } finally {
    await observer.stop();
    forget();
    if (options.stop === undefined) stop.close();
  }
}

/** One engine after the other in this thread, or in as many threads as the configuration says. */
function successions(
  options: RunOptions,
  packed: PackedCatalogue,
  key: LoadedKey,
  observer: RunObserver,
): EngineSuccession[] {
  const { config, store, logger, progress, acceptGaps = false, decorateParts, threadProgram } = options;
  const topic = new TopicProgress((state) => progress.report(state));
  const onRead = topic.read.bind(topic);
  if (config.engine.threads > 1) {
    return engineThreads(
      { config, key, catalogue: packed, acceptGaps },
      { observer, logger, onRead, program: threadProgram },
    );
  }
  const setup: EngineSetup = { config, store, key, logger, acceptGaps, ...(decorateParts && { decorateParts }) };
  const { health, events, tracer } = observer;
  const reports = {
    health,
    events,
    tracer,
    onRead,
    onProgress: progress.report.bind(progress),
    onBrokerAnswer: () => observer.brokers?.answered(),
  };
  return [
    {
      thread: 0,
      running: new RunningEngine(packed),
      makeEngine: (current) => takingPacked(assembleEngine(setup, reports, unpackCatalogueNow(current))),
      onBegin: () => observer.begin(),
      onRestart: (error) => observer.restarting(error),
    },
  ];
}

/** An engine of this thread, which reads a packed catalogue between batches. */
function takingPacked(engine: Engine): RunnableEngine {
  return {
    get totals() {
      return engine.totals;
    },
    run: () => engine.run(),
    take: async (catalogue) => engine.take(await unpackCatalogue(catalogue)),
    stop: () => engine.stop(),
  };
}

interface WatchOptions {
  config: Config;
  catalogue: Catalogue;
  store: Store;
  logger: Logger;
}

/** Does the work while credit limits are watched. */
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
  return whileWatching(watcher, config, work);
}

/** Does the work while caps of campaigns are watched, as credit limits are. */
async function whileWatchingCampaigns<T>(
  { config, catalogue, store, logger }: WatchOptions,
  { health }: Pick<RunObserver, 'health'>,
  work: (watch: (campaigns: readonly WatchedCampaign[]) => void) => Promise<T>,
): Promise<T> {
  const watcher = new CampaignWatcher({
    store,
    campaigns: campaignsIn(catalogue),
    clock: systemClock,
    checkIntervalMs: config.credit.checkIntervalMs,
    onBooked: ({ kind, campaignId, why }) => logger.warn({ campaignId, why }, `${kind} of campaign ${campaignId}`),
    onChecked(problem) {
      health.report('campaigns', problem === null ? null : (problem as Error).message);
      if (problem !== null) logger.warn({ err: problem }, 'caps of campaigns could not be looked at; trying again');
    },
  });
  return whileWatching(watcher, config, work);
}

interface Watcher<T> {
  watch(watched: readonly T[]): void;
  check(): Promise<unknown>;
  start(): void;
  stop(): Promise<void>;
}

/**
 * Does the work while a watcher checks at intervals. It checks before the work, so that no record is rated by what was so before the start,
 * and once more after files have come to their end. The work may say that others are watched from now on.
 */
async function whileWatching<W, T>(
  watcher: Watcher<W>,
  { source }: Config,
  work: (watch: (watched: readonly W[]) => void) => Promise<T>,
): Promise<T> {
  await watcher.check();
  watcher.start();
  try {
    const done = await work((others) => watcher.watch(others));
    await watcher.stop();
    if (source.kafka === undefined) await watcher.check();
    return done;
  } finally {
    await watcher.stop();
  }
}
