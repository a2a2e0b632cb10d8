import type { Command } from 'commander';
import { createLogger } from '../platform/logger.ts';
import { Progress } from '../platform/progress.ts';
import { checkSource } from './assemble-source.ts';
import { openStore } from './open-store.ts';
import { type ConfigOptions, readCatalogue, readConfig, withConfigOptions } from './read-config.ts';
import { formatRun, reportRun } from './report-run.ts';
import { runEngine } from './run-engine.ts';

export function registerRun(program: Command): void {
  withConfigOptions(program.command('run'))
    .description('rate flow records and book them: files to their end, a Kafka topic until it is stopped')
    .option('--accept-gap', 'go on where the source has lost records before they were booked, and book the loss')
    .option('--final', 'files are not written any more: a last line without its line end is a record, too')
    .option(
      '--rewritten',
      'files are rewritten with all of their records each time: read changed ones again from their start',
    )
    .addHelpText(
      'after',
      `
Examples:
  $ zerorate run --catalogue catalogue.yaml --source flows.ndjson --store ./zerorate-data
  $ zerorate run --catalogue catalogue.yaml --source ./cdrs day2.avro --store ./zerorate-data
  $ zerorate run --config zerorate.yaml
  $ ZERORATE_KAFKA_BROKERS=broker:9092 zerorate run --config zerorate.yaml

A second run over the same files books nothing: the journal knows what it has read of each, whatever its name. A file whose booked
part has changed is refused. A last record that is not whole yet waits for the next run.`,
    )
    .action(async (options: ConfigOptions & { acceptGap?: boolean }) => {
      const config = readConfig(options);
      const catalogue = readCatalogue(config.catalogue);
      const logger = createLogger(config.log);
      const progress = new Progress(process.stderr, (fields, message) => logger.info(fields, message));
      // Before a store is made for nothing.
      await checkSource(config, logger);
      const store = await openStore(config.store, { create: true });
      try {
        const totals = await runEngine({
          config,
          catalogue,
          store,
          logger,
          progress,
          acceptGaps: options.acceptGap === true,
        });
        process.stdout.write(`${formatRun(totals)}\n\n${await reportRun(store)}\n`);
      } finally {
        await store.close();
      }
    });
}
