import { type Command, Option } from 'commander';
import { readCatalogue, readStoreConfig } from '../../engine/assembly/read-config.ts';
import { dayText } from '../../finance/calendar-day.ts';
import { bookCorrection, type CorrectionResult } from '../../finance/corrections/book-correction.ts';
import type { CorrectionRequest } from '../../finance/corrections/corrections.ts';
import type { Difference } from '../../finance/corrections/difference.ts';
import type { ChargeSelection } from '../../finance/corrections/log-spans.ts';
import { rerate, sponsorIn } from '../../finance/corrections/rerate.ts';
import { openForBooking, openStore } from '../../journal/open-store.ts';
import { systemClock } from '../../platform/clock.ts';
import { ConfigError } from '../../platform/config/config-error.ts';
import { counted, grouped } from '../../platform/telemetry/terminal-output.ts';
import { Rules } from '../../rating/rules.ts';
import { type RangeOptions, readRange, withRangeOptions } from '../period-range.ts';
import {
  DIFFERENCE_FORMATS,
  type DifferenceFormat,
  linesOf,
  printDifference,
  ratingProgress,
  UNSPONSORED_STAY,
} from './print-difference.ts';

interface RerateOptions extends RangeOptions {
  sponsor: string;
  catalogue: string;
  config?: string;
  store?: string;
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
    .option('-c, --config <file>', 'the configuration that names the store')
    .option('--store <directory>', 'directory of the embedded store')
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

Whole statistics periods are rated again, and only what changes is booked. ${UNSPONSORED_STAY}`,
    )
    .action(run);
}

async function run(options: RerateOptions): Promise<void> {
  const rules = new Rules(readCatalogue(options.catalogue));
  const { currency } = sponsorIn(rules.catalogue, options.sponsor);
  const selection = { sponsorId: options.sponsor, range: readRange(options) };
  const request = options.book === true ? readRequest(selection, options) : null;
  const print = (difference: Difference) => {
    printDifference(linesOf(difference, selection.sponsorId, currency), ['plan', 'version', 'month'], options.format);
    say(options, UNSPONSORED_STAY);
  };
  const config = readStoreConfig(options);
  const store =
    request === null
      ? await openStore(config, { create: false })
      : (await openForBooking(config, { create: false })).store;
  const progress = ratingProgress();
  try {
    if (request === null) {
      const difference = await rerate(store, rules, selection, progress);
      progress.end();
      print(difference);
      say(options, `${changedText(difference)}; nothing was booked: --book with --name, --who and --why books it`);
      return;
    }
    const result = await bookCorrection(store, rules, request, systemClock, progress);
    progress.end();
    if ('difference' in result) print(result.difference);
    say(options, resultText(result, request));
    if (result.outcome === 'fenced') process.exitCode = 1;
  } finally {
    progress.end();
    await store.close();
  }
}

function readRequest(selection: ChargeSelection, { name, who, why }: RerateOptions): CorrectionRequest {
  const missing = Object.entries({ name, who, why }).filter(([, text]) => text === undefined || text.trim() === '');
  if (missing.length > 0) {
    throw new ConfigError(
      `--book needs ${missing.map(([option]) => `--${option}`).join(', ')}: a correction says whose it is`,
    );
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
