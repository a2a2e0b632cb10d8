import type { Config } from '../../platform/config/config.ts';
import { isFenced } from '../../platform/fenced.ts';
import { StopFlag } from '../../platform/stop-request.ts';
import type { Logger } from '../../platform/telemetry/logger.ts';
import type { RunTotals } from '../engine.ts';
import type { PackedCatalogue } from '../reload/packed-catalogue.ts';
import { type RunTally, sumOfTotals } from './run-totals.ts';
import type { RunnableEngine, RunningEngine } from './running-engine.ts';

const RESTART_DELAY_MS = 1000;

/** The engines of one thread: one after the other, for as long as the run lasts. */
export interface EngineSuccession {
  /** Counts from 0. */
  thread: number;
  running: RunningEngine;
  makeEngine: (catalogue: PackedCatalogue) => RunnableEngine;
  /** An engine begins, the first one or another. */
  onBegin: () => void;
  /** An engine has ended with an error, and another one begins soon. */
  onRestart: (error: unknown) => void;
}

interface Run {
  config: Config;
  logger: Logger;
  tally: RunTally;
  stop: StopFlag;
}

/**
 * Runs the engines of all threads until their source ends or `stop` is raised. When one ends for good with an error, the others are
 * stopped in order, and then it rejects with that error.
 */
export async function runUntilEnd(threads: readonly EngineSuccession[], { stop, ...run }: Run): Promise<void> {
  const end = new StopFlag();
  const forget = stop.onRequest(() => end.raise());
  const failures: unknown[] = [];
  await Promise.all(
    threads.map((thread) =>
      runSuccession(thread, { ...run, stop: end }).catch((error) => {
        failures.push(error);
        end.raise();
      }),
    ),
  );
  forget();
  const [failure, ...others] = failures;
  for (const error of others) run.logger.error({ err: error }, 'another engine thread failed while the run ended');
  if (failures.length > 0) throw failure;
}

/** A batch that another writer fenced, or a source that is away for a while, is no end: the next engine begins. */
async function runSuccession(
  { thread, running, makeEngine, onBegin, onRestart }: EngineSuccession,
  { config, logger, tally, stop }: Run,
): Promise<void> {
  while (!stop.isRequested) {
    const before = tally.of(thread);
    const engine = running.begin(makeEngine);
    tally.set(thread, () => sumOfTotals([before, engine.totals]));
    const forget = stop.onRequest(() => void engine.stop());
    try {
      onBegin();
      await engine.run();
      return;
    } catch (error) {
      if (stop.isRequested && isPassing(error)) {
        logger.warn({ err: error }, 'stopped; what is not booked is read again by the next run');
        return;
      }
      if (stop.isRequested || !mayStartAgain(error, config, tally.sum())) throw error;
      onRestart(error);
      await stop.sleep(RESTART_DELAY_MS);
    } finally {
      forget();
    }
  }
}

function isPassing(error: unknown): boolean {
  return (error as { canRetry?: boolean }).canRetry === true;
}

/** After a fence always; after another passing error where a topic is read and the run has booked something before. */
function mayStartAgain(error: unknown, { source }: Config, { batches }: RunTotals): boolean {
  // What has never worked is more likely a wrong address than an outage: its user should hear of it.
  return isPassing(error) && (isFenced(error) || (source.kafka !== undefined && batches > 0));
}
