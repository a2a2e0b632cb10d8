import * as z from 'zod';
import { KEPT_CATALOGUES } from '../../journal/kept-catalogues.ts';
import { literal, type Store } from '../../platform/clickhouse/store.ts';
import { ConfigError } from '../../platform/config/config-error.ts';
import {
  type Buyer,
  buyerSchema,
  type Invoicing,
  invoiceParts,
  invoicingSchema,
} from '../../rating/catalogue/catalogue-invoicing.ts';
import { NEWEST_BOOKED_FIRST } from '../sponsor.ts';

const DAY_MS = 86_400_000;
const day = () => z.string().regex(/^\d{4}-\d{2}-\d{2}$/, { error: 'expected a day, as 2026-11-02' });

/** What makes a statement an invoice; frozen when its month is closed. */
export const invoiceSchema = z.strictObject({
  number: z.string().min(1).nullable().describe('Number of the invoice; null: given when the month is closed.'),
  issueDate: day().nullable().describe('Day of the closing, UTC; null: the month is open.'),
  dueDate: day().nullable().describe('issueDate + termsDays.'),
  termsDays: z.int().min(0),
  ...invoiceParts,
});

export type Invoice = z.output<typeof invoiceSchema>;
/** An invoice of a closed month. */
export type IssuedInvoice = Invoice & { number: string; issueDate: string; dueDate: string };

/** The catalogue's terms of a sponsor's invoices. */
export interface InvoiceTerms {
  invoicing: Invoicing;
  buyer: Buyer;
}

/** The terms, or what the catalogue lacks for them, in words. */
export type FoundTerms = { terms: InvoiceTerms; missing?: undefined } | { terms: null; missing: string };

/** Returns the terms of a sponsor in a compiled catalogue. */
export function termsIn(
  { invoicing, sponsors }: { invoicing?: Invoicing; sponsors: readonly { id: string; buyer?: Buyer | undefined }[] },
  sponsorId: string,
): FoundTerms {
  const sponsor = sponsors.find(({ id }) => id === sponsorId);
  if (sponsor === undefined) return { terms: null, missing: `the catalogue has no sponsor ${sponsorId}` };
  if (invoicing === undefined)
    return { terms: null, missing: 'the catalogue has no `invoicing` (seller, numbers, terms)' };
  if (sponsor.buyer === undefined) return { terms: null, missing: `the catalogue has no \`buyer\` for ${sponsorId}` };
  return { terms: { invoicing, buyer: sponsor.buyer } };
}

/** Returns the terms from the newest catalogue of the store that names the sponsor (see NEWEST_BOOKED_FIRST). */
export async function readTerms(store: Store, sponsorId: string): Promise<FoundTerms> {
  const ofSponsor = `arrayFirst(each -> JSONExtractString(each, 'id') = ${literal(sponsorId)}, JSONExtractArrayRaw(document, 'sponsors'))`;
  const [found] = await store.query<{ invoicing: string; sponsor: string }>(
    `SELECT JSONExtractRaw(document, 'invoicing') AS invoicing, ${ofSponsor} AS sponsor FROM ${KEPT_CATALOGUES} ` +
      `WHERE sponsor != '' ORDER BY ${NEWEST_BOOKED_FIRST} LIMIT 1`,
  );
  if (found === undefined) return { terms: null, missing: `no catalogue of the store names ${sponsorId}` };
  const { buyer } = JSON.parse(found.sponsor) as { buyer?: unknown };
  return termsIn(
    {
      ...(found.invoicing !== '' && { invoicing: invoicingSchema.parse(JSON.parse(found.invoicing)) }),
      sponsors: [{ id: sponsorId, buyer: buyer === undefined ? undefined : buyerSchema.parse(buyer) }],
    },
    sponsorId,
  );
}

/** Returns the draft of an open month's invoice. */
export function draftOf({ invoicing, buyer }: InvoiceTerms): Invoice {
  return {
    number: null,
    issueDate: null,
    dueDate: null,
    termsDays: buyer.termsDays ?? invoicing.termsDays,
    seller: invoicing.seller,
    buyer,
  };
}

/** An invoice's place in its series. */
export interface InvoiceNumber {
  number: string;
  series: string;
  sequence: number;
  /** SQL: true where the number is taken, or does not follow the last one of its series. */
  guard: string;
}

/** Issues a draft on the day of an instant, UTC. */
export function issue(draft: Invoice, number: string, nowMs: number): IssuedInvoice {
  const issueDate = dayOf(nowMs);
  return { ...draft, number, issueDate, dueDate: dueDateOf({ ...draft, issueDate }) };
}

/** Returns the due date of an invoice, as 2026-11-02. */
export function dueDateOf({ issueDate, termsDays }: { issueDate: string; termsDays: number }): string {
  return dayOf(Date.parse(issueDate) + termsDays * DAY_MS);
}

/**
 * Returns the next number of the series on the day of an instant. Book it under the guard, or read the next number again.
 * Rejects with a ConfigError where another series has the number already.
 */
export async function nextNumber(
  store: Store,
  { numbers, firstNumber = 1 }: Invoicing,
  nowMs: number,
): Promise<InvoiceNumber> {
  const series = numbers.replace('{year}', dayOf(nowMs).slice(0, 4));
  const last = `SELECT max(invoice_sequence) FROM closings WHERE invoice_series = ${literal(series)}`;
  const [row] = await store.query<{ last: string }>(`SELECT toString((${last})) AS last`);
  const before = Number(row.last);
  const sequence = before === 0 ? firstNumber : before + 1;
  const number = series.replace(/\{number(?::(\d+))?\}/, (_, digits = '1') =>
    String(sequence).padStart(Number(digits), '0'),
  );
  const taken = `SELECT count() FROM closings WHERE invoice_number = ${literal(number)}`;
  const [{ others }] = await store.query<{ others: string }>(
    `SELECT toString((${taken} AND invoice_series != ${literal(series)})) AS others`,
  );
  if (others !== '0') {
    throw new ConfigError(
      `invoicing.numbers: ${numbers} makes ${number}, which another series has already; give it another prefix`,
    );
  }
  return { number, series, sequence, guard: `(${taken}) > 0 OR (${last}) != ${before}` };
}

/** The invoice that a payment names. */
export interface FoundInvoice {
  number: string;
  sponsorId: string;
  currency: string;
  amountDueMicros: bigint;
  /** Days, as 2026-11-02. */
  issueDate: string;
  dueDate: string;
}

/** Returns the invoice of a number; null: there is none. */
export async function findInvoice(store: Store, number: string): Promise<FoundInvoice | null> {
  const [row] = await store.query<Record<'sponsor' | 'code' | 'due' | 'issued' | 'payable', string>>(
    'SELECT sponsor_id AS sponsor, currency AS code, toString(amount_due_micros) AS due, toString(issue_date) AS issued, ' +
      `toString(due_date) AS payable FROM invoices WHERE invoice_number = ${literal(number)} LIMIT 1`,
  );
  if (row === undefined) return null;
  const { sponsor: sponsorId, code: currency, due, issued: issueDate, payable: dueDate } = row;
  return { number, sponsorId, currency, amountDueMicros: BigInt(due), issueDate, dueDate };
}

function dayOf(timeMs: number): string {
  return new Date(timeMs).toISOString().slice(0, 10);
}
