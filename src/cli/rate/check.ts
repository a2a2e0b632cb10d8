import type { Command } from 'commander';
import { type ConfigOptions, readCatalogue, withConfigOptions } from '../../engine/assembly/read-config.ts';
import { ConfigError } from '../../platform/config/config-error.ts';
import { grouped } from '../../platform/telemetry/terminal-output.ts';
import type { Catalogue } from '../../rating/catalogue.ts';

interface CheckOptions extends ConfigOptions {
  show?: boolean;
}

export function registerCheck(program: Command): void {
  withConfigOptions(program.command('check'))
    .description('check a catalogue, a configuration and its catalogue, or files, without starting anything')
    .option('--show', 'print the configuration as it would be used, without its secrets')
    .addHelpText(
      'after',
      `
Examples:
  $ zerorate check --catalogue catalogue.yaml
  $ zerorate check --config zerorate.yaml --show
  $ zerorate check --source ./cdrs

Reads files to their end and prints one line about each, then one line for each fault, with file and line. Exit code 2 where there
is a fault, else 0.`,
    )
    .action(async (options: CheckOptions) => {
      const isCatalogueOnly =
        options.catalogue !== undefined && options.config === undefined && options.store === undefined;
      // A catalogue is checked without what connects to brokers and stores.
      const rest = isCatalogueOnly && options.source === undefined ? null : await import('./check-config.ts');
      const path = isCatalogueOnly ? options.catalogue : rest?.checkConfig(options);
      if (path !== undefined) {
        const catalogue = printCatalogue(path);
        rest?.warnOfMissingFields(options, catalogue);
      } else if (options.source === undefined) {
        throw new ConfigError('what is to be checked? Name --catalogue FILE, --config FILE or --source FILE');
      }
      if (options.source !== undefined) await rest?.checkFiles(options.source, options);
    });
}

function printCatalogue(path: string): Catalogue {
  const catalogue = readCatalogue(path);
  const { sponsors, applications, plans, hash } = catalogue;
  const prefixes = applications.reduce((sum, application) => sum + application.prefixes.length, 0);
  process.stdout.write(
    `${path}: ${sponsors.length} sponsors, ${applications.length} applications, ${grouped(prefixes)} prefixes, ` +
      `${plans.length} plans; catalogue ${hash.slice(0, 12)} is good\n`,
  );
  return catalogue;
}
