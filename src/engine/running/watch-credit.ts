import { describeEntry } from '../../finance/accounts/account-entry.ts';
import { CreditWatcher } from '../../finance/accounts/credit-watcher.ts';
import type { Store } from '../../platform/clickhouse/store.ts';
import { systemClock } from '../../platform/clock.ts';
import type { Config } from '../../platform/config/config.ts';
import type { Logger } from '../../platform/telemetry/logger.ts';
import type { Catalogue, Sponsor } from '../../rating/catalogue.ts';
import type { RunObserver } from './observe-run.ts';

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
export async function whileWatchingCredit<T>(
  { config, catalogue, store, logger }: WatchOptions,
  { health, sponsors }: Pick<RunObserver, 'health' | 'sponsors'>,
  work: (watch: (sponsors: readonly Sponsor[]) => void) => Promise<T>,
): Promise<T> {
  const watcher = new CreditWatcher({
    store,
    sponsors: catalogue.sponsors,
    clock: systemClock,
    checkIntervalMs: config.credit.checkEveryMs,
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
