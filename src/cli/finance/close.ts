import type { Command } from 'commander';
import { readCatalogue, readCataloguePath, readKeyConfig } from '../../engine/assembly/read-config.ts';
import { closeMonth } from '../../finance/closing/close-month.ts';
import type { Closing } from '../../finance/closing/closings.ts';
import { termsIn } from '../../finance/statements/invoice.ts';
import { kindName, termsName, termsParts } from '../../finance/statements/monthly-terms.ts';
import { readStatement } from '../../finance/statements/statement.ts';
import { statementJson } from '../../finance/statements/statement-document.ts';
import { openForBooking } from '../../journal/open-store.ts';
import { systemClock } from '../../platform/clock.ts';
import { ConfigError } from '../../platform/config/config-error.ts';
import { counted } from '../../platform/telemetry/terminal-output.ts';
import type { Catalogue } from '../../rating/catalogue.ts';
import { formatMicros } from '../../rating/money.ts';
import { type MonthOptions, requireMonth, withMonthOptions } from '../finance-options.ts';
import { configuredSigningKey, writeSignedJson } from './load-signing-key.ts';

type CloseOptions = MonthOptions & { who: string; catalogue?: string; out?: string; signingKey?: string };

export function registerClose(program: Command): void {
  withMonthOptions(program.command('close'))
    .description('close a month of a sponsor: its statement never changes again, what comes later is an adjustment')
    .requiredOption('--who <name>', 'who closes it')
    .option(
      '--catalogue <file>',
      'the catalogue with the monthly terms (fees, rebates, commitments) and the data of invoices (seller, buyer, tax, payment terms)',
    )
    .option('--out <file>', 'write the closed statement as JSON, signed as FILE.jws where a signing key is configured')
    .option('--signing-key <file>', 'sign it with this key; by default the configured key')
    .addHelpText(
      'after',
      `
Example:
  $ zerorate close --sponsor chatter --month 2026-10 --who "Ada, finance" --store ./zerorate-data

Months are closed in order, once every period that begins in them is over, in its plan's time zone, and closing.graceDelayMs
has passed (of --config, or ZERORATE_CLOSING_GRACE_DELAY_MS). Closing a month again changes nothing. With a seller in the
catalogue and a buyer for the sponsor the statement is an invoice, and gets the next number of its series. Without --catalogue,
seller, buyer and monthly terms are from the configuration's catalogue, or with --store from the newest catalogue that an engine booked with and that names the
sponsor. The flat fees, volume rebates and shortfalls of the month's monthly terms are posted with the closing.`,
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
  const config = readKeyConfig(options, { withStore: true });
  const catalogue = namedCatalogue(options);
  const { store } = await openForBooking(config.store, { create: false });
  try {
    const closed = await closeMonth(store, {
      sponsorId: options.sponsor,
      month,
      who: options.who,
      nowMs: systemClock.nowMs(),
      graceDelayMs: config.closing.graceDelayMs,
      ...(catalogue !== undefined && {
        terms: termsIn(catalogue, options.sponsor),
        monthlyTerms: catalogue.monthlyTerms ?? [],
      }),
    });
    if (closed.outcome === 'refused') throw new ConfigError(`${closed.message} [${closed.reason}]`);
    const { closing } = closed;
    process.stdout.write(
      closed.outcome === 'already_closed'
        ? `${month} of ${options.sponsor} was closed by ${closing.who} at ${closing.closedAt}: nothing was booked\n`
        : `${month} of ${options.sponsor} is closed: ${counted(closing.records, 'record')}, ${dueInWords(closing)}, ` +
            `balance ${formatMicros(closing.closingMicros, closing.currency)}, Merkle root ${closing.merkleRoot}\n` +
            (closed.noInvoice === undefined ? '' : `It is no invoice: ${closed.noInvoice}\n`),
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

/** Returns the catalogue that the options name; undefined: none, and the newest one of the store counts. */
function namedCatalogue({ catalogue, config }: CloseOptions): Catalogue | undefined {
  if (catalogue !== undefined) return readCatalogue(catalogue);
  return config === undefined ? undefined : readCatalogue(readCataloguePath({ config }));
}

function dueInWords({ chargeMicros, adjustmentMicros, monthlyTerms, currency, due, invoiceNumber }: Closing): string {
  const posted = termsParts({ monthlyTerms }).map(
    ({ kind, terms, amountMicros }) =>
      `${kindName(kind).toLowerCase()} ${formatMicros(amountMicros, currency)} (${termsName(terms)})`,
  );
  const charged = [formatMicros(chargeMicros + adjustmentMicros, currency), ...posted].join(', ');
  if (due === null) return charged;
  const tax = due.taxMicros === 0n ? '' : `, tax ${formatMicros(due.taxMicros, currency)}`;
  const invoice = invoiceNumber === '' ? '' : `invoice ${invoiceNumber}, `;
  return `${charged}${tax}, ${invoice}amount due ${formatMicros(due.amountDueMicros, currency)}`;
}
