import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { loadCatalogue } from '../../evidence/catalogue-file.ts';
import { formatFault } from '../../formats/document-fault.ts';
import { suggestion } from '../../formats/nearest-word.ts';
import type { Config } from '../../platform/config/config.ts';
import { ConfigError } from '../../platform/config/config-error.ts';
import type { ConfigOverrides } from '../../platform/config/config-merge.ts';
import { writeConfigWarnings } from '../../platform/config/config-warnings.ts';
import { loadConfig } from '../../platform/config/load-config.ts';
import type { Catalogue, Sponsor } from '../../rating/catalogue.ts';
import type { FlowFileFormat } from '../../rating/record/flow-file-format.ts';

/** Options that every command with a configuration has. */
export interface ConfigOptions {
  config?: string;
  catalogue?: string;
  source?: string[];
  format?: FlowFileFormat;
  terminals?: string;
  subscribers?: string;
  store?: string;
  final?: boolean;
  rewritten?: boolean;
}

export function withConfigOptions(command: Command): Command {
  return command
    .option('-c, --config <file>', 'the configuration, zerorate.yaml; flags and ZERORATE_* variables override it')
    .option('--catalogue <file>', 'the catalogue of sponsors, applications and plans')
    .option(
      '--source <path...>',
      'files or directories of flow records (.ndjson, .jsonl, .json, .csv, .avro, .cdr, each also .gz)',
    )
    .option(
      '--format <format>',
      'format of all files given, instead of the one that their endings say: ndjson, csv, avro, cdr, goflow2',
    )
    .option('--terminals <file>', 'whose an address was, and when: for flows of goflow2 (CSV: prefix,from,to,msisdn)')
    .option('--subscribers <file>', 'MSISDNs of CDRs that have an IMSI only (CSV: imsi,from,to,msisdn)')
    .option('--store <directory>', 'directory of the embedded store');
}

/** Options of a command that reads a source once more: the catalogues are in the store. */
export function withSourceOptions(command: Command): Command {
  return command
    .option('-c, --config <file>', 'the configuration that names store and source')
    .option('--store <directory>', 'directory of the embedded store')
    .option(
      '--source <path...>',
      'files or directories of flow records (.ndjson, .jsonl, .json, .csv, .avro, .cdr, each also .gz)',
    )
    .option(
      '--format <format>',
      'format of all files given, instead of the one that their endings say: ndjson, csv, avro, cdr, goflow2',
    )
    .option('--terminals <file>', 'whose an address was, and when: for flows of goflow2 (CSV: prefix,from,to,msisdn)')
    .option('--subscribers <file>', 'MSISDNs of CDRs that have an IMSI only (CSV: imsi,from,to,msisdn)');
}

/** The configuration of a command with `withSourceOptions`. Throws a ConfigError with a line for each fault. */
export function readSourceConfig(options: ConfigOptions): Config {
  // A configuration has to name a catalogue; this one is not looked at.
  return readConfig(options.config === undefined ? { ...options, catalogue: 'as booked' } : options);
}

/** The whole configuration. Throws a ConfigError with a line for each fault. */
export function readConfig(options: ConfigOptions): Config {
  const { config: file, catalogue, source, format, terminals, subscribers, store, final, rewritten } = options;
  const overrides: ConfigOverrides = {
    catalogue,
    source: { files: source, format, final, rewritten, goflow2: { terminals }, cdr: { subscribers } },
    store: { dir: store },
  };
  const loaded = loadConfig({ file, env: process.env, overrides, readFile: (path) => readFileSync(path, 'utf8') });
  if (loaded.faults !== undefined) throw new ConfigError(loaded.faults.map(formatFault));
  writeConfigWarnings(loaded.warnings);
  return loaded.config;
}

/** The catalogue file and its parts, compiled. Throws a ConfigError with a line for each fault. */
export function readCatalogue(path: string): Catalogue {
  if (!existsSync(path)) throw new ConfigError(`${path}: no such catalogue; name the file of one`);
  const parsed = loadCatalogue(path);
  if (parsed.faults !== undefined) throw new ConfigError(parsed.faults.map(formatFault));
  return parsed.catalogue;
}

/** Where the catalogue is: `--catalogue` names it, otherwise the configuration file. */
export function readCataloguePath({ config, catalogue }: Pick<ConfigOptions, 'config' | 'catalogue'>): string {
  if (catalogue !== undefined) return catalogue;
  if (config !== undefined) return readConfig({ config }).catalogue;
  throw new ConfigError('which catalogue? Name it with --catalogue FILE or --config FILE');
}

/** The sponsor that `--sponsor` names, from the catalogue. Throws a ConfigError when it has none of that name. */
export function readSponsor(options: Pick<ConfigOptions, 'config' | 'catalogue'> & { sponsor: string }): Sponsor {
  const path = readCataloguePath(options);
  const { sponsors } = readCatalogue(path);
  const sponsor = sponsors.find(({ id }) => id === options.sponsor);
  if (sponsor !== undefined) return sponsor;
  const nearest = suggestion(
    options.sponsor,
    sponsors.map(({ id }) => id),
  );
  throw new ConfigError(`${path}: has no sponsor "${options.sponsor}"${nearest}`);
}

/** Only the store: `--store` names an embedded one, otherwise the configuration file says which. */
export function readStoreConfig({ config, store }: Pick<ConfigOptions, 'config' | 'store'>): Config['store'] {
  if (store !== undefined) return { dir: resolve(store) };
  if (config !== undefined) return readConfig({ config }).store;
  throw new ConfigError('which store? Name it with --store DIRECTORY or --config FILE');
}

export type KeyOptions = Pick<ConfigOptions, 'config' | 'store'>;

/** The configuration of a command that needs the pseudonym key, and with `withStore` a store: neither source nor catalogue. */
export function readKeyConfig({ config, store }: KeyOptions, { withStore = false } = {}): Config {
  if (config !== undefined) return readConfig({ config, ...(store !== undefined && { store }) });
  const { ZERORATE_PSEUDONYM_KEY: key, ZERORATE_PSEUDONYM_KEY_FILE: file } = process.env;
  if (store === undefined && (withStore || !(key || file))) {
    throw new ConfigError(`which ${withStore ? 'store' : 'key'}? Name it with --store DIRECTORY or --config FILE`);
  }
  // A configuration has to name these; they are not looked at.
  return readConfig({ store: store ?? '.', catalogue: 'as booked', source: ['as booked'] });
}
