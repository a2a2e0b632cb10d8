import { type Command, InvalidArgumentError } from 'commander';
import { readCatalogue } from '../../engine/assembly/read-config.ts';
import type { GenerateOptions } from '../../generator/generate-options.ts';
import type { GeneratedTotals } from '../../generator/generated-totals.ts';
import { type GeneratedFileFormat, generateToFile } from '../../generator/write-records.ts';
import { ConfigError } from '../../platform/config/config-error.ts';
import { packagePath } from '../../platform/package-paths.ts';
import { createLogger } from '../../platform/telemetry/logger.ts';
import { counted, grouped, Progress } from '../../platform/telemetry/terminal-output.ts';

interface GenerateFlags {
  out: string;
  format?: GeneratedFileFormat;
  catalogue: string;
  seed: number;
  records: number;
  subscribers: number;
  nodes: number;
  from: number;
  to: number;
  tagged: number;
  ipMatched: number;
  identified: number;
  unmatched: number;
  malformed: number;
  duplicate: number;
  conflicting: number;
  late: number;
  gaps: number;
}

export function registerGenerate(program: Command): void {
  const command = program
    .command('generate')
    .description('write synthetic flow records; the same seed and options give the same file')
    .requiredOption('--out <file>', 'file to write (.ndjson, .csv, .avro, each also .gz)')
    .option('--format <format>', 'ndjson, csv or avro, where the file’s name does not say it')
    .option(
      '--catalogue <file>',
      'whose tags, prefixes and identities to use',
      packagePath('fixtures/demo/catalogue.yaml'),
    )
    .option('--seed <number>', 'seed of everything random', wholeNumber, 1)
    .option('--records <number>', 'records to write', wholeNumber, 100_000)
    .option('--subscribers <number>', 'subscribers, of skewed activity', wholeNumber, 10_000)
    .option('--nodes <number>', 'gateways, each with its own sequence numbers', wholeNumber, 4)
    .option('--from <time>', 'first instant of usage, ISO 8601', instant, Date.UTC(2026, 9, 1))
    .option('--to <time>', 'end of usage, ISO 8601', instant, Date.UTC(2026, 10, 1));
  share(command, 'tagged', 'with a tag only', 0.25);
  share(command, 'ip-matched', 'with a proxy address only', 0.25);
  share(command, 'identified', 'with an identity of a CDR only', 0);
  share(command, 'unmatched', 'with none of them; the rest has tag and address', 0.2);
  share(command, 'malformed', 'that cannot be rated', 0);
  share(command, 'duplicate', 'that repeat an earlier record', 0);
  share(command, 'conflicting', 'that repeat an identity with other content', 0);
  share(command, 'late', 'used in a month before', 0);
  share(command, 'gaps', 'before which a node skips sequence numbers', 0);
  command
    .addHelpText(
      'after',
      `
Examples:
  $ zerorate generate --out flows.ndjson --records 1000000 --malformed 0.01 --duplicate 0.01
  $ zerorate generate --out flows.avro --seed 7 --catalogue catalogue.yaml --late 0.02`,
    )
    .action(async (flags: GenerateFlags) => {
      const totals = await generateFile(flags);
      process.stdout.write(`${formatTotals(flags.out, flags.seed, totals)}\n`);
    });
}

async function generateFile({ out, format, catalogue, from, to, ...rest }: GenerateFlags): Promise<GeneratedTotals> {
  const options: GenerateOptions = {
    ...rest,
    startTimeMs: from,
    endTimeMs: to,
    targets: readCatalogue(catalogue).applications,
  };
  const logger = createLogger({ level: 'info', format: 'json' });
  const progress = new Progress(process.stderr, (fields, message) => logger.info(fields, message));
  try {
    return await generateToFile({
      path: out,
      ...(format === undefined ? {} : { format }),
      options,
      onProgress: (records) => progress.report({ label: 'writing', records, fraction: records / rest.records }),
    });
  } finally {
    progress.end();
  }
}

export function formatTotals(path: string, seed: number, totals: GeneratedTotals): string {
  const { records, valid, malformed, duplicates, conflicting, late } = totals;
  return (
    `${path}: ${counted(records, 'record')} of seed ${seed}: ${grouped(valid)} valid (${grouped(late)} late), ` +
    `${grouped(malformed)} malformed, ${grouped(duplicates)} duplicates, ${grouped(conflicting)} conflicting`
  );
}

function share(command: Command, name: string, what: string, byDefault: number): void {
  command.option(`--${name} <share>`, `share of records ${what}, 0 to 1`, fraction, byDefault);
}

function wholeNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('expected a whole number');
  return Number(text);
}

function fraction(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !(value >= 0 && value <= 1))
    throw new InvalidArgumentError('expected a number from 0 to 1');
  return value;
}

function instant(text: string): number {
  const timeMs = Date.parse(text);
  if (Number.isNaN(timeMs)) throw new ConfigError(`${text}: expected a time like 2026-10-01T00:00:00Z`);
  return timeMs;
}
