import { createHash } from 'node:crypto';
import { roundedUnits } from './shown-money.ts';
import type { Statement, StatementTotals } from './statement-document.ts';

export const OCTETS_PER_MIB = 2n ** 20n;
/** A statement lists the digests of so many batches at most. */
export const LISTED_BATCHES = 200;

/** What octets cost at a price for a MiB, rounded half up. */
export function tierAmountMicros(octets: bigint, pricePerMiBMicros: bigint): bigint {
  return (octets * pricePerMiBMicros + OCTETS_PER_MIB / 2n) / OCTETS_PER_MIB;
}

/** What lines, corrections and entries add up to. */
export function totalsOf(
  { lines, corrections, entries }: Pick<Statement, 'lines' | 'corrections' | 'entries'>,
  openingMicros: bigint,
  minorDigits: number,
): StatementTotals {
  const usage = [...lines, ...corrections];
  const [own, earlier] = [false, true].map((isAdjustment) =>
    usage.filter((part) => part.isAdjustment === isAdjustment),
  );
  const chargeMicros = sumOf(own, ({ chargeMicros }) => chargeMicros);
  const adjustmentMicros = sumOf(earlier, ({ chargeMicros }) => chargeMicros);
  const totalMicros = chargeMicros + adjustmentMicros;
  const creditMicros = sumOf(entries, ({ amountMicros }) => amountMicros);
  return {
    records: lines.reduce((count, { records }) => count + records, 0),
    sponsoredOctets: sumOf(usage, ({ sponsoredOctets }) => sponsoredOctets),
    subscriberOctets: sumOf(usage, ({ subscriberOctets }) => subscriberOctets),
    chargeMicros,
    adjustmentMicros,
    totalMicros,
    total: roundedUnits(totalMicros, minorDigits),
    openingMicros,
    creditMicros,
    closingMicros: openingMicros + creditMicros - totalMicros,
  };
}

export function sumOf<T>(items: readonly T[], amountOf: (item: T) => bigint): bigint {
  return items.reduce((total, item) => total + amountOf(item), 0n);
}

/** SHA-256 over the batches' digests in hex, each followed by a line feed. */
export function digestOfBatches(batches: readonly { digest: string }[]): string {
  const hash = createHash('sha256');
  for (const { digest } of batches) hash.update(`${digest}\n`);
  return hash.digest('hex');
}
