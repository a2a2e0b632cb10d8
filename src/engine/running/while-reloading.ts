import { otherCurrencies, readAccountCurrencies } from '../../journal/account-currencies.ts';
import { ClickHouseJournal } from '../../journal/clickhouse-journal.ts';
import type { Store } from '../../platform/clickhouse/store.ts';
import { systemClock } from '../../platform/clock.ts';
import type { Config } from '../../platform/config/config.ts';
import { onReloadSignal } from '../../platform/lifecycle.ts';
import type { Logger } from '../../platform/telemetry/logger.ts';
import type { CountedPlans } from '../../rating/catalogue/catalogue-succession-faults.ts';
import type { Catalogue, CatalogueTerms } from '../../rating/catalogue.ts';
import { CatalogueReload } from '../reload/catalogue-reload.ts';
import { packCounts } from '../reload/compile-catalogue.ts';
import { compileInThread } from '../reload/compile-catalogue-thread.ts';
import { unpackCatalogue } from '../reload/packed-catalogue.ts';
import type { RunObserver } from './observe-run.ts';
import { giveCatalogue, type RunningEngine } from './running-engine.ts';

interface ReloadOptions {
  config: Config;
  catalogue: Catalogue;
  /** How plans and groups have counted in the store. */
  countedBefore: CountedPlans;
  store: Store;
  logger: Logger;
  /** The engines that take it over. */
  running: readonly RunningEngine[];
}

/**
 * Does the work while another version of the catalogue may come: at SIGHUP, or when its file changes, if the configuration says
 * so. Every lane of every engine takes it over with its next batch.
 */
export async function whileReloading<T>(
  { config, catalogue, countedBefore, store, logger, running }: ReloadOptions,
  { catalogue: metrics }: Pick<RunObserver, 'catalogue'>,
  watch: (catalogue: CatalogueTerms) => void,
  work: () => Promise<T>,
): Promise<T> {
  const journal = new ClickHouseJournal(store);
  const reload = new CatalogueReload({
    path: config.catalogue,
    catalogue,
    counted: packCounts(catalogue, countedBefore),
    reloadIntervalMs: config.reload.intervalMs,
    compile: compileInThread(),
    refusals: async ({ sponsors }) => otherCurrencies(await readAccountCurrencies(store), sponsors),
    async take(next) {
      await giveCatalogue(running, journal, next);
      watch(await unpackCatalogue(next));
      metrics.taken(next.hash, next.planCount);
    },
    onReloaded: (outcome) => metrics.reloaded(outcome),
    clock: systemClock,
    logger,
  });
  metrics.taken(catalogue.hash, catalogue.plans.length);
  const forget = onReloadSignal(() => void reload.reload());
  reload.start();
  try {
    return await work();
  } finally {
    forget();
    await reload.stop();
  }
}
