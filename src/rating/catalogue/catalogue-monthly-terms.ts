import * as z from 'zod';
import type { MonthlyTerms } from '../catalogue.ts';
import { parseMicros } from '../money.ts';
import { id, MAX_AMOUNT, money } from './catalogue-fields.ts';

/** What a reached band of a volume rebate is of. */
const REBATE_BASES = ['all_charges', 'charges_in_band'] as const;

const ALL_BASIS_POINTS = 10_000;

/** ClickHouse has days from 1970 to the middle of 2149. */
const firstDay = () =>
  z.string().regex(/^(19[7-9]\d|20\d\d|21[0-3]\d|214[0-8])-(0[1-9]|1[0-2])-01$/, {
    error: 'expected the first day of a month, as 2026-10-01: monthly terms apply to whole months',
  });

const amount = (of: string) => money(Number.MAX_SAFE_INTEGER, MAX_AMOUNT).optional().describe(of);

const bandSchema = z.strictObject({
  fromOctets: z
    .int()
    .min(0)
    .describe(
      "Beginning of the band, in sponsored octets of the month's statement. It ends where the next one begins.",
    ),
  basisPoints: z.int().min(0).max(ALL_BASIS_POINTS).describe('The rebate in basis points (10000 is all).'),
});

const rebateSchema = z
  .strictObject({
    appliesTo: z
      .enum(REBATE_BASES)
      .describe(
        "The rebate of the highest band that the month reaches, on all of its charges (all_charges, also called back to first or retroactive); or each band's rebate on its share of the charges, by octets (charges_in_band, also called incremental).",
      ),
    bands: z.array(bandSchema).min(1).describe('Ascending bands. Octets below the first one have no rebate.'),
  })
  .describe("Rebate on the charges of the month's statement, by its sponsored octets. Absent: none.");

/** Entries of `monthlyTerms`. Absent fields stay absent, so that a catalogue without them keeps its hash. */
export const monthlyTermsSchema = z.strictObject({
  id: id('Name of the terms.'),
  version: z
    .int()
    .min(1)
    .max(2 ** 31 - 1)
    .describe('Number of the version of these terms.'),
  sponsor: z.string().describe('Id of the sponsor.'),
  application: z
    .string()
    .optional()
    .describe(
      "Id of an application of the sponsor: the terms are of its charges. Absent: of the charges of all of the sponsor's applications.",
    ),
  effectiveFrom: firstDay().describe('First day of the first month that the terms apply to.'),
  effectiveTo: firstDay()
    .nullable()
    .describe('First day of the month after the last one that they apply to; null: no end.'),
  flatFee: amount(
    "What each month costs in any case, in units of the sponsor's currency: decimal text, with no more decimals than the currency has. Absent: nothing.",
  ),
  minimumCommitment: amount(
    'What the sponsor pays at least for the usage of a month, less rebates and before tax. A lower month is billed the shortfall. The flat fee comes on top. Absent: none.',
  ),
  volumeRebate: rebateSchema.optional(),
});

export type MonthlyTermsDocument = z.output<typeof monthlyTermsSchema>;

/** Returns the terms with amounts in micro-units and months as `2026-10`. */
export function compileMonthlyTerms(document: MonthlyTermsDocument): MonthlyTerms {
  const { id, version, sponsor, application, effectiveFrom, effectiveTo } = document;
  return {
    id,
    version,
    sponsorId: sponsor,
    applicationId: application ?? null,
    fromMonth: monthOf(effectiveFrom),
    toMonth: effectiveTo === null ? null : monthOf(effectiveTo),
    flatFeeMicros: micros(document.flatFee) ?? 0,
    minimumCommitmentMicros: micros(document.minimumCommitment),
    volumeRebate: document.volumeRebate ?? null,
  };
}

function monthOf(day: string): string {
  return day.slice(0, 7);
}

function micros(text: string | undefined): number | null {
  return text === undefined ? null : parseMicros(text);
}
