import { type Command, Option } from 'commander';
import { readCatalogue, readStoreConfig } from '../../engine/assembly/read-config.ts';
import { sponsorIn } from '../../finance/corrections/rerate.ts';
import { type WhatIf, whatIf } from '../../finance/corrections/what-if.ts';
import { openStore } from '../../journal/open-store.ts';
import type { Catalogue } from '../../rating/catalogue.ts';
import { Rules } from '../../rating/rules.ts';
import { type RangeOptions, readRange, withRangeOptions } from '../period-range.ts';
import {
  DIFFERENCE_FORMATS,
  type DifferenceFormat,
  printDifference,
  ratingProgress,
  UNSPONSORED_STAY,
} from './print-difference.ts';

interface SimulateOptions extends RangeOptions {
  sponsor?: string;
  catalogue: string;
  config?: string;
  store?: string;
  format: DifferenceFormat;
}

export function registerSimulate(program: Command): void {
  withRangeOptions(program.command('simulate'))
    .description(
      'price history under a draft catalogue (what-if); shows the difference by sponsor, plan and day, books nothing',
    )
    .requiredOption('--catalogue <file>', 'the draft')
    .option('--sponsor <id>', 'only this sponsor’s charges; by default those of all sponsors')
    .option('-c, --config <file>', 'the configuration that names the store')
    .option('--store <directory>', 'directory of the embedded store')
    .addOption(new Option('--format <format>', 'of the difference').choices(DIFFERENCE_FORMATS).default('table'))
    .addHelpText(
      'after',
      `
Examples:
  $ zerorate simulate --catalogue draft.yaml --from 2026-10-01 --to 2026-11-01 --store ./zerorate-data
  $ zerorate simulate --catalogue draft.yaml --from 2026-10-01 --to 2026-11-01 --store ./zerorate-data --format csv

For applications that stay with their sponsor the difference is what \`rerate\` would book; if the draft gives an application to another
sponsor, its charges move there. Applications that the draft cannot be applied to are named, the rest is shown, and the exit code is 1. A day is the day of use, UTC.
Flat fees, minimum commitments and volume rebates (monthlyTerms) are not included, and are named.
${UNSPONSORED_STAY}`,
    )
    .action(simulate);
}

async function simulate(options: SimulateOptions): Promise<void> {
  const result = await priceHistory(options);
  printDifference(result.lines, ['sponsor', 'plan', 'day'], options.format, notIncludedJson(result));
  if (options.format === 'table') process.stdout.write(`${UNSPONSORED_STAY}\n`);
  nameNotIncluded(result);
}

/** A what-if, and the draft's monthly terms by name and version: what they bill is not in it. */
interface PricedHistory extends WhatIf {
  termsNotIncluded: string[];
}

/** Returns what a draft would change in what is booked. */
export async function priceHistory(options: Omit<SimulateOptions, 'format'>): Promise<PricedHistory> {
  const rules = new Rules(readCatalogue(options.catalogue));
  const range = readRange(options);
  const store = await openStore(readStoreConfig(options), { create: false });
  const progress = ratingProgress();
  try {
    const result = await whatIf(store, rules, { sponsorId: options.sponsor ?? null, range }, progress);
    if (options.sponsor !== undefined && result.lines.length + result.refused.length === 0)
      sponsorIn(rules.catalogue, options.sponsor);
    return { ...result, termsNotIncluded: termsOf(rules.catalogue, options.sponsor) };
  } finally {
    progress.end();
    await store.close();
  }
}

function termsOf({ monthlyTerms = [] }: Catalogue, sponsorId: string | undefined): string[] {
  const own = monthlyTerms.filter((terms) => sponsorId === undefined || terms.sponsorId === sponsorId);
  return own.map(({ id, version }) => `${id} version ${version}`);
}

/** What the JSON has beside lines and totals. */
export function notIncludedJson({ refused, termsNotIncluded }: PricedHistory): Partial<PricedHistory> {
  return { ...(refused.length > 0 && { refused }), ...(termsNotIncluded.length > 0 && { termsNotIncluded }) };
}

/**
 * Names what is not included on standard error: monthly terms, and the applications that the draft cannot be applied to. These set the
 * exit code.
 */
export function nameNotIncluded({ lines, refused, termsNotIncluded }: PricedHistory): void {
  if (termsNotIncluded.length > 0) {
    process.stderr.write(
      `monthly terms are not included, as fees, shortfalls and rebates are of whole months: ${termsNotIncluded.join(', ')}\n`,
    );
  }
  for (const { applicationId, reason } of refused) {
    process.stderr.write(`application ${applicationId} is in no line: ${reason}\n`);
  }
  if (refused.length > 0) process.exitCode = lines.length === 0 ? 2 : 1;
}
