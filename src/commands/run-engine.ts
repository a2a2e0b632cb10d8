import type { Catalogue } from '../billing/catalogue.ts';
import { Engine, type RunTotals } from '../engine/engine.ts';
import type { Clock } from '../engine/journal-writer.ts';
import type { BookedBatch } from '../engine/lane-worker.ts';
import { migrate } from '../engine/migrate.ts';
import type { Config } from '../platform/config.ts';
import { onStopSignal } from '../platform/lifecycle.ts';
import type { Logger } from '../platform/logger.ts';
import { packagePath } from '../platform/package-paths.ts';
import type { Progress } from '../platform/progress.ts';
import type { Store } from '../platform/store.ts';
import { assembleSource } from './assemble-source.ts';
import { pseudonymKey } from './open-store.ts';

const RETRY = { firstDelayMs: 100, maxDelayMs: 10_000, giveUpAfterMs: 300_000 };
const RESTART_DELAY_MS = 1000;
const STOP_GRACE_MS = 10_000;

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
};

/**
 * Runs the engine over the configured source until it ends or a signal stops it. A batch that another writer fenced off,
 * or a source that went away for a while, is no end: the engine starts again from what the journal says.
 */
export async function runEngine(
  config: Config,
  catalogue: Catalogue,
  store: Store,
  logger: Logger,
  progress: Progress,
): Promise<RunTotals> {
  const migrations = await migrate(store, packagePath('schemas/clickhouse'));
  if (migrations.length > 0) logger.info({ migrations }, 'brought the store up to date');
  const settings = {
    ...config.batch,
    rejectionPayloadOctets: config.limits.rejectionPayloadOctets,
    duplicateWindowRecords: config.duplicates.windowRecords,
    pseudonymKey: await pseudonymKey(config, logger),
  };
  const totals: RunTotals[] = [];
  for (let isStopping = false; ; ) {
    const { source, publisher } = assembleSource(config, logger, (state) => progress.report(state));
    const onBooked = (booked: BookedBatch) => logBatch(logger, booked);
    const engine = new Engine({
      store,
      catalogue,
      source,
      publisher,
      settings,
      retry: RETRY,
      clock: systemClock,
      onBooked,
    });
    const forget = onStopSignal(() => {
      isStopping = true;
      logger.info('stopping');
      void source.stop();
    }, STOP_GRACE_MS);
    try {
      await engine.run();
      totals.push(engine.totals);
      return sumOf(totals);
    } catch (error) {
      totals.push(engine.totals);
      if (isStopping || !mayStartAgain(error, config, sumOf(totals))) throw error;
      logger.warn({ err: error }, 'starting again from what the journal says');
      await systemClock.sleep(RESTART_DELAY_MS);
    } finally {
      forget();
      progress.end();
    }
  }
}

/** After a fence always; after another passing error where a topic is read and the engine has worked before. */
function mayStartAgain(error: unknown, { source }: Config, { batches }: RunTotals): boolean {
  const { canRetry, code } = error as { canRetry?: boolean; code?: string };
  // What has never worked is more likely a wrong address than an outage: its user should hear of it.
  return canRetry === true && (code === 'batch_fenced' || (source.kafka !== undefined && batches > 0));
}

function logBatch(logger: Logger, { log, block, summary }: BookedBatch): void {
  const { topic, partition } = log;
  const batch = `${log.lane}@${block.laneSequence}`;
  const { records } = summary;
  logger.debug({ batch, topic, partition, prev: block.prev, lastOffset: block.lastOffset, records }, 'booked');
  if (block.keyMismatches > 0) {
    logger.warn(
      { batch, topic, partition, keyMismatches: block.keyMismatches },
      'records are not keyed by their MSISDN',
    );
  }
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
