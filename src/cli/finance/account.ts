import type { Command } from 'commander';
import * as z from 'zod';
import { readSponsor, readStoreConfig } from '../../engine/assembly/read-config.ts';
import {
  checkEntry,
  describeEntry,
  type EntryKind,
  type EntryRequest,
  isMoney,
} from '../../finance/accounts/account-entry.ts';
import { bookEntry } from '../../finance/accounts/book-entry.ts';
import { systemClock } from '../../platform/clock.ts';
import { ConfigError } from '../../platform/config/config-error.ts';
import { openAccounts, operator } from './account-booking.ts';
import { bookBankStatement } from './account-payments.ts';
import { registerAccountShow } from './account-show.ts';
import { registerAccountWatch } from './account-watch.ts';

interface BookingOptions {
  config?: string;
  store?: string;
  catalogue?: string;
  sponsor: string;
  amount?: string;
  currency?: string;
  key: string;
  who?: string;
  why: string;
  effective?: string;
}

const BOOKINGS: Readonly<Record<string, { kind: EntryKind; what: string }>> = {
  'top-up': { kind: 'top-up', what: 'credit what a sponsor has paid ahead' },
  adjust: { kind: 'adjustment', what: 'credit an amount, or take it back when it is below 0' },
  rebate: { kind: 'rebate', what: 'credit a rebate' },
  suspend: { kind: 'suspension', what: 'stop sponsoring: no batch that an engine begins from now on is charged' },
  resume: { kind: 'resumption', what: 'end a sponsor’s suspension' },
};

export function registerAccount(program: Command): void {
  const account = program
    .command('account')
    .description('post to a sponsor’s account, suspend or resume the sponsor, show the account, watch credit limits')
    .addHelpText(
      'after',
      `
Examples:
  $ zerorate account top-up --sponsor chatter --amount 100.00 --currency USD --key bank-4711 --why "transfer of 2 November" \\
      --catalogue catalogue.yaml --store ./zerorate-data
  $ zerorate account suspend --sponsor chatter --key legal-17 --why "contract ended" --config zerorate.yaml
  $ zerorate account show --sponsor chatter --config zerorate.yaml
  $ zerorate account watch --once --config zerorate.yaml

A key is booked once: the same command again changes nothing, and another content under it is refused.`,
    );
  for (const [name, { kind, what }] of Object.entries(BOOKINGS)) registerBooking(account, name, kind, what);
  registerPayment(account);
  registerAccountShow(account);
  registerAccountWatch(account);
}

function registerBooking(account: Command, name: string, kind: EntryKind, what: string): void {
  const command = withBookingOptions(account.command(name).description(what))
    .requiredOption('--sponsor <id>', 'whose account')
    .requiredOption('--key <text>', 'the idempotency key: what is booked once under it')
    .requiredOption('--why <text>', 'the reason, for the statement');
  if (isMoney(kind)) {
    command
      .requiredOption(
        '--amount <decimal>',
        kind === 'adjustment'
          ? 'in units of the currency, at most 6 decimals, as -2.50'
          : 'in units of the currency, with no more decimals than it has, as 100.00',
      )
      .requiredOption('--currency <code>', 'the sponsor’s, ISO 4217');
  }
  command.action((options: BookingOptions) => book(kind, options));
}

/** One payment by its options, or all that a bank statement holds. */
function registerPayment(account: Command): void {
  withBookingOptions(
    account
      .command('payment')
      .description('credit what a sponsor has paid of a statement, or a bank statement’s payments'),
  )
    .option('--sponsor <id>', 'whose account')
    .option('--key <text>', 'the idempotency key: what is booked once under it')
    .option('--why <text>', 'the reason, for the statement')
    .option('--amount <decimal>', 'in units of the currency, with no more decimals than it has, as 100.00')
    .option('--currency <code>', 'the sponsor’s, ISO 4217')
    .option('--camt053 <file>', 'a bank statement, ISO 20022 camt.053: books each credit that names a sponsor, once')
    .option('--dry-run', 'with --camt053: say what would be booked, and book nothing')
    .addHelpText(
      'after',
      `
Examples:
  $ zerorate account payment --sponsor chatter --amount 100.00 --currency USD --key bank-4712 --why "invoice 2026-10" \\
      --config zerorate.yaml
  $ zerorate account payment --camt053 statement.xml --dry-run --config zerorate.yaml

A credit of a bank statement is matched to a sponsor by the invoice number that it names, else by the account that paid (bankAccounts
in the catalogue) or the sponsor's id in its remittance. A credit without a match is listed and not booked: exit code 1.`,
    )
    .action((options: PaymentOptions) => {
      if (options.camt053 !== undefined) return bookBankStatement(options, options.camt053);
      if (options.dryRun === true) throw new ConfigError('--dry-run: is for --camt053 FILE');
      return book('payment', required(options));
    });
}

type PaymentOptions = Partial<Pick<BookingOptions, 'sponsor' | 'key' | 'why'>> &
  Omit<BookingOptions, 'sponsor' | 'key' | 'why'> & { camt053?: string; dryRun?: boolean };

function required(options: PaymentOptions): BookingOptions {
  const { sponsor, key, why } = options;
  const missing = (['sponsor', 'amount', 'currency', 'key', 'why'] as const).filter(
    (name) => options[name] === undefined,
  );
  if (missing.length > 0 || sponsor === undefined || key === undefined || why === undefined) {
    throw new ConfigError(`a payment needs ${missing.map((name) => `--${name}`).join(', ')}; or --camt053 FILE`);
  }
  return { ...options, sponsor, key, why };
}

function withBookingOptions(command: Command): Command {
  return command
    .option('--who <name>', 'who books it (default: the user of the operating system)')
    .option('--effective <instant>', 'when it took effect, ISO 8601 with its offset (default: now)')
    .option('-c, --config <file>', 'the configuration that names the store and the catalogue')
    .option('--store <directory>', 'directory of the embedded store')
    .option('--catalogue <file>', 'the catalogue');
}

async function book(kind: EntryKind, options: BookingOptions): Promise<void> {
  const sponsor = readSponsor(options);
  const checked = checkEntry(entryRequest(kind, options), sponsor, systemClock.nowMs());
  if (checked.refusal !== undefined) throw new ConfigError(checked.refusal.message);
  const { entry } = checked;
  const store = await openAccounts(readStoreConfig(options));
  try {
    const { outcome, number, refusal } = await bookEntry(store, entry, systemClock);
    if (outcome === 'refused') throw new ConfigError(refusal.message);
    const line = outcome === 'booked' ? `booked as entry ${number}` : `is entry ${number} already; nothing to do`;
    process.stdout.write(`${describeEntry(entry)}: ${line}\n`);
  } finally {
    await store.close();
  }
}

function entryRequest(kind: EntryKind, options: BookingOptions): EntryRequest {
  const { amount, currency, key, who = operator(), why, effective } = options;
  return {
    kind,
    idempotencyKey: key,
    who,
    why,
    ...(amount === undefined ? {} : { amount }),
    ...(currency === undefined ? {} : { currency }),
    ...(effective === undefined ? {} : { effectiveAtMs: instant(effective) }),
  };
}

/** A time without an offset would mean another instant on another machine. */
function instant(text: string): number {
  if (!z.iso.datetime({ offset: true }).safeParse(text).success) {
    throw new ConfigError(`--effective ${text}: expected a time with its offset, as 2026-11-02T00:00:00Z`);
  }
  return Date.parse(text);
}
