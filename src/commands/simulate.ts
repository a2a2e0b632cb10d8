import { type Command, Option } from 'commander';
import type { Catalogue } from '../billing/catalogue.ts';
import { Rules } from '../billing/rules.ts';
import { chargedSponsors } from '../finance/log-spans.ts';
import { rerate, sponsorIn } from '../finance/rerate.ts';
import { ConfigError } from '../platform/config-error.ts';
import { openStore } from './open-store.ts';
import { type RangeOptions, readRange, withRangeOptions } from './period-range.ts';
import {
  DIFFERENCE_FORMATS,
  type DifferenceFormat,
  linesOf,
  printDifference,
  ratingProgress,
  type SponsorLine,
  UNSPONSORED_STAY,
} from './print-difference.ts';
import { readCatalogue, readStoreConfig } from './read-config.ts';

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
      'what if: price history under a draft catalogue; shows the difference by sponsor, plan and day, books nothing',
    )
    .requiredOption('--catalogue <file>', 'the draft')
    .option('--sponsor <id>', 'only this sponsor’s charges; by default all that there are')
    .option('-c, --config <file>', 'the configuration that names the store')
    .option('--store <directory>', 'directory of the embedded store')
    .addOption(new Option('--format <format>', 'of the difference').choices(DIFFERENCE_FORMATS).default('table'))
    .addHelpText(
      'after',
      `
Examples:
  $ zerorate simulate --catalogue draft.yaml --from 2026-10-01 --to 2026-11-01 --store ./zerorate-data
  $ zerorate simulate --catalogue draft.yaml --from 2026-10-01 --to 2026-11-01 --store ./zerorate-data --format csv

It is what \`rerate\` would book. A day is the day of use, UTC. ${UNSPONSORED_STAY}`,
    )
    .action(run);
}

async function run(options: SimulateOptions): Promise<void> {
  const rules = new Rules(readCatalogue(options.catalogue));
  const range = readRange(options);
  if (options.sponsor !== undefined) sponsorIn(rules.catalogue, options.sponsor);
  const store = await openStore(readStoreConfig(options), { create: false });
  const progress = ratingProgress();
  try {
    const sponsorIds = options.sponsor === undefined ? await chargedSponsors(store, range) : [options.sponsor];
    refuseMissing(sponsorIds, rules.catalogue, options.catalogue);
    const lines: SponsorLine[] = [];
    for (const sponsorId of sponsorIds) {
      const { currency } = sponsorIn(rules.catalogue, sponsorId);
      lines.push(...linesOf(await rerate(store, rules, { sponsorId, range }, progress), sponsorId, currency));
    }
    progress.end();
    printDifference(lines, ['sponsor', 'plan', 'day'], options.format);
    if (options.format === 'table') process.stdout.write(`${UNSPONSORED_STAY}\n`);
  } finally {
    progress.end();
    await store.close();
  }
}

function refuseMissing(sponsorIds: readonly string[], { sponsors }: Catalogue, path: string): void {
  const missing = sponsorIds.filter((sponsorId) => sponsors.every(({ id }) => id !== sponsorId));
  if (missing.length === 0) return;
  throw new ConfigError(
    `${path}: has no sponsor ${missing.join(', ')}, and there are charges in these periods; add it, or name one with --sponsor`,
  );
}
