import { type Command, InvalidArgumentError } from 'commander';
import { readStoreConfig } from '../../engine/assembly/read-config.ts';
import { type ReversedSums, reverseRecycling } from '../../finance/corrections/reverse-recycling.ts';
import { openForBooking } from '../../journal/open-store.ts';
import { systemClock } from '../../platform/clock.ts';
import { ConfigError } from '../../platform/config/config-error.ts';
import { counted, grouped } from '../../platform/telemetry/terminal-output.ts';
import { formatMicros } from '../../rating/money.ts';

interface ReverseOptions {
  config?: string;
  store?: string;
  name?: string;
  who?: string;
  why?: string;
  dryRun?: boolean;
}

export function registerReverse(rejections: Command): void {
  rejections
    .command('reverse')
    .argument('<number>', 'number of the recycling', wholeNumber)
    .description('take a recycling back: a numbered correction that reverses the charges of its records')
    .option('-c, --config <file>', 'the configuration that names the store')
    .option('--store <directory>', 'directory of the embedded store')
    .option('--name <name>', 'name of the correction, unique among all corrections')
    .option('--who <who>', 'who takes it back')
    .option('--why <why>', 'and why')
    .option('--dry-run', 'show what would be taken back; book nothing')
    .addHelpText(
      'after',
      `
Examples:
  $ zerorate rejections reverse 7 --dry-run --store ./zerorate-data
  $ zerorate rejections reverse 7 --name recycling-7 --who ada --why "gateway 7 counted in kB after all" --store ./zerorate-data

The reversals are rows of the statement, its export and its proof. The engine's counters stay as they were booked; charges of other
records change only when the period is rated again (\`rerate\`). The rejections are in \`rejections list\` again.`,
    )
    .action(reverse);
}

async function reverse(recycling: number, options: ReverseOptions): Promise<void> {
  const { name = '', who = '', why = '', dryRun = false } = options;
  const missing = Object.entries({ name, who, why }).filter(([, text]) => text.trim() === '');
  if (!dryRun && missing.length > 0) {
    throw new ConfigError(`a correction needs ${missing.map(([option]) => `--${option}`).join(', ')}, or --dry-run`);
  }
  const { store } = await openForBooking(readStoreConfig(options), { create: false });
  try {
    const result = await reverseRecycling(store, { recycling, name, who, why }, dryRun ? null : systemClock);
    for (const sums of 'sums' in result ? result.sums : []) process.stdout.write(`${sumsText(sums)}\n`);
    const said = {
      booked: () =>
        `recycling ${recycling} is reversed as correction ${'number' in result ? result.number : ''}, ${name}`,
      repeated: () =>
        `correction ${'number' in result ? result.number : ''}, ${name}, has reversed it: nothing was booked`,
      preview: () => 'nothing was booked: without --dry-run it is',
    }[result.outcome]();
    process.stdout.write(`${said}\n`);
  } finally {
    await store.close();
  }
}

function sumsText({ sponsorId, currency, records, sponsoredOctets, chargeMicros }: ReversedSums): string {
  return `${sponsorId}: ${counted(records, 'charge')} of ${formatMicros(chargeMicros)} ${currency}, ${grouped(sponsoredOctets)} sponsored octets`;
}

function wholeNumber(text: string): number {
  if (!/^[1-9]\d{0,14}$/.test(text)) throw new InvalidArgumentError('expected the number of a recycling');
  return Number(text);
}
