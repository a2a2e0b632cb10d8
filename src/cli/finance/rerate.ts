import { type Command, Option } from 'commander';
import {
  type ConfigOptions,
  readCatalogue,
  readSourceConfig,
  readStoreConfig,
} from '../../engine/assembly/read-config.ts';
import { dayText } from '../../finance/calendar-day.ts';
import { bookCorrection, type CorrectionResult } from '../../finance/corrections/book-correction.ts';
import type { CorrectionRequest } from '../../finance/corrections/corrections.ts';
import type { Difference } from '../../finance/corrections/difference.ts';
import type { ChargeSelection } from '../../finance/corrections/log-spans.ts';
import { rerate, sponsorIn } from '../../finance/corrections/rerate.ts';
import { type LeftOut, rerateFromSource } from '../../finance/corrections/rerate-from-source.ts';
import { openForBooking, openStore } from '../../journal/open-store.ts';
import { systemClock } from '../../platform/clock.ts';
import { ConfigError } from '../../platform/config/config-error.ts';
import { counted, grouped } from '../../platform/telemetry/terminal-output.ts';
import type { FlowFileFormat } from '../../rating/record/flow-file-format.ts';
import { Rules } from '../../rating/rules.ts';
import { type RangeOptions, readRange, withRangeOptions } from '../period-range.ts';
import { openBookedSource } from './open-booked-source.ts';
import {
  DIFFERENCE_FORMATS,
  type DifferenceFormat,
  linesOf,
  printDifference,
  ratingProgress,
  UNSPONSORED_STAY,
} from './print-difference.ts';
import { leftOutTexts, newlySponsoredTable, sourceJson } from './rerate-source.ts';

interface RerateOptions extends RangeOptions {
  sponsor: string;
  catalogue: string;
  config?: string;
  store?: string;
  fromSource?: boolean;
  source?: string[];
  sourceFormat?: FlowFileFormat;
  terminals?: string;
  subscribers?: string;
  name?: string;
  who?: string;
  why?: string;
  book?: boolean;
  format: DifferenceFormat;
}

export function registerRerate(program: Command): void {
  withRangeOptions(program.command('rerate').requiredOption('--sponsor <id>', 'whose charges'))
    .description('rate a sponsor’s charges again with another catalogue and show the difference; book it with --book')
    .requiredOption('--catalogue <file>', 'the catalogue to rate with')
    .option('-c, --config <file>', 'the configuration that names the store, and with --from-source the source')
    .option('--store <directory>', 'directory of the embedded store')
    .option(
      '--from-source',
      'read the booked records once more from their source, also those without a charge (implied by --source)',
    )
    .option('--source <path...>', 'the files or directories of flow records that were booked')
    .option(
      '--source-format <format>',
      'format of these files, instead of the one that their endings say: ndjson, csv, avro, cdr, goflow2',
    )
    .option('--terminals <file>', 'whose an address was, and when: for flows of goflow2 (CSV: prefix,from,to,msisdn)')
    .option('--subscribers <file>', 'MSISDNs of CDRs that have an IMSI only (CSV: imsi,from,to,msisdn)')
    .option('--book', 'book reversals and new charges as one correction; without it nothing is booked')
    .option('--name <name>', 'name of the correction, unique among all corrections')
    .option('--who <who>', 'who books it')
    .option('--why <why>', 'and why')
    .addOption(new Option('--format <format>', 'of the difference').choices(DIFFERENCE_FORMATS).default('table'))
    .addHelpText(
      'after',
      `
Examples:
  $ zerorate rerate --sponsor chatter --from 2026-10-01 --to 2026-11-01 --catalogue new.yaml --store ./zerorate-data
  $ zerorate rerate --sponsor chatter --from 2026-10-01 --to 2026-11-01 --catalogue new.yaml --store ./zerorate-data \\
      --book --name chatter-2026-10 --who ada --why "the price of the new contract"
  $ zerorate rerate --sponsor chatter --from 2026-10-01 --to 2026-11-01 --catalogue new.yaml --config zerorate.yaml --from-source

Whole statistics periods are rated again, and only what changes is booked. ${UNSPONSORED_STAY}
With --from-source application and evidence are decided again, too, and the result is what an engine would have charged that had this
catalogue from the beginning. If the source no longer has a booked record, or has another one in its place, nothing is booked. A period is
rated if it begins in the range: for a monthly plan --from is the first of a month, also where a list was wrong for a week only.`,
    )
    .action(run);
}

