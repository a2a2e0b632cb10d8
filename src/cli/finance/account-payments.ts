import { readFileSync } from 'node:fs';
import { readCatalogue, readCataloguePath, readStoreConfig } from '../../engine/assembly/read-config.ts';
import { type BankPayment, bookBankPayments, type PaymentOutcome } from '../../finance/accounts/book-bank-payments.ts';
import { payerIndex } from '../../finance/accounts/match-payment.ts';
import { readCamt053 } from '../../finance/accounts/read-camt053.ts';
import { openStore } from '../../journal/open-store.ts';
import { systemClock } from '../../platform/clock.ts';
import { ConfigError } from '../../platform/config/config-error.ts';
import { formatTable } from '../../platform/telemetry/terminal-output.ts';
import { openAccounts, operator } from './account-booking.ts';

export interface BankStatementOptions {
  config?: string;
  store?: string;
  catalogue?: string;
  who?: string;
  dryRun?: boolean;
}

const SINGLE = ['sponsor', 'amount', 'currency', 'key', 'why', 'effective'] as const;
const WORDS: Readonly<Record<PaymentOutcome, string>> = {
  booked: 'booked',
  would_book: 'would be booked',
  existing: 'booked before',
  open: 'NOT BOOKED',
  ignored: 'no payment',
};

/** Books the payments of a bank statement and prints what became of each movement. Exit code 1: a credit is not booked. */
export async function bookBankStatement(
  options: BankStatementOptions & Partial<Record<(typeof SINGLE)[number], string>>,
  file: string,
): Promise<void> {
  const given = SINGLE.find((name) => options[name] !== undefined);
  if (given !== undefined)
    throw new ConfigError(`--${given}: is of one payment; --camt053 reads it from the bank's file`);
  const { sponsors } = readCatalogue(readCataloguePath(options));
  const movements = readCamt053(readBytes(file), file);
  const dryRun = options.dryRun === true;
  const config = readStoreConfig(options);
  const store = dryRun ? await openStore(config, { create: false }) : await openAccounts(config);
  try {
    const payers = await payerIndex(store, sponsors);
    const who = options.who ?? operator();
    const payments = await bookBankPayments(movements, { store, sponsors, payers, who, clock: systemClock, dryRun });
    process.stdout.write(`${formatPayments(payments, file)}\n`);
    if (payments.some(({ outcome }) => outcome === 'open')) process.exitCode = 1;
  } finally {
    await store.close();
  }
}

function readBytes(file: string): Uint8Array {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw new ConfigError(`--camt053 ${file}: cannot be read: ${(cause as Error).message}`);
  }
}

function formatPayments(payments: readonly BankPayment[], file: string): string {
  const table = formatTable(payments, [
    { title: 'place', cell: ({ movement }) => `${file}:${movement.line}` },
    { title: 'day', cell: ({ movement }) => movement.day },
    { title: 'amount', cell: ({ movement }) => signedAmount(movement), right: true },
    { title: 'reference', cell: ({ movement }) => movement.reference ?? '-' },
    { title: 'debtor', cell: ({ movement }) => movement.debtorName || movement.debtorAccount || '-' },
    { title: 'sponsor', cell: ({ sponsorId }) => sponsorId ?? '-' },
    { title: 'outcome', cell: ({ outcome }) => WORDS[outcome] },
    { title: 'by or why', cell: ({ detail }) => detail },
  ]);
  const counts = (Object.keys(WORDS) as PaymentOutcome[])
    .map((outcome) => ({ outcome, count: payments.filter((payment) => payment.outcome === outcome).length }))
    .filter(({ count }) => count > 0)
    .map(({ outcome, count }) => `${count} ${WORDS[outcome]}`);
  return payments.length === 0 ? `${file}: has no entries` : `${table}\n\n${counts.join(', ')}`;
}

function signedAmount({ amount, currency, isCredit }: BankPayment['movement']): string {
  return `${isCredit ? '' : '-'}${amount} ${currency}`;
}
