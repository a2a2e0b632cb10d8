import { existsSync, readFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { type ConfigOptions, readCatalogue, readConfig } from '../../engine/assembly/read-config.ts';
import type { EngineParts } from '../../engine/running/assemble-engine.ts';
import { limitsOfToday } from '../../engine/running/record-rules.ts';
import { runEngine } from '../../engine/running/run-engine.ts';
import { NO_TOTALS } from '../../engine/running/run-totals.ts';
import {
  type CorrectedRecord,
  type LineFault,
  parseCorrectedRecords,
} from '../../finance/corrections/corrected-records.ts';
import { claimRecycling, planRecycling, type RecyclingPlan } from '../../finance/corrections/recyclings.ts';
import { requireSuccession } from '../../journal/counted-plans.ts';
import { openForBooking } from '../../journal/open-store.ts';
import type { Store } from '../../platform/clickhouse/store.ts';
import { systemClock } from '../../platform/clock.ts';
import type { Config } from '../../platform/config/config.ts';
import { ConfigError } from '../../platform/config/config-error.ts';
import { createLogger, type Logger } from '../../platform/telemetry/logger.ts';
import { counted, Progress } from '../../platform/telemetry/terminal-output.ts';
import type { Catalogue } from '../../rating/catalogue.ts';
import { decodeJson } from '../../rating/decode/decode-json.ts';
import { FILES_LANE } from '../../sources/files/file-source.ts';
import { recordSource } from '../../sources/record-source.ts';
import { formatRun } from '../rate/report-run.ts';
import { formatPreviews, previewRecycling, refusedFaults, repetitions } from './preview-recycling.ts';

const SHOWN_FAULTS = 20;

export interface RecycleOptions extends ConfigOptions {
  why?: string;
  who?: string;
  dryRun?: boolean;
}

/** What a command recycles with. */
interface Recycler {
  config: Config;
  catalogue: Catalogue;
  store: Store;
  logger: Logger;
}

/**
 * Books corrected records through an engine of their own; an engine that reads their lane meanwhile is fenced, and resumes after
 * it. Nothing is claimed where a record would be rejected again: all of them are rated first, and `--dry-run` ends there.
 */
export async function recycleRejections(file: string, options: RecycleOptions): Promise<void> {
  const { why, who = userInfo().username, dryRun = false } = options;
  if (!dryRun && (why === undefined || why.trim() === '')) {
    throw new ConfigError('--why: say why the records are handed in again; --dry-run needs none, and books nothing');
  }
  // A configuration has to name a source; without one the file of corrected records is that source.
  const config = readConfig(options.config === undefined ? { ...options, source: [file], format: 'ndjson' } : options);
  const catalogue = readCatalogue(config.catalogue);
  const records = readCorrected(file, config);
  const logger = createLogger(config.log);
  const { store } = await openForBooking(config.store, { create: false });
  try {
    await requireSuccession(store, catalogue);
    const recycler = { config, catalogue, store, logger };
    for (;;) {
      const planned = await planRecycling(store, { records, laneOf: lanesOf(config) });
      if (planned.faults !== undefined) throw faulty(file, planned.faults);
      const { plan } = planned;
      const previews = await previewRecycling(recycler, plan);
      const refused = refusedFaults(previews);
      if (dryRun) {
        process.stdout.write(`${formatPreviews(plan, previews)}\n`);
        if (refused.length > 0) process.exitCode = 1;
        return;
      }
      if (refused.length > 0) throw faulty(file, refused);
      const claim = { who, why: String(why), nowMs: systemClock.nowMs() };
      if (plan.next !== null && (await claimRecycling(store, plan.next, claim)) === 'fenced') continue;
      await book(recycler, plan);
      process.stdout.write(
        repetitions(previews)
          .map((line) => `${line}\n`)
          .join(''),
      );
      return;
    }
  } finally {
    await store.close();
  }
}

async function book({ config, catalogue, store, logger }: Recycler, { known, next }: RecyclingPlan): Promise<void> {
  const recyclings = [...known, ...(next === null ? [] : [next])];
  const source = recordSource(
    recyclings.flatMap(({ logs }) => logs),
    decodeJson,
  );
  const progress = new Progress(process.stderr, (fields, message) => logger.info(fields, message));
  const run = {
    // The engine that reads the source has the port, and the threads.
    config: { ...config, health: null, engine: { threads: 1 } },
    catalogue,
    store,
    logger,
    progress,
    decorateParts: (parts: EngineParts) => ({ ...parts, source }),
  };
  const totals = recyclings.length === 0 ? NO_TOTALS : await runEngine(run);
  for (const { number, logs } of known) {
    const said = totals.read === 0 ? 'was booked before' : 'was claimed before';
    process.stdout.write(`recycling ${number} ${said}: ${counted(countOf(logs), 'corrected record')}\n`);
  }
  if (next !== null) {
    process.stdout.write(`recycling ${next.number} booked: ${counted(countOf(next.logs), 'corrected record')}\n`);
  }
  process.stdout.write(`${formatRun(totals)}\n`);
  if (totals.records.rejected === 0) return;
  // What was decided about sponsors changed after the records were looked at.
  process.stderr.write(
    `${counted(totals.records.rejected, 'record')} rejected again: \`rejections list\` says why; ` +
      'the same file can be handed in again once the reason is gone\n',
  );
  process.exitCode = 1;
}

function countOf(logs: readonly { records: readonly CorrectedRecord[] }[]): number {
  return logs.reduce((count, { records }) => count + records.length, 0);
}

function readCorrected(file: string, config: Config): CorrectedRecord[] {
  if (!existsSync(file))
    throw new ConfigError(`${file}: there is no such file; name one with a corrected record on each line`);
  const { records, faults } = parseCorrectedRecords(
    readFileSync(file, 'utf8'),
    config.limits.maxRecordBytes,
    limitsOfToday(config),
  );
  if (faults.length > 0) throw faulty(file, faults);
  if (records.length === 0)
    throw new ConfigError(`${file}: holds no record; each line is {"topic", "partition", "offset", "record"}`);
  return records;
}

/** The lanes that this configuration's engine books in. */
function lanesOf({ source: { kafka } }: Config): (partition: number) => string {
  return kafka === undefined ? () => FILES_LANE : (partition) => `${kafka.topic}-${partition}`;
}

function faulty(file: string, faults: readonly LineFault[]): ConfigError {
  const lines = faults.slice(0, SHOWN_FAULTS).map(({ line, message }) => `${file}:${line}: ${message}`);
  const rest = faults.length - lines.length;
  return new ConfigError(rest > 0 ? [...lines, `and ${rest} more`] : lines);
}
