import type { Command } from 'commander';
import { readSponsor, readStoreConfig } from '../../engine/assembly/read-config.ts';
import { type AccountEntryRow, type AccountRow, accountQuery } from '../../finance/accounts/account.ts';
import { isSuspension } from '../../finance/accounts/account-entry.ts';
import { resumptionText, suspendedBy } from '../../finance/accounts/credit-rules.ts';
import { openStore } from '../../journal/open-store.ts';
import { formatTable } from '../../platform/telemetry/terminal-output.ts';
import type { Sponsor } from '../../rating/catalogue.ts';
import { formatMicros } from '../../rating/money.ts';
import { type PrintOptions, printQuery, withPrintOptions } from '../inspect/print-query.ts';

interface ShowOptions extends PrintOptions {
  catalogue?: string;
  sponsor: string;
}

export function registerAccountShow(account: Command): void {
  withPrintOptions(account.command('show'))
    .description(
      'show an account: credited, charged, balance, credit limit, what is left until the limit, suspended or not, entries',
    )
    .requiredOption('--sponsor <id>', 'whose account')
    .option('--catalogue <file>', 'the catalogue')
    .addHelpText(
      'after',
      `
Examples:
  $ zerorate account show --sponsor chatter --catalogue catalogue.yaml --store ./zerorate-data
  $ zerorate account show --sponsor chatter --config zerorate.yaml --format JSON

With --format it is one row, as ClickHouse formats it: money in micro-units, the entries as an array.`,
    )
    .action(async (options: ShowOptions) => {
      const sponsor = readSponsor(options);
      if (options.format !== undefined) return printQuery(accountQuery(sponsor), options);
      const store = await openStore(readStoreConfig(options), { create: false });
      try {
        const [row] = await store.query<AccountRow>(accountQuery(sponsor));
        process.stdout.write(`${formatAccount(sponsor, row)}\n`);
      } finally {
        await store.close();
      }
    });
}

function formatAccount(sponsor: Sponsor, account: AccountRow): string {
  const { id, name, currency } = sponsor;
  const { suspended, suspended_since, suspended_by, suspended_why, entries } = account;
  const money = (micros: string) => formatMicros(BigInt(micros), currency);
  const lines = [
    ['sponsor', `${id} (${name})`],
    ['credited', money(account.credited_micros)],
    ['charged', money(account.charged_micros)],
    ['balance', money(account.balance_micros)],
    ['credit limit', money(account.credit_limit_micros)],
    ['left', money(account.left_micros)],
    ['suspended', suspended ? `since ${suspended_since} UTC by ${suspended_by}: ${suspended_why}` : 'no'],
    ...(suspended ? [['resumes', resumption(sponsor, account)]] : []),
  ];
  const table = formatTable(entries, [
    { title: 'entry', cell: ({ number }) => number, right: true },
    { title: 'kind', cell: ({ kind }) => kind },
    { title: 'amount', cell: amountOf, right: true },
    { title: 'effective (UTC)', cell: ({ effective_at }) => effective_at },
    { title: 'booked (UTC)', cell: ({ booked_at }) => booked_at },
    { title: 'who', cell: ({ who }) => who },
    { title: 'key', cell: ({ idempotency_key }) => idempotency_key },
    { title: 'why', cell: ({ why }) => why },
  ]);
  const head = lines.map(([title, text]) => `${title.padEnd(12)}  ${text}`).join('\n');
  return `${head}\n\n${entries.length === 0 ? '(no entries)' : table}`;
}

/** What ends a sponsor's suspension, and who does it. */
function resumption(sponsor: Sponsor, { balance_micros, entries }: AccountRow): string {
  const last = entries.findLast(({ kind }) => kind === 'suspension');
  const by = suspendedBy(last && { kind: last.kind, who: last.who, idempotencyKey: last.idempotency_key });
  return resumptionText(sponsor, BigInt(balance_micros), by);
}

function amountOf({ kind, amount_micros, currency }: AccountEntryRow): string {
  return isSuspension(kind) ? '' : formatMicros(BigInt(amount_micros), currency);
}
