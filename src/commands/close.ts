import type { Command } from 'commander';
import { formatMicros } from '../billing/money.ts';
import { closeMonth } from '../finance/close-month.ts';
import { migrate } from '../journal/migrate.ts';
import { systemClock } from '../platform/clock.ts';
import { ConfigError } from '../platform/config-error.ts';
import { packagePath } from '../platform/package-paths.ts';
import { grouped } from '../platform/print-table.ts';
import { type MonthOptions, requireMonth, withMonthOptions } from './finance-options.ts';
import { openStore } from './open-store.ts';
import { readStoreConfig } from './read-config.ts';

type CloseOptions = MonthOptions & { who: string };

export function registerClose(program: Command): void {
  withMonthOptions(program.command('close'))
    .description('close a month of a sponsor: its statement never changes again, what comes later is an adjustment')
    .requiredOption('--who <name>', 'who closes it')
    .addHelpText(
      'after',
      `
Example:
  $ zerorate close --sponsor chatter --month 2026-10 --who "Ada, finance" --store ./zerorate-data

Months are closed in order, once they are over (UTC). To close one again changes nothing.`,
    )
    .action(close);
}

async function close(options: CloseOptions): Promise<void> {
  const month = requireMonth(options.month);
  if (options.who.trim() === '') throw new ConfigError('--who: expected a name');
  const store = await openStore(readStoreConfig(options), { create: false, readOnly: false });
  try {
    await migrate(store, packagePath('schemas/clickhouse'));
    const closed = await closeMonth(store, {
      sponsorId: options.sponsor,
      month,
      who: options.who,
      nowMs: systemClock.nowMs(),
    });
    if (closed.outcome === 'refused') throw new ConfigError(`${closed.message} [${closed.reason}]`);
    const { closing } = closed;
    const total = formatMicros(closing.chargeMicros + closing.adjustmentMicros, closing.currency);
    process.stdout.write(
      closed.outcome === 'already_closed'
        ? `${month} of ${options.sponsor} was closed by ${closing.who} at ${closing.closedAt}: nothing was booked\n`
        : `${month} of ${options.sponsor} is closed: ${grouped(closing.records)} records, ${total}, ` +
            `balance ${formatMicros(closing.closingMicros, closing.currency)}, Merkle root ${closing.merkleRoot}\n`,
    );
  } finally {
    await store.close();
  }
}
