import { userInfo } from 'node:os';
import type { Command } from 'commander';
import * as z from 'zod';
import { checkEntry, describeEntry, type EntryKind, type EntryRequest, isMoney } from '../finance/account-entry.ts';
import { bookEntry } from '../finance/book-entry.ts';
import { migrate } from '../journal/migrate.ts';
import { systemClock } from '../platform/clock.ts';
import type { Config } from '../platform/config.ts';
import { ConfigError } from '../platform/config-error.ts';
import { packagePath } from '../platform/package-paths.ts';
import type { Store } from '../platform/store.ts';
import { registerAccountShow } from './account-show.ts';
import { registerAccountWatch } from './account-watch.ts';
import { openStore } from './open-store.ts';
import { readSponsor, readStoreConfig } from './read-config.ts';

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
  payment: { kind: 'payment', what: 'credit what a sponsor has paid of a statement' },
  adjust: { kind: 'adjustment', what: 'credit an amount, or take it back when it is below 0' },
  rebate: { kind: 'rebate', what: 'credit a rebate' },
  suspend: { kind: 'suspension', what: 'stop sponsoring: no batch that an engine begins from now on is charged' },
  resume: { kind: 'resumption', what: 'let a suspended sponsor go on' },
};

export function registerAccount(program: Command): void {
  const account = program
    .command('account')
    .description('a sponsor’s account: book credits, suspend and resume, show it, watch credit limits')
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
  registerAccountShow(account);
  registerAccountWatch(account);
}

function registerBooking(account: Command, name: string, kind: EntryKind, what: string): void {
  const command = account
    .command(name)
    .description(what)
    .requiredOption('--sponsor <id>', 'whose account')
    .requiredOption('--key <text>', 'the idempotency key: what is booked once under it')
    .requiredOption('--why <text>', 'the reason, for the statement')
    .option('--who <name>', 'who books it (default: the user of the operating system)')
    .option('--effective <instant>', 'when it took effect, ISO 8601 with its offset (default: now)')
    .option('-c, --config <file>', 'the configuration that names the store and the catalogue')
    .option('--store <directory>', 'directory of the embedded store')
    .option('--catalogue <file>', 'the catalogue');
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

async function book(kind: EntryKind, options: BookingOptions): Promise<void> {
  const sponsor = readSponsor(options);
  const checked = checkEntry(entryRequest(kind, options), sponsor, systemClock.nowMs());
  if (checked.refusal !== undefined) throw new ConfigError(checked.refusal.message);
  const { entry } = checked;
  const store = await openForBooking(readStoreConfig(options));
  try {
    const { outcome, number, refusal } = await bookEntry(store, entry, systemClock);
    if (outcome === 'refused') throw new ConfigError(refusal.message);
    const line =
      outcome === 'booked' ? `booked as entry ${number}` : `stands as entry ${number} already; nothing to do`;
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

/** A sponsor may pay before its first record comes: what `run` would make is made here, and said. */
async function openForBooking(config: Config['store']): Promise<Store> {
  const store = await openStore(config, { create: true });
  try {
    const migrations = await migrate(store, packagePath('schemas/clickhouse'));
    if (migrations.some((name) => name.startsWith('0001'))) {
      process.stderr.write(`${config.dir ?? `${config.url} ${config.database}`}: made a new store\n`);
    }
    return store;
  } catch (error) {
    await store.close();
    throw error;
  }
}

function operator(): string {
  try {
    return userInfo().username;
  } catch {
    throw new ConfigError('who books this? The operating system has no name for its user; name one with --who NAME');
  }
}

/** A time without an offset would mean another instant on another machine. */
function instant(text: string): number {
  if (!z.iso.datetime({ offset: true }).safeParse(text).success) {
    throw new ConfigError(`--effective ${text}: expected a time with its offset, as 2026-11-02T00:00:00Z`);
  }
  return Date.parse(text);
}
