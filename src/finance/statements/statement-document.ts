import { IANAZone } from 'luxon';
import * as z from 'zod';
import { type Invoice, invoiceSchema } from './invoice.ts';

/** A whole number of any size: a bigint here, decimal text in JSON. */
const amount = () =>
  z
    .string()
    .regex(/^(0|-?[1-9]\d*)$/, { error: 'expected a whole number in quotes' })
    .transform(BigInt);
const count = () => z.int().min(0);
const hash = () => z.string().regex(/^[0-9a-f]{64}$/, { error: 'expected 64 hex digits' });
const month = () => z.string().regex(/^\d{4}-\d{2}$/, { error: 'expected a month, as 2026-11' });

const tierSchema = z
  .strictObject({
    fromOctets: amount().describe('Beginning of the tier, in a subscriber’s sponsored octets of the period.'),
    toOctets: amount().nullable().describe('Its end; null: open.'),
    pricePerMiBMicros: amount(),
    octets: amount().describe('Sponsored octets in the tier.'),
    amountMicros: amount().describe('octets x price / 2^20, rounded half up.'),
  })
  .describe('A price tier, as far as it was used.');

const lineSchema = z.strictObject({
  applicationId: z.string(),
  planId: z.string(),
  planVersion: count(),
  usageMonth: month().describe('The month that the statistics periods began in.'),
  isAdjustment: z.boolean().describe('Booked after that month was closed.'),
  records: count(),
  sponsoredOctets: amount(),
  subscriberOctets: amount(),
  chargeMicros: amount(),
  tiers: z.array(tierSchema),
  roundingMicros: amount().describe(
    'chargeMicros less the tiers’ amounts: a charge is rounded once for each subscriber and period.',
  ),
});

const correctionSchema = z.strictObject({
  number: count(),
  name: z.string(),
  who: z.string(),
  why: z.string(),
  usageMonth: month(),
  isAdjustment: z.boolean(),
  rows: count().describe('Reversals and new charges.'),
  sponsoredOctets: amount(),
  subscriberOctets: amount(),
  chargeMicros: amount().describe('What it added to the bill; below 0: a deduction.'),
});

const entrySchema = z.strictObject({
  number: count(),
  kind: z.string(),
  amountMicros: amount().describe('Credits are positive.'),
  effectiveAt: z.string(),
  bookedAt: z.string(),
  who: z.string(),
  why: z.string(),
});

export const termsSchema = z
  .strictObject({
    id: z.string(),
    version: count(),
    applicationId: z.string().nullable().describe('null: the terms are of all applications of the sponsor.'),
    flatFeeMicros: amount().describe('0: none.'),
    minimumCommitmentMicros: amount().nullable().describe('null: none.'),
    volumeRebate: z
      .strictObject({
        appliesTo: z.enum(['all_charges', 'charges_in_band']),
        bands: z.array(z.strictObject({ fromOctets: amount(), basisPoints: count().max(10_000) })),
      })
      .nullable()
      .describe('null: none.'),
    sponsoredOctets: amount().describe('Of the statement, adjustments and corrections included; of the application.'),
    chargeMicros: amount().describe(
      'The charges of these octets: what the rebate is of. Terms of the sponsor as a whole: less the rebates of its applications.',
    ),
    rebateMicros: amount().describe('The volume rebate, rounded once, half away from zero; a deduction.'),
    countedMicros: amount().describe(
      'What counts towards the commitment: chargeMicros - rebateMicros. Terms of the sponsor as a whole: and the shortfalls of its applications.',
    ),
    shortfallMicros: amount().describe('minimumCommitmentMicros - countedMicros, where that is above 0.'),
    amountMicros: amount().describe('flatFeeMicros - rebateMicros + shortfallMicros.'),
  })
  .describe('Terms of the month, and what they bill: posted when the month is closed.');

const usageSchema = z.strictObject({ sponsoredOctets: amount(), subscriberOctets: amount(), chargeMicros: amount() });

const timeZone = () =>
  z.string().refine((name) => IANAZone.isValidZone(name), { error: 'expected a time zone by its IANA name' });
const planTimeZoneSchema = z.strictObject({ planId: z.string(), planVersion: count(), timeZone: timeZone() });

const settlementSchema = z.strictObject({
  planId: z.string(),
  planVersion: count(),
  usageMonth: month(),
  settledOn: z.string().describe('The last booking date on which records of the plan and the month are not late.'),
});

/** What may be missing in the bill, of the sponsor's own; frozen when a month is closed. */
export const completenessSchema = z.strictObject({
  missingRecords: z
    .strictObject({ records: count(), sponsoredOctets: amount(), chargeMicros: amount() })
    .describe(
      'An estimate of what missing sequence numbers of nodes would have added to this bill, if their records were like its own.',
    ),
  rejections: z
    .array(z.strictObject({ reason: z.string(), records: count() }))
    .describe('Records of the sponsor’s applications that were rejected, by the month of their period.'),
  lateRecords: z
    .strictObject({
      records: count(),
      sponsoredOctets: amount(),
      chargeMicros: amount(),
      settlements: z.array(settlementSchema).describe('By plan version and month of use.'),
    })
    .describe(
      'Charges of months that were closed before, and those that were booked after the plan’s settlement time.',
    ),
  sourceGaps: z
    .array(z.strictObject({ reason: z.string(), bookingDate: z.string() }))
    .describe('Days on which a loss of records at the source was noted, before they were read; of any sponsor.'),
});

