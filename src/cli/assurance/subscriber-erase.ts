import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { type KeyOptions, readKeyConfig } from '../../engine/assembly/read-config.ts';
import { requireUsable } from '../../engine/running/load-key.ts';
import { bookKeyHistory, compareKeyHistory, hasBookings } from '../../finance/key-history.ts';
import { openForBooking } from '../../journal/open-store.ts';
import type { Store } from '../../platform/clickhouse/store.ts';
import { systemClock } from '../../platform/clock.ts';
import { ConfigError } from '../../platform/config/config-error.ts';
import {
  developmentKey,
  erasedKey,
  formatPseudonymKey,
  parsePseudonymKey,
  type StoredPseudonymKey,
} from '../../platform/pseudonym-key.ts';
import { rewriteFile } from '../../platform/rewrite-file.ts';
import { PseudonymKey } from '../../rating/subscribers.ts';
import { eraseAtDispatch } from './erase-at-dispatch.ts';
import { eachAccount, requireAccount, requireImsi, requireMsisdn } from './subscriber-number.ts';

const FRESH_OCTETS = 32;

type EraseOptions = KeyOptions & { who: string; why: string; dispatch?: string[]; account?: string[] };

/** What is erased: a subscriber's numbers, and accounts. */
interface Erased {
  numbers: readonly string[];
  accounts: readonly string[];
}

export function registerErase(subscriber: Command): void {
  subscriber
    .command('erase')
    .argument(
      '[number...]',
      'the subscriber’s MSISDN, and after it the IMSI, or any other digits that records may have named',
    )
    .description(
      'make a subscriber’s or an account’s pseudonym irrecoverable: what is booked stays, and can no longer be traced to it',
    )
    .option(
      '--account <id>',
      'accountId of flow records, once for each account: its counters can no longer be traced to it. Its SIMs are not erased',
      eachAccount,
    )
    .requiredOption('--who <name>', 'who erases')
    .requiredOption('--why <text>', 'the reason, without anything that identifies the subscriber')
    .option('-c, --config <file>', 'the configuration that names the store and the key’s file')
    .option('--store <directory>', 'directory of the embedded store')
    .option(
      '--dispatch <file...>',
      'configuration of each dispatch server, dispatch.yaml: what it stores of the subscriber is removed first',
    )
    .addHelpText(
      'after',
      `
Examples:
  $ zerorate subscriber erase 999001960785 999990001960785 --who dpo --why "request 4711" --config zerorate.yaml
  $ zerorate subscriber erase 999001960785 --who dpo --why "request 4711" --store ./zerorate-data
  $ zerorate subscriber erase 999001960785 --who dpo --why "request 4711" --config zerorate.yaml --dispatch dispatch.yaml
  $ zerorate subscriber erase 999001960785 --account B-20417 --who dpo --why "request 4711" --config zerorate.yaml

A running dispatch server is asked through its operator interface, and ends the subscriber's sessions; of a stopped one the data directory
is rewritten. Name every dispatch server: once the key is rewritten its entries cannot be found by the number.

The same command again changes nothing, unless something was booked for the number since: then it is another subscriber's, and is
erased, too. With several stores under one key run it with the configuration of each.`,
    )
    .action((numbers: string[], _: unknown, command: Command) =>
      erase(numbers, command.optsWithGlobals<EraseOptions>()),
    );
}

async function erase(written: readonly string[], options: EraseOptions): Promise<void> {
  const { who, why, account: accounts = [] } = options;
  if (written.length + accounts.length === 0) throw new ConfigError('name an MSISDN, or an account with --account');
  const {
    msisdn: forms,
    pseudonymKey,
    pseudonymKeyFile,
    store: storeConfig,
  } = readKeyConfig(options, { withStore: true });
  const numbers = written.map((number, at) => (at === 0 ? requireMsisdn(number, forms) : requireImsi(number)));
  accounts.forEach(requireAccount);
  if ([who, why].some((text) => [...numbers, ...written, ...accounts].some((own) => text.includes(own)))) {
    throw new ConfigError(
      '--who and --why are kept: leave the number and the account out of them, and name the request instead',
    );
  }
  if (pseudonymKey !== null && pseudonymKeyFile === null) throw new ConfigError(FROM_VARIABLE);
  const { store } = await openForBooking(storeConfig, { create: false });
  try {
    const file = pseudonymKeyFile ?? (await developmentKey(storeConfig.dir ?? '')).path;
    const current = parsePseudonymKey(await readFile(file, 'utf8'), file);
    requireUsable(await compareKeyHistory(store, current.history));
    const before = new PseudonymKey(current.generations);
    for (const dispatch of numbers.length === 0 ? [] : (options.dispatch ?? [])) {
      process.stdout.write(`${await eraseAtDispatch(dispatch, numbers, before)}\n`);
    }
    const { key, isErased } = await eraseFromFile(file, store, { numbers, accounts }, { who, why });
    await bookKeyHistory(store, key.history, systemClock.nowMs());
    process.stdout.write(isErased ? report(file, key.history.length - 1) : ALREADY);
  } finally {
    await store.close();
  }
}

/** The file first: once it is rewritten, the next run of this command or the next start of an engine books what is not booked yet. */
async function eraseFromFile(
  file: string,
  store: Store,
  { numbers, accounts }: Erased,
  by: { who: string; why: string },
): Promise<{ key: StoredPseudonymKey; isErased: boolean }> {
  let stored: StoredPseudonymKey | undefined;
  let isErased = false;
  await rewriteFile(file, async (text) => {
    stored = parsePseudonymKey(text, file);
    requireUsable(await compareKeyHistory(store, stored.history));
    let key = new PseudonymKey(stored.generations);
    for (const number of numbers) {
      // Of an erased number only what was booked since can be another subscriber's.
      if (key.isErased(number) && !(await hasBookings(store, key.pseudonymOf(number)))) continue;
      key = key.erased(number, randomBytes(FRESH_OCTETS));
      isErased = true;
    }
    for (const accountId of accounts) {
      if (key.isAccountErased(accountId) && !(await hasBookings(store, key.pseudonymOfAccount(accountId)))) continue;
      key = key.accountErased(accountId, randomBytes(FRESH_OCTETS));
      isErased = true;
    }
    if (!isErased) return null;
    const erasedAt = new Date(systemClock.nowMs()).toISOString();
    stored = erasedKey(stored, key.generations, { erasedAt, ...by });
    return formatPseudonymKey(stored);
  });
  if (stored === undefined) throw new Error('a key file was rewritten without being read');
  return { key: stored, isErased };
}

const FROM_VARIABLE =
  'ZERORATE_PSEUDONYM_KEY: an erasure rewrites the key, and cannot rewrite a variable. Write the key to a file that only its ' +
  'owner can read, name it with pseudonymKey.file or ZERORATE_PSEUDONYM_KEY_FILE, unset the variable for every engine, and ' +
  'run this again';

const ALREADY = 'erased already, and nothing was booked for the number since; nothing to do\n';

function report(file: string, erasures: number): string {
  return `erased: ${file} is rewritten, erasure ${erasures} of this key. What is booked stays, and can no longer be traced to the subscriber.
What is left to do:
  - give the new key file to every engine and start it again: one that runs with the older key stops within seconds,
    and is refused from now on; a dispatch server that has the same file reloads it by itself
  - dispatch servers that --dispatch did not name still have the subscriber's sessions and reports, until reportLifetimeMs end
  - destroy every copy of the older key file: backups, snapshots, stores of secrets
  - run the same command with the configuration of every other store that is booked with this key
  - flow records name the subscriber until the retention of their topic, or their files, end
`;
}