async function run(options: RerateOptions): Promise<void> {
  const rules = new Rules(readCatalogue(options.catalogue));
  sponsorIn(rules.catalogue, options.sponsor);
  const selection = { sponsorId: options.sponsor, range: readRange(options) };
  const request = options.book === true ? readRequest(selection, options) : null;
  const sourceConfig = isFromSource(options) ? readSourceConfig(sourceOptions(options)) : null;
  const config = sourceConfig?.store ?? readStoreConfig(options);
  const store =
    request === null
      ? await openStore(config, { create: false })
      : (await openForBooking(config, { create: false })).store;
  const progress = ratingProgress();
  const closing: (() => Promise<void>)[] = [];
  try {
    const openSource = sourceConfig === null ? null : () => openBookedSource(sourceConfig, store, closing);
    if (request === null) {
      const { difference, leftOut } =
        openSource === null
          ? { difference: await rerate(store, rules, selection, progress), leftOut: null }
          : await rerateFromSource(store, rules, selection, await openSource(), progress);
      progress.end();
      print(options, rules, difference, leftOut);
      say(options, `${changedText(difference)}; nothing was booked: --book with --name, --who and --why books it`);
      sayLeftOut(options, leftOut);
      return;
    }
    const watch = { onProgress: progress.onProgress, ...(openSource !== null && { openSource }) };
    const result = await bookCorrection(store, rules, request, systemClock, watch);
    progress.end();
    if ('difference' in result) print(options, rules, result.difference, result.leftOut);
    say(options, resultText(result, request));
    if ('leftOut' in result) sayLeftOut(options, result.leftOut);
    if (result.outcome === 'fenced') process.exitCode = 1;
  } finally {
    progress.end();
    for (const close of closing) await close();
    await store.close();
  }
}

function isFromSource({ fromSource, source, config, ...files }: RerateOptions): boolean {
  if (fromSource === true && source === undefined && config === undefined) {
    throw new ConfigError('--from-source needs a source: name files with --source, or the configuration with --config');
  }
  const isAsked = fromSource === true || source !== undefined;
  const unused = (['sourceFormat', 'terminals', 'subscribers'] as const).find((name) => files[name] !== undefined);
  if (!isAsked && unused !== undefined) {
    const option = unused === 'sourceFormat' ? '--source-format' : `--${unused}`;
    throw new ConfigError(`${option} is of a source that is read again: name its files with --source`);
  }
  return isAsked;
}

/** The catalogue that the configuration names is that of the engine; here it is not looked at. */
function sourceOptions({
  catalogue: _engines,
  format: _shown,
  sourceFormat,
  ...options
}: RerateOptions): ConfigOptions {
  return sourceFormat === undefined ? options : { ...options, format: sourceFormat };
}

function print(options: RerateOptions, { catalogue }: Rules, difference: Difference, leftOut: LeftOut | null): void {
  const { id, currency } = sponsorIn(catalogue, options.sponsor);
  const lines = linesOf(difference, id, currency);
  if (leftOut === null) {
    printDifference(lines, ['plan', 'version', 'month'], options.format);
    say(options, UNSPONSORED_STAY);
    return;
  }
  // A table has the newly sponsored by themselves, and not on every line.
  const keys = ['plan', 'version', 'month', ...(options.format === 'table' ? [] : (['newlyBy'] as const))] as const;
  printDifference(lines, keys, options.format, sourceJson(lines, leftOut));
  const newly = newlySponsoredTable(lines);
  if (newly !== null && options.format === 'table') say(options, newly);
}

/** Comes last, so that it is read: what the result does not have. */
function sayLeftOut(options: RerateOptions, leftOut: LeftOut | null): void {
  if (leftOut !== null) for (const text of leftOutTexts(leftOut)) say(options, text);
}

function readRequest(selection: ChargeSelection, { name, who, why }: RerateOptions): CorrectionRequest {
  const missing = Object.entries({ name, who, why }).filter(([, text]) => text === undefined || text.trim() === '');
  if (missing.length > 0) {
    throw new ConfigError(`--book needs ${missing.map(([option]) => `--${option}`).join(', ')}`);
  }
  return { ...selection, name: String(name), who: String(who), why: String(why) };
}

function resultText(result: CorrectionResult, { name }: CorrectionRequest): string {
  switch (result.outcome) {
    case 'booked':
      return `${changedText(result.difference)}; booked as correction ${result.number}, ${name}`;
    case 'unchanged':
      return `${changedText(result.difference)}; nothing was booked`;
    case 'repeated':
      return `correction ${result.number} is ${name} and has the same content: nothing was booked`;
    case 'fenced': {
      const what =
        result.by === 'closing'
          ? 'a month of the sponsor was closed'
          : `correction ${result.by.number}, ${result.by.name}, was booked for ${periodsText(result.by)}`;
      return `${what} while this one was made: nothing was booked; look at the difference again, then book it`;
    }
  }
}

function changedText({ changed, records }: Difference): string {
  if (records === 0) return 'no charges in these periods';
  return changed === 0
    ? `no charge changes: ${counted(records, 'record')} rated again`
    : `${grouped(changed)} of ${counted(records, 'record')} ${changed === 1 ? 'changes' : 'change'}`;
}

function periodsText({ range }: ChargeSelection): string {
  return `periods from ${dayText(range.fromDay)} to ${dayText(range.toDay)}`;
}

/** Beside a table; where the result is for a program, beside the result. */
function say({ format }: RerateOptions, text: string): void {
  const stream = format === 'table' ? process.stdout : process.stderr;
  stream.write(`${text}\n`);
}
