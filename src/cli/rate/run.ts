import { writeSync } from 'node:fs';
import type { Command } from 'commander';
import { checkSource } from '../../engine/assembly/assemble-source.ts';
import { type ConfigOptions, readCatalogue, readConfig, withConfigOptions } from '../../engine/assembly/read-config.ts';
import type { RunTotals } from '../../engine/engine.ts';
import { type RunOptions, runEngine } from '../../engine/running/run-engine.ts';
import { NO_TOTALS } from '../../engine/running/run-totals.ts';
import { openStore } from '../../journal/open-store.ts';
import { StopRequest } from '../../platform/stop-request.ts';
import { createLogger } from '../../platform/telemetry/logger.ts';
import { Progress } from '../../platform/telemetry/terminal-output.ts';
import { formatRun, reportRun } from './report-run.ts';

export function registerRun(program: Command): void {
  withConfigOptions(program.command('run'))
    .description('rate flow records and book them: files to their end, a Kafka topic until it is stopped')
    .option('--accept-gap', 'continue where the source has lost records before they were booked, and book the loss')
    .option(
      '--accept-restored',
      'continue although newer quota updates were published than the journal holds (a restored copy)',
    )
    .option('--final', 'files are complete: read an unterminated last line as a record')
    .option('--rewritten', 'files are rewritten as a whole at each dump: read changed ones again from their start')
    .addHelpText(
      'after',
      `
Examples:
  $ zerorate run --catalogue catalogue.yaml --source flows.ndjson --store ./zerorate-data
  $ zerorate run --catalogue catalogue.yaml --source ./cdrs day2.avro --store ./zerorate-data
  $ zerorate run --config zerorate.yaml
  $ ZERORATE_KAFKA_BROKERS=broker:9092 zerorate run --config zerorate.yaml

SIGTERM or SIGINT ends it within ten seconds with code 0, and prints what it has booked; a second one ends it at once (143, 130).
A second run over the same files books nothing: the journal knows what it has read of each, whatever its name. A file that keeps
its name and first record, but not what is booked of it, is refused; one that begins otherwise is another file. A last record that is
not whole yet waits for the next run.`,
    )
    .action(async (options: ConfigOptions & { acceptGap?: boolean; acceptRestored?: boolean }) => {
      const config = readConfig(options);
      const catalogue = readCatalogue(config.catalogue);
      const logger = createLogger(config.log);
      const progress = new Progress(process.stderr, (fields, message) => logger.info(fields, message));
      const stop = new StopRequest();
      const summary = new RunSummary();
      stop.onOverdue = () => summary.printOverdue();
      try {
        await runAndReport(
          {
            config,
            catalogue,
            logger,
            progress,
            stop,
            acceptGaps: options.acceptGap === true,
            acceptsRestored: options.acceptRestored === true,
          },
          summary,
        );
        // Connections to a broker that is silent would keep the process.
        if (stop.isRequested) process.stdout.write('', () => process.exit(0));
      } finally {
        stop.close();
      }
    });
}

async function runAndReport(
  options: Omit<RunOptions, 'store' | 'stop'> & { stop: StopRequest },
  summary: RunSummary,
): Promise<void> {
  const { config, logger, stop } = options;
  // Before a store is made for nothing.
  await checkSource(config, logger, () => stop.isRequested);
  if (stop.isRequested) return summary.print();
  const store = await openStore(config.store, { create: true });
  try {
    const onBegin = (totals: () => RunTotals) => {
      summary.totals = totals;
    };
    const totals = await runEngine({ ...options, store, onBegin });
    summary.totals = () => totals;
    summary.print();
    const isNothingNew = totals.batches === 0 && config.source.kafka === undefined && !stop.isRequested;
    if (isNothingNew) process.stdout.write('nothing new: every whole record of the files is booked already\n');
    process.stdout.write(`\n${await reportRun(store)}\n`);
  } finally {
    await store.close();
  }
}

/** What a run prints at its end, once: what it has booked. */
class RunSummary {
  totals: () => RunTotals = () => NO_TOTALS;
  #isPrinted = false;

  print(): void {
    this.#isPrinted = true;
    writeSync(1, `${formatRun(this.totals())}\n`);
  }

  /** The time to stop is over before the work is. */
  printOverdue(): void {
    if (this.#isPrinted) return;
    this.print();
    writeSync(
      1,
      'Stopped before a call was answered: a batch that was being inserted is in the journal too, or is read again\n',
    );
  }
}
