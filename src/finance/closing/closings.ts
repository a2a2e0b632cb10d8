import * as z from 'zod';
import { literal, type Store } from '../../platform/clickhouse/store.ts';
import { minorDigitsOf } from '../../rating/catalogue/currencies.ts';
import type { AmountDue } from '../accounts/amount-due.ts';
import type { Month } from '../month.ts';
import { type StatementTerms, termsSchema } from '../statements/statement-document.ts';

/** A closed month of a sponsor: a row of `closings`. Amounts are micro-units of the currency. */
export interface Closing {
  number: number;
  sponsorId: string;
  sponsorName: string;
  month: Month;
  /** ISO 8601, UTC. */
  closedAt: string;
  who: string;
  currency: string;
  /** Decimals of the currency when the month was closed; of an older closing those of ISO 4217. */
  minorDigits: number;
  lastCorrection: number;
  lastEntry: number;
  records: number;
  sponsoredOctets: bigint;
  chargeMicros: bigint;
  adjustmentMicros: bigint;
  creditMicros: bigint;
  openingMicros: bigint;
  closingMicros: bigint;
  /** 64 hex digits. */
  merkleRoot: string;
  /** JSON, as the statement has it. */
  completeness: string;
  /** The monthly terms and what they billed, as the statement has them; empty: none were in force. */
  monthlyTerms: StatementTerms[];
  /** What was posted and billed; null: closed by a version that did neither. */
  due: Pick<AmountDue, 'taxableMicros' | 'taxMicros' | 'roundingMicros' | 'amountDueMicros'> | null;
  /** Empty: the statement is no invoice. */
  invoiceNumber: string;
  /** JSON of the terms, as the statement has them; empty: the statement is no invoice. */
  invoice: string;
}

const AMOUNTS = [
  'sponsored_octets',
  'charge_micros',
  'adjustment_micros',
  'credit_micros',
  'opening_micros',
  'closing_micros',
  'taxable_micros',
  'tax_micros',
  'rounding_micros',
] as const;

/** A store without the newest migrations has no such columns: then no decimals, and no terms. */
const NEWER = "COLUMNS('^(minor_digits|monthly_terms)$')";

/** Returns all closings of a sponsor, by month. */
export async function readClosings(store: Store, sponsorId: string): Promise<Closing[]> {
  const rows = await store.query<Record<string, string | number> & { amount_due: string | null }>(
    'SELECT number, sponsor_id, sponsor_name, substring(toString(closings.month), 1, 7) AS closed_month, ' +
      'toUnixTimestamp64Milli(closed_at) AS closed_at_ms, who, currency, last_correction, last_entry, records, ' +
      `${AMOUNTS.map((name) => `toString(closings.${name}) AS ${name}`).join(', ')}, merkle_root, completeness, ${NEWER}, ` +
      'toString(closings.amount_due_micros) AS amount_due, invoice_number, invoice ' +
      `FROM closings WHERE sponsor_id = ${literal(sponsorId)} ORDER BY closings.month`,
  );
  return rows.map((row) => ({
    number: Number(row.number),
    sponsorId: String(row.sponsor_id),
    sponsorName: String(row.sponsor_name),
    month: String(row.closed_month),
    closedAt: new Date(Number(row.closed_at_ms)).toISOString(),
    who: String(row.who),
    currency: String(row.currency),
    minorDigits: decimalsOf(row),
    lastCorrection: Number(row.last_correction),
    lastEntry: Number(row.last_entry),
    records: Number(row.records),
    sponsoredOctets: BigInt(row.sponsored_octets),
    chargeMicros: BigInt(row.charge_micros),
    adjustmentMicros: BigInt(row.adjustment_micros),
    creditMicros: BigInt(row.credit_micros),
    openingMicros: BigInt(row.opening_micros),
    closingMicros: BigInt(row.closing_micros),
    merkleRoot: String(row.merkle_root),
    completeness: String(row.completeness),
    monthlyTerms: termsOf(row),
    due:
      row.amount_due === null
        ? null
        : {
            taxableMicros: BigInt(row.taxable_micros),
            taxMicros: BigInt(row.tax_micros),
            roundingMicros: BigInt(row.rounding_micros),
            amountDueMicros: BigInt(row.amount_due),
          },
    invoiceNumber: String(row.invoice_number),
    invoice: String(row.invoice),
  }));
}

function termsOf({ monthly_terms: json = '' }: Record<string, string | number>): StatementTerms[] {
  return json === '' ? [] : z.array(termsSchema).parse(JSON.parse(String(json)));
}

function decimalsOf({ currency, minor_digits: kept = -1 }: Record<string, string | number>): number {
  return Number(kept) < 0 ? minorDigitsOf(String(currency)) : Number(kept);
}
