import { type Command, InvalidArgumentError } from 'commander';
import { type ConfigOptions, withConfigOptions } from '../../engine/assembly/read-config.ts';
import { ConfigError } from '../../platform/config/config-error.ts';
import type { CatalogueCheck } from './check-catalogue.ts';

interface CheckOptions extends ConfigOptions, CatalogueCheck {
  store?: string;
  config?: string;
  show?: boolean;
  evidence?: string;
}

const MAX_DAYS = 3650;

export function registerCheck(program: Command): void {
  withConfigOptions(program.command('check'))
    .description('check a catalogue, a configuration and its catalogue, or files, without starting anything')
    .option('--show', 'print the configuration as it would be used, without its secrets')
    .option('--evidence <file>', 'the configuration of evidence feeds, evidence.yaml, and its catalogue')
    .option(
      '--shared-clouds <file...>',
      'lists of networks that many tenants use: a network a line, ip-ranges.json of Amazon, cloud.json of Google',
    )
    .option(
      '--unmatched-days <days>',
      'warn of evidence by which no record was charged for so many days; needs a store',
      daysOf,
    )
    .option('--strict', 'exit code 2 for warnings, too')
    .addHelpText(
      'after',
      `
Examples:
  $ zerorate check --catalogue catalogue.yaml
  $ zerorate check --catalogue catalogue.yaml --shared-clouds ip-ranges.json cloud.json --strict
  $ zerorate check --catalogue catalogue.yaml --store ./zerorate-data --unmatched-days 30
  $ zerorate check --evidence evidence.yaml
  $ zerorate check --config zerorate.yaml --show
  $ zerorate check --source ./cdrs

Reads files to their end and prints one line about each, then one line for each fault, with file and line. Warnings go to standard error, each
with its code: shared_cloud, ipv4_only, unmatched_evidence, nothing_booked. Exit code 2 for a fault, and with --strict for a warning;
otherwise 0.`,
    )
    .action(async (options: CheckOptions) => {
      const { path, sharedClouds } = await checkedPath(options);
      if (path !== undefined) {
        const { checkCatalogue } = await import('./check-catalogue.ts');
        const catalogue = await checkCatalogue(path, { ...options, sharedClouds });
        if (options.evidence === undefined && (options.config !== undefined || options.source !== undefined)) {
          (await import('./check-config.ts')).warnOfMissingFields(options, catalogue);
        }
      }
      if (options.source !== undefined) await (await import('./check-config.ts')).checkFiles(options.source, options);
    });
}

/** The catalogue to check, if one is named, and the lists that it is compared with. Whatever names it is checked. */
async function checkedPath(options: CheckOptions): Promise<{ path: string | undefined; sharedClouds: string[] }> {
  const { source, evidence, sharedClouds = [] } = options;
  if (evidence !== undefined) {
    const { checkEvidence } = await import('./check-catalogue.ts');
    const checked = checkEvidence(evidence);
    return { path: checked.path, sharedClouds: [...checked.sharedClouds, ...sharedClouds] };
  }
  if (options.config !== undefined || options.show === true) {
    const { checkConfig } = await import('./check-config.ts');
    return { path: checkConfig(options), sharedClouds };
  }
  const path = options.catalogue;
  if (path === undefined && source === undefined) {
    throw new ConfigError(
      'what is to be checked? Name --catalogue FILE, --config FILE, --evidence FILE or --source FILE',
    );
  }
  return { path, sharedClouds };
}

function daysOf(text: string): number {
  const days = Number(text);
  if (!/^\d+$/.test(text) || days < 1 || days > MAX_DAYS) {
    throw new InvalidArgumentError(`Expected a number of days from 1 to ${MAX_DAYS}.`);
  }
  return days;
}
