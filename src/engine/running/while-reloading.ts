import { systemClock } from '../../platform/clock.ts';
import type { Config } from '../../platform/config/config.ts';
import { onReloadSignal } from '../../platform/lifecycle.ts';
import type { Logger } from '../../platform/telemetry/logger.ts';
import type { Catalogue, Sponsor } from '../../rating/catalogue.ts';
import { CatalogueReload } from '../reload/catalogue-reload.ts';
import { compileInThread } from '../reload/compile-catalogue-thread.ts';
import type { RunObserver } from './observe-run.ts';
import { RunningEngine } from './running-engine.ts';

interface ReloadOptions {
  config: Config;
  catalogue: Catalogue;
  logger: Logger;
}

/**
 * Does the work while another version of the catalogue may come: at SIGHUP, or when its file changes, if the configuration says
 * so. Every lane takes it over with its next batch.
 */
export async function whileReloading<T>(
  { config, catalogue, logger }: ReloadOptions,
  { catalogue: metrics }: Pick<RunObserver, 'catalogue'>,
  watchCredit: (sponsors: readonly Sponsor[]) => void,
  work: (running: RunningEngine) => Promise<T>,
): Promise<T> {
  const running = new RunningEngine(catalogue);
  const reload = new CatalogueReload({
    path: config.catalogue,
    catalogue,
    reloadIntervalMs: config.reload.intervalMs,
    compile: compileInThread(),
    async take(next, prefixMaps) {
      await running.take(next, prefixMaps);
      watchCredit(next.sponsors);
      metrics.taken(next);
    },
    onReloaded: (outcome) => metrics.reloaded(outcome),
    clock: systemClock,
    logger,
  });
  metrics.taken(catalogue);
  const forget = onReloadSignal(() => void reload.reload());
  reload.start();
  try {
    return await work(running);
  } finally {
    forget();
    await reload.stop();
  }
}
