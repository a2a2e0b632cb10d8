import { roundToUnit } from '../accounts/amount-due.ts';
import type { Month } from '../month.ts';
import { exactUnits, groupDigits } from '../shown-money.ts';
import { kindName, type TermsPart, termsName, termsParts } from './monthly-terms.ts';
import { sumOf } from './statement-arithmetic.ts';
import type { Statement, StatementCorrection, StatementLine, StatementTier } from './statement-document.ts';

const OCTETS_PER_MIB = 2n ** 20n;

/** A line of an invoice: quantity / base quantity x price, rounded to the currency's unit, is its net amount. */
export interface InvoiceLine {
  name: string;
  description: string;
  usageMonth: Month;
  isCorrection: boolean;
  /** Octets at a price for a MiB; of any other line 1 or -1 at its own amount. */
  quantity: bigint;
  unit: 'octet' | 'one';
  /** In units of the currency, exact. */
  price: string;
  baseQuantity: bigint;
  netMicros: bigint;
}

/**
 * Returns what an invoice bills: a line for each tier of each line of the statement, one for each correction, and one for each
 * flat fee, volume rebate and shortfall.
 */
export function invoiceLines(statement: Statement): InvoiceLine[] {
  const { lines, corrections, sponsor, month } = statement;
  const { minorDigits } = sponsor;
  return [
    ...lines.flatMap((line) => line.tiers.map((tier) => tierLine(line, tier, minorDigits))),
    ...corrections.map((correction) => correctionLine(correction, minorDigits)),
    ...termsParts(statement).map((part) => termsLine(part, month, minorDigits)),
  ];
}

/** Returns the difference between the taxable amount and the lines' net amounts: an allowance or a charge of the invoice. */
export function linesRoundingMicros(lines: readonly InvoiceLine[], taxableMicros: bigint): bigint {
  return taxableMicros - sumOf(lines, ({ netMicros }) => netMicros);
}

function tierLine(line: StatementLine, tier: StatementTier, minorDigits: number): InvoiceLine {
  const { applicationId, planId, planVersion, usageMonth } = line;
  const range = tierRange(tier);
  return {
    name: `Sponsored data of ${applicationId}`,
    description: `Plan ${planId}, version ${planVersion}, used in ${usageMonth}${range}`,
    usageMonth,
    isCorrection: false,
    quantity: tier.octets,
    unit: 'octet',
    price: exactUnits(tier.pricePerMiBMicros),
    baseQuantity: OCTETS_PER_MIB,
    netMicros: netOf(tier.octets * tier.pricePerMiBMicros, minorDigits),
  };
}

/** Returns the net amount, rounded once, from the exact product of octets and a price for a MiB. */
function netOf(product: bigint, minorDigits: number): bigint {
  const unit = 10n ** BigInt(6 - minorDigits);
  const divisor = OCTETS_PER_MIB * unit;
  const magnitude = product < 0n ? -product : product;
  const rounded = ((magnitude + divisor / 2n) / divisor) * unit;
  return product < 0n ? -rounded : rounded;
}

function tierRange({ fromOctets, toOctets }: StatementTier): string {
  if (toOctets !== null) return `, a subscriber’s octets from ${groupDigits(fromOctets)} to ${groupDigits(toOctets)}`;
  return fromOctets === 0n ? '' : `, a subscriber’s octets from ${groupDigits(fromOctets)} on`;
}

function correctionLine(correction: StatementCorrection, minorDigits: number): InvoiceLine {
  const { number, name, usageMonth, chargeMicros } = correction;
  return {
    name: `Correction ${number}: ${name}`,
    description: `Usage of ${usageMonth}, rated again`,
    usageMonth,
    isCorrection: true,
    ...oneAt(chargeMicros, minorDigits),
  };
}

/** A rebate is a line of quantity -1: it has its own tax base, and no allowance reduces a line that it is not of. */
function termsLine({ kind, terms, amountMicros }: TermsPart, month: Month, minorDigits: number): InvoiceLine {
  return {
    name: kindName(kind),
    description: `Terms ${termsName(terms)}, ${month}`,
    usageMonth: month,
    isCorrection: false,
    ...oneAt(amountMicros, minorDigits),
  };
}

/** Returns one at an amount, or -1 at its magnitude: a price is never below 0 (BR-27). */
function oneAt(micros: bigint, minorDigits: number) {
  return {
    quantity: micros < 0n ? -1n : 1n,
    unit: 'one' as const,
    price: exactUnits(micros < 0n ? -micros : micros),
    baseQuantity: 1n,
    netMicros: roundToUnit(micros, minorDigits),
  };
}
