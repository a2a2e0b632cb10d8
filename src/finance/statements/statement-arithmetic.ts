import { createHash } from 'node:crypto';
import { type AmountDue, amountDueOf } from '../accounts/amount-due.ts';
import { roundedUnits } from '../shown-money.ts';
import type { Statement, StatementDue, StatementTotals } from './statement-document.ts';

export const OCTETS_PER_MIB = 2n ** 20n;
/** Most batches whose digests a statement lists. */
export const LISTED_BATCHES = 200;

/** Returns the price of octets at a price for a MiB, rounded half up. */
export function tierAmountMicros(octets: bigint, pricePerMiBMicros: bigint): bigint {
  return (octets * pricePerMiBMicros + OCTETS_PER_MIB / 2n) / OCTETS_PER_MIB;
}

/** The parts of a statement that its totals and its amount due follow from. */
type BilledParts = Pick<Statement, 'lines' | 'corrections' | 'entries' | 'monthlyTerms'>;

/**
 * Returns the sums of lines, corrections, entries and monthly terms. `posted`: what the closing posts of `statementDue`; null: nothing, or not
 * yet.
 */
export function totalsOf(
  { lines, corrections, entries, monthlyTerms }: BilledParts,
  openingMicros: bigint,
  minorDigits: number,
  posted: Pick<AmountDue, 'taxMicros' | 'roundingMicros'> | null,
): StatementTotals {
  const usage = [...lines, ...corrections];
  const [own, earlier] = [false, true].map((isAdjustment) =>
    usage.filter((part) => part.isAdjustment === isAdjustment),
  );
  const chargeMicros = sumOf(own, ({ chargeMicros }) => chargeMicros);
  const adjustmentMicros = sumOf(earlier, ({ chargeMicros }) => chargeMicros);
  const monthlyTermsMicros = sumOf(monthlyTerms ?? [], ({ amountMicros }) => amountMicros);
  const totalMicros = chargeMicros + adjustmentMicros + monthlyTermsMicros;
  const creditMicros = sumOf(entries, ({ amountMicros }) => amountMicros);
  return {
    records: lines.reduce((count, { records }) => count + records, 0),
    sponsoredOctets: sumOf(usage, ({ sponsoredOctets }) => sponsoredOctets),
    subscriberOctets: sumOf(usage, ({ subscriberOctets }) => subscriberOctets),
    chargeMicros,
    adjustmentMicros,
    ...(monthlyTerms !== undefined && { monthlyTermsMicros }),
    totalMicros,
    total: roundedUnits(totalMicros, minorDigits),
    openingMicros,
    creditMicros,
    closingMicros:
      openingMicros +
      creditMicros -
      chargeMicros -
      adjustmentMicros +
      (posted === null ? 0n : posted.roundingMicros - posted.taxMicros - monthlyTermsMicros),
  };
}

/** Kinds of entries that pay what earlier statements billed. */
const PAYING_KINDS: readonly string[] = ['payment', 'top-up'];

/** Returns what a statement of these parts bills. */
export function statementDue(
  { lines, corrections, entries, monthlyTerms = [], invoice }: BilledParts & Pick<Statement, 'invoice'>,
  openingMicros: bigint,
  minorDigits: number,
): StatementDue {
  const paidMicros = sumOf(
    entries.filter(({ kind }) => PAYING_KINDS.includes(kind)),
    ({ amountMicros }) => amountMicros,
  );
  const { taxableMicros, taxMicros, roundingMicros, amountDueMicros } = amountDueOf({
    openingMicros,
    creditMicros: sumOf(entries, ({ amountMicros }) => amountMicros),
    paidMicros,
    totalMicros:
      sumOf([...lines, ...corrections], ({ chargeMicros }) => chargeMicros) +
      sumOf(monthlyTerms, ({ amountMicros }) => amountMicros),
    minorDigits,
    taxRate: invoice?.buyer.tax.rate ?? null,
  });
  const amountDue = roundedUnits(amountDueMicros, minorDigits);
  return { taxableMicros, taxMicros, roundingMicros, paidMicros, amountDueMicros, amountDue };
}

export function sumOf<T>(items: readonly T[], amountOf: (item: T) => bigint): bigint {
  return items.reduce((total, item) => total + amountOf(item), 0n);
}

/** Returns SHA-256 over the batches' digests in hex, each followed by a line feed. */
export function digestOfBatches(batches: readonly { digest: string }[]): string {
  const hash = createHash('sha256');
  for (const { digest } of batches) hash.update(`${digest}\n`);
  return hash.digest('hex');
}
