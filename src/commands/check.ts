import type { Command } from 'commander';
import { type Config, redacted } from '../platform/config.ts';
import { ConfigError } from '../platform/config-error.ts';
import { grouped } from '../platform/print-table.ts';
import { listFlowFiles } from '../sources/flow-file.ts';
import { fileOptions, plainFiles } from './assemble-source.ts';
import { describeFile } from './describe-file.ts';
import { kafkaDecoder, registryOptions } from './flow-decoder.ts';
import { clientOptions } from './kafka-connection.ts';
import { storeCertificates } from './open-store.ts';
import { type ConfigOptions, readCatalogue, readConfig, withConfigOptions } from './read-config.ts';

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

Files are read to their end; a line for each says what is in it. Prints one line for each fault, with file and line, and exits with 2; exits with 0 when there is none.`,
    )
    .action(async (options: CheckOptions) => {
      const isCatalogueOnly =
        options.catalogue !== undefined && options.config === undefined && options.store === undefined;
      const path = isCatalogueOnly ? options.catalogue : checkConfig(options);
      if (path !== undefined) printCatalogue(path);
      else if (options.source === undefined) {
        throw new ConfigError('what is to be checked? Name --catalogue FILE, --config FILE or --source FILE');
      }
      if (options.source !== undefined) await checkFiles(options.source, options);
    });
}

function printCatalogue(path: string): void {
  const { sponsors, applications, plans, hash } = readCatalogue(path);
  const prefixes = applications.reduce((sum, application) => sum + application.prefixes.length, 0);
  process.stdout.write(
    `${path}: ${sponsors.length} sponsors, ${applications.length} applications, ${grouped(prefixes)} prefixes, ` +
      `${plans.length} plans; catalogue ${hash.slice(0, 12)} is good\n`,
  );
}

async function checkFiles(paths: readonly string[], options: CheckOptions): Promise<void> {
  const files = options.config === undefined ? plainFiles(options) : readConfig(options);
  for (const file of await listFlowFiles(paths, options.format)) {
    process.stdout.write(`${await describeFile(file, fileOptions(files, [file.path], options.format))}\n`);
  }
}

function checkConfig(options: CheckOptions): string | undefined {
  if (options.config === undefined && options.store === undefined) return undefined;
  const config = readConfig(options);
  checkConnections(config);
  if (options.show === true) process.stdout.write(`${JSON.stringify(redacted(config), null, 2)}\n`);
  return config.catalogue;
}

/** Schemas and certificates are read, and nothing is connected. */
function checkConnections({ source: { kafka }, store }: Config): void {
  if (store.url !== undefined) storeCertificates(store);
  if (kafka === undefined) return;
  kafkaDecoder(kafka);
  clientOptions(kafka);
  if (kafka.avro.registry !== null) registryOptions(kafka.avro.registry);
}