const totalsSchema = z.strictObject({
  records: count().describe('Charged records.'),
  sponsoredOctets: amount(),
  subscriberOctets: amount(),
  chargeMicros: amount().describe('The month itself, corrections included.'),
  adjustmentMicros: amount().describe('Earlier months, corrections included.'),
  monthlyTermsMicros: amount()
    .optional()
    .describe('What the monthly terms bill: flat fees and shortfalls less rebates; absent: no terms are in force.'),
  totalMicros: amount().describe('chargeMicros + adjustmentMicros + monthlyTermsMicros.'),
  total: z.string().describe('totalMicros in units of the currency, rounded once, half away from zero.'),
  openingMicros: amount().describe('Opening balance; credits are positive.'),
  creditMicros: amount().describe('Sum of the account entries.'),
  closingMicros: amount().describe(
    'openingMicros + creditMicros - chargeMicros - adjustmentMicros; once the month is closed: - monthlyTermsMicros, and + roundingMicros - taxMicros of `due`.',
  ),
});

const dueSchema = z.strictObject({
  taxableMicros: amount().describe('totalMicros rounded to the currency’s unit, half away from zero.'),
  taxMicros: amount().describe('taxableMicros at the invoice’s rate, rounded likewise; 0 without an invoice.'),
  roundingMicros: amount().describe(
    'Posted to the account when the month is closed, credits positive: the closing balance is whole units of the currency.',
  ),
  paidMicros: amount().describe('Payments and top-ups among the entries.'),
  amountDueMicros: amount().describe(
    'What the closing balance owes, less what earlier statements bill and is not paid. Never below 0.',
  ),
  amountDue: z.string().describe('amountDueMicros in units of the currency.'),
});

const proofSchema = z.strictObject({
  merkleRoot: hash().describe('RFC 6962 Merkle tree with SHA-256 over the covered rows, in their order.'),
  leaves: count(),
  rowForm: z
    .literal('zerorate-row-1')
    .describe('The form of a row in its leaf; docs/finance/statements.md defines it.'),
  batches: z.strictObject({
    count: count().describe('Batches that covered rows were booked in.'),
    digest: hash().describe('SHA-256 over the digests in hex, each followed by a line feed, in the order of the rows.'),
    list: z
      .array(z.strictObject({ digest: z.string() }))
      .nullable()
      .describe('null: too many to list.'),
  }),
});

/** The statement as it is in JSON. Money is in micro-units of the sponsor's currency, octets are as the gateway metered them. */
export const statementSchema = z.strictObject({
  format: z.literal('zerorate-statement-1'),
  sponsor: z.strictObject({
    id: z.string(),
    name: z.string(),
    currency: z.string().describe('ISO 4217'),
    minorDigits: count().max(6).describe('Decimals of the currency.'),
  }),
  month: month(),
  isClosed: z.boolean(),
  closing: z
    .strictObject({ number: count(), closedAt: z.string(), who: z.string() })
    .nullable()
    .describe('null: the month is open, and the statement may change.'),
  isOpeningFinal: z.boolean().describe('false: an earlier month is open, so the opening balance may change.'),
  lines: z.array(lineSchema),
  corrections: z.array(correctionSchema),
  entries: z.array(entrySchema),
  monthlyTerms: z
    .array(termsSchema)
    .optional()
    .describe('Fees, commitments and rebates of the month, applications first; absent: none are in force.'),
  timeZones: z
    .array(planTimeZoneSchema)
    .default([])
    .describe('IANA names by plan and version. A plan that is not listed counts its days in UTC.'),
  byDay: z.array(
    usageSchema.extend({ day: z.string().describe('Day of use: of the start time, in the time zone of the plan.') }),
  ),
  byApplication: z.array(usageSchema.extend({ applicationId: z.string() })),
  byContentType: z.array(usageSchema.extend({ contentType: z.string() })),
  completeness: completenessSchema,
  totals: totalsSchema,
  due: dueSchema
    .nullable()
    .default(null)
    .describe('The amount to be paid; null: the month was closed by a version that posted no rounding.'),
  invoice: invoiceSchema.nullable().default(null).describe('null: the statement is no invoice.'),
  proof: proofSchema,
});

export type Statement = z.output<typeof statementSchema>;
export type StatementLine = z.output<typeof lineSchema>;
export type StatementTier = z.output<typeof tierSchema>;
export type StatementCorrection = z.output<typeof correctionSchema>;
export type StatementEntry = z.output<typeof entrySchema>;
export type StatementTerms = z.output<typeof termsSchema>;
export type StatementTotals = z.output<typeof totalsSchema>;
export type StatementDue = z.output<typeof dueSchema>;
export type StatementProof = z.output<typeof proofSchema>;
export type StatementUsage = z.output<typeof usageSchema>;
export type PlanTimeZone = z.output<typeof planTimeZoneSchema>;
export type Completeness = z.output<typeof completenessSchema>;
export type Settlement = z.output<typeof settlementSchema>;

/** Returns JSON text; the same value has the same text. */
export function statementJson(
  value: Statement | Completeness | Invoice | readonly StatementTerms[],
  indent = 2,
): string {
  return JSON.stringify(value, (_, inner) => (typeof inner === 'bigint' ? String(inner) : inner), indent);
}
