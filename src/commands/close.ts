import type { Command } from 'commander';
import { formatMicros } from '../billing/money.ts';
import { closeMonth } from '../finance/close-month.ts';
import { readStatement } from '../finance/statement.ts';
import { statementJson } from '../finance/statement-document.ts';
import { migrate } from '../journal/migrate.ts';
import { systemClock } from '../platform/clock.ts';
import { ConfigError } from '../platform/config-error.ts';
import { packagePath } from '../platform/package-paths.ts';
import { grouped } from '../platform/print-table.ts';
import { type MonthOptions, requireMonth, withMonthOptions } from './finance-options.ts';
import { configuredSigningKey, writeSignedJson } from './load-signing-key.ts';
import { openStore } from './open-store.ts';
import { readStoreConfig } from './read-config.ts';

type CloseOptions = MonthOptions & { who: string; out?: string; signingKey?: string };

export function registerClose(program: Command): void {
  withMonthOptions(program.command('close'))
    .description('close a month of a sponsor: its statement never changes again, what comes later is an adjustment')
    .requiredOption('--who <name>', 'who closes it')
    .option('--out <file>', 'write the closed statement as JSON, signed as FILE.jws where a signing key is configured')
    .option('--signing-key <file>', 'sign it with this key; by default the configured key')
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
  // Before anything is booked: with a key that cannot be read, no month is closed.
  const key = configuredSigningKey(options);
  if (options.signingKey !== undefined && options.out === undefined) {
    throw new ConfigError('--signing-key: signs the closed statement in a file; name it with --out FILE.json');
  }
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
    if (options.out !== undefined) {
      const statement = await readStatement(store, options.sponsor, month);
      await writeSignedJson(options.out, `${statementJson(statement)}\n`, key);
      process.stdout.write(`${options.out}: ${key === null ? 'not signed' : `signed by key ${key.keyId}`}\n`);
    }
  } finally {
    await store.close();
  }
}
