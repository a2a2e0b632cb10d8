import { existsSync, readFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { decodeJson } from '../billing/decode-json.ts';
import { type CorrectedRecord, type LineFault, parseCorrectedRecords } from '../finance/corrected-records.ts';
import { claimRecycling } from '../finance/recyclings.ts';
import { migrate } from '../journal/migrate.ts';
import { systemClock } from '../platform/clock.ts';
import type { Config } from '../platform/config.ts';
import { ConfigError } from '../platform/config-error.ts';
import { createLogger } from '../platform/logger.ts';
import { packagePath } from '../platform/package-paths.ts';
import { grouped } from '../platform/print-table.ts';
import { Progress } from '../platform/progress.ts';
import { FILES_LANE } from '../sources/file-source.ts';
import { recordSource } from '../sources/record-source.ts';
import { openStore } from './open-store.ts';
import { type ConfigOptions, readCatalogue, readConfig } from './read-config.ts';
import { limitsOfToday } from './record-rules.ts';
import { formatRun } from './report-run.ts';
import { runEngine } from './run-engine.ts';

const SHOWN_FAULTS = 20;

/** Books mended records through an engine of their own; whoever reads their lane meanwhile is fenced, and goes on after it. */
export async function recycleRejections(
  file: string,
  options: ConfigOptions & { why: string; who?: string },
): Promise<void> {
  // A configuration has to name a source; without one the mended file stands for it.
  const config = readConfig(options.config === undefined ? { ...options, source: [file], format: 'ndjson' } : options);
  const catalogue = readCatalogue(config.catalogue);
  const records = readMended(file, config);
  const logger = createLogger(config.log);
  const store = await openStore(config.store, { create: false, readOnly: false });
  try {
    await migrate(store, packagePath('schemas/clickhouse'));
    const { why, who = userInfo().username } = options;
    const nowMs = systemClock.nowMs();
    const claimed = await claimRecycling(store, { records, who, why, nowMs, laneOf: lanesOf(config) });
    if (claimed.faults !== undefined) throw faulty(file, claimed.faults);
    const { recycling } = claimed;
    const totals = await runEngine(
      {
        // The engine that reads the source has the port.
        config: { ...config, health: null },
        catalogue,
        store,
        logger,
        progress: new Progress(process.stderr, (fields, message) => logger.info(fields, message)),
      },
      (parts) => ({ ...parts, source: recordSource(recycling.logs, decodeJson) }),
    );
    const said = recycling.isNew ? 'booked' : totals.read === 0 ? 'stands already' : 'gone on with';
    process.stdout.write(`recycling ${recycling.number} ${said}: ${grouped(records.length)} mended records\n`);
    process.stdout.write(`${formatRun(totals)}\n`);
  } finally {
    await store.close();
  }
}

function readMended(file: string, config: Config): CorrectedRecord[] {
  if (!existsSync(file))
    throw new ConfigError(`${file}: there is no such file; name one with a mended record on each line`);
  const { records, faults } = parseCorrectedRecords(
    readFileSync(file, 'utf8'),
    config.limits.maxRecordOctets,
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
