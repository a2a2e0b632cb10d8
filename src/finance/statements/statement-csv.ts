import { csvText } from '../../formats/csv.ts';
import { exactUnits } from '../shown-money.ts';
import { termsParts } from './monthly-terms.ts';
import type { Statement, StatementLine } from './statement-document.ts';

/** A row for each tier of a line, and one for its rounding: their amounts make the line's charge. */
export interface LineRow {
  line: StatementLine;
  part: 'tier' | 'rounding';
  fromOctets: bigint | null;
  toOctets: bigint | null;
  pricePerMiBMicros: bigint | null;
  octets: bigint;
  amountMicros: bigint;
}

const HEADER = [
  'sponsor_id',
  'month',
  'usage_month',
  'kind',
  'application_id',
  'plan_id',
  'plan_version',
  'part',
  'from_octets',
  'to_octets',
  'price_per_mib',
  'octets',
  'amount',
  'amount_micros',
  'currency',
];

/**
 * Returns lines as CSV (RFC 4180): tiers, their rounding, corrections, monthly terms, rounding and tax, whose amounts add up to the amount
 * due. In a month that was closed without an amount due they add up to its total before rounding.
 */
export function statementCsv(statement: Statement): string {
  const { sponsor, month, lines, corrections } = statement;
  const head = (usageMonth: string, kind: string) => [sponsor.id, month, usageMonth, kind];
  const rows = lineRows(lines).map(({ line, part, fromOctets, toOctets, pricePerMiBMicros, octets, amountMicros }) => [
    ...head(line.usageMonth, line.isAdjustment ? 'adjustment' : 'charge'),
    line.applicationId,
    line.planId,
    line.planVersion,
    part,
    fromOctets ?? '',
    toOctets ?? '',
    pricePerMiBMicros === null ? '' : exactUnits(pricePerMiBMicros),
    octets,
    exactUnits(amountMicros),
    amountMicros,
    sponsor.currency,
  ]);
  const corrected = corrections.map(({ number, name, usageMonth, sponsoredOctets, chargeMicros }) => [
    ...head(usageMonth, 'correction'),
    '',
    '',
    '',
    `${number} ${name}`,
    '',
    '',
    '',
    sponsoredOctets,
    exactUnits(chargeMicros),
    chargeMicros,
    sponsor.currency,
  ]);
  const ofAccount = dueParts(statement).map((part) => ({ applicationId: '', ...part }));
  const asked = [...termsRows(statement), ...ofAccount].map(({ applicationId, kind, part, amountMicros }) => [
    ...head(month, kind),
    ...[applicationId, '', '', part, '', '', '', ''],
    exactUnits(amountMicros),
    amountMicros,
    sponsor.currency,
  ]);
  return csvText([HEADER, ...rows, ...corrected, ...asked]);
}

/** Returns the amounts of the monthly terms, a row each. */
function termsRows(
  statement: Statement,
): { applicationId: string; kind: string; part: string; amountMicros: bigint }[] {
  return termsParts(statement).map(({ kind, terms, amountMicros }) => ({
    applicationId: terms.applicationId ?? '',
    kind,
    part: `${terms.id} version ${terms.version}`,
    amountMicros,
  }));
}

/**
 * Returns the parts between the sum of lines and corrections and the amount due: rounding, tax, and entries of the account.
 */
function dueParts({ due, totals, invoice }: Statement): { kind: string; part: string; amountMicros: bigint }[] {
  if (due === null) return [];
  const { taxableMicros, taxMicros, amountDueMicros } = due;
  const tax = invoice?.buyer.tax;
  return [
    { kind: 'rounding', part: 'total', amountMicros: taxableMicros - totals.totalMicros },
    { kind: 'tax', part: tax === undefined ? '' : `${tax.category} ${tax.rate ?? '0'}%`, amountMicros: taxMicros },
    {
      kind: 'account',
      part: 'paid ahead and other entries',
      amountMicros: amountDueMicros - taxableMicros - taxMicros,
    },
  ].filter(({ amountMicros }) => amountMicros !== 0n);
}

export function lineRows(lines: readonly StatementLine[]): LineRow[] {
  return lines.flatMap((line) => [
    ...line.tiers.map((tier): LineRow => ({ line, part: 'tier', ...tier })),
    {
      line,
      part: 'rounding',
      fromOctets: null,
      toOctets: null,
      pricePerMiBMicros: null,
      octets: 0n,
      amountMicros: line.roundingMicros,
    },
  ]);
}
