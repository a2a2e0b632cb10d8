import { IANAZone } from 'luxon';
import * as z from 'zod';
import { IDENTIFICATIONS, MATCH_POLICIES, QUOTA_HOLDERS, SETTLEMENT_DAYS, STATISTICS_PERIODS } from '../catalogue.ts';
import { CONTENT_TYPES } from '../flow-record.ts';
import { MAX_TEXT_LENGTH } from '../record/validate.ts';
import { campaignSchema } from './campaign-document.ts';
import { locationSchema, networkSchema, planConditionsSchema } from './catalogue-conditions.ts';
import { id, MAX_AMOUNT, money, time } from './catalogue-fields.ts';
import { buyerSchema, invoicingSchema } from './catalogue-invoicing.ts';
import { monthlyTermsSchema } from './catalogue-monthly-terms.ts';
import {
  detectedNameSchema,
  identities,
  prefixSchema,
  ratingGroupSchema,
  serviceIdentifierSchema,
  tagSchema,
} from './claim-document.ts';
import { isCurrency } from './currencies.ts';

/** Prices stay below 2^32 micro-units, so that `price.ts` is exact in doubles. */
const MAX_PRICE_MICROS = 2 ** 32 - 1;

/** Plans share a few zones, and asking the runtime for one takes as long as all the rest of a plan. */
const zones = new Map<string, boolean>();
const MAX_ZONES = 1000;

function isZone(name: string): boolean {
  const known = zones.get(name);
  if (known !== undefined) return known;
  const isKnown = /^[A-Za-z]/.test(name) && IANAZone.isValidZone(name);
  if (zones.size < MAX_ZONES) zones.set(name, isKnown);
  return isKnown;
}

const sponsorSchema = z.strictObject({
  id: id('Name of the sponsor in charges, balances and suspensions.'),
  name: z.string().min(1).max(256).describe('Name for people.'),
  currency: z
    .string()
    .refine(isCurrency, { error: 'expected an ISO 4217 code, as EUR' })
    .describe("ISO 4217 code; the currency of all of the sponsor's plans."),
  minorDigits: z
    .int()
    .min(0)
    .max(6)
    .optional()
    .describe('Decimals of the currency. Leave it out: those of ISO 4217 are kept with the catalogue under its hash.'),
  bankAccounts: z
    .array(
      z.string().regex(/^[A-Za-z0-9][A-Za-z0-9 ./-]{2,39}$/, { error: 'expected an IBAN or another account number' }),
    )
    .min(1, { error: 'expected an account, or no such field' })
    .optional()
    .describe(
      'Bank accounts (IBAN or other) that the sponsor pays from: what `account payment --camt053` knows it by.',
    ),
  creditLimit: money(Number.MAX_SAFE_INTEGER, MAX_AMOUNT).describe(
    'What the sponsor may owe before it is suspended, in units of its currency: decimal text, with no more decimals than the currency has.',
  ),
  buyer: buyerSchema.optional(),
});

/** Absent stays absent, so that a catalogue without it keeps its hash. */
const accountKeysSchema = z
  .strictObject({
    issuer: z.string().min(1).max(MAX_TEXT_LENGTH).describe('The issuer of the assertions, their `iss`.'),
    jwksFile: z.string().min(1).optional().describe('Its public keys, a JSON Web Key Set. Relative to this file.'),
    jwksUrl: z
      .url({ protocol: /^https$/ })
      .optional()
      .describe('HTTPS address of its public keys, a JSON Web Key Set.'),
  })
  .refine(({ jwksFile, jwksUrl }) => (jwksFile === undefined) !== (jwksUrl === undefined), {
    error: 'name either jwksFile or jwksUrl',
  })
  .meta({ oneOf: [{ required: ['jwksFile'] }, { required: ['jwksUrl'] }] })
  .describe(
    "Keys (Ed25519 or P-256) that the sponsor signs assertions of its users' accounts with. Only a dispatch server reads them.",
  );

const applicationSchema = z.strictObject({
  id: id('Name of the application.'),
  sponsor: z.string().describe('Id of the sponsor that pays.'),
  match: z
    .enum(MATCH_POLICIES)
    .default('any')
    .describe(
      'Which evidence a record needs: any kind (any), the tag, a proxy prefix (ip), tag and prefix (both), an identity, a rating group or a service identifier of the CDR (cdr), or any kind together with a detection by the gateway (detected).',
    ),
  identifiedBy: z
    .array(z.enum(IDENTIFICATIONS))
    .min(1, { error: 'expected a way, or no such field' })
    .optional()
    .describe(
      'Ways in which the network knows its traffic: a session tag that the terminal sends (terminal_tag), the mark of its proxy (proxy_mark), its proxy’s address (proxy_address). Only with terminal_tag are its terminals given tags. Absent: as `match` says, and no tags of terminals.',
    ),
  tags: z
    .array(tagSchema)
    .default([])
    .describe(
      "Zero-rating tags that the application's proxy puts into its traffic. A text alone is in force always; so it is in the lists below.",
    ),
  prefixes: z
    .array(prefixSchema)
    .default([])
    .describe(
      "Networks of the application's servers or proxies, CIDR, IPv4 or IPv6. Of nested prefixes in force the longest wins.",
    ),
  prefixFiles: z
    .array(z.string().min(1))
    .min(1, { error: 'expected a file, or no such field' })
    .optional()
    .describe(
      'Parts of the catalogue with further prefixes of this application, as `zerorate evidence` writes them. Relative to this file.',
    ),
  aspIdentities: identities('Application-Service-Provider-Identity (AVP 532) in the CDRs of its traffic.'),
  sponsorIdentities: identities(
    'Sponsor-Identity (AVP 531) in the CDRs of its traffic, where no application claims their ASP identity.',
  ),
  ratingGroups: z
    .array(ratingGroupSchema)
    .min(1, { error: 'expected a rating group, or no such field' })
    .optional()
    .describe(
      'Rating-Group (AVP 432) of its records, and where it shares one with others the service identifier in it. The more specific claim decides: both, then the service identifier, then the rating group.',
    ),
  serviceIdentifiers: z
    .array(serviceIdentifierSchema)
    .min(1, { error: 'expected a service identifier, or no such field' })
    .optional()
    .describe('Service-Identifier (AVP 439) of its records, in any rating group.'),
  detectedNames: z
    .array(detectedNameSchema)
    .min(1, { error: 'expected a name, or no such field' })
    .optional()
    .describe(
      'Names that gateways give its traffic which they detect (detectedApplication of a flow record). A detection counts together with other evidence, and must not name another application.',
    ),
  detection: z
    .enum(['alone'])
    .optional()
    .describe(
      'alone: a detection without other evidence sponsors a record, too, as evidence of the kind cdr. Any client can send any name: absent, a detection alone sponsors nothing.',
    ),
  accountKeys: accountKeysSchema.optional(),
});

const tierSchema = z.strictObject({
  upToOctets: z
    .int()
    .min(1)
    .nullable()
    .describe("The tier's end, in a subscriber's sponsored octets of the period. null: open, as the last tier is."),
  pricePerMiB: money(MAX_PRICE_MICROS, '4294.967295').describe(
    "Price of 2^20 octets, in units of the sponsor's currency: decimal text, at most 6 decimals, at most 4294.967295.",
  ),
});

const contentSchema = z.strictObject(
  Object.fromEntries(CONTENT_TYPES.map((type) => [type, z.int().min(0).max(10_000).optional()])) as Record<
    (typeof CONTENT_TYPES)[number],
    z.ZodOptional<z.ZodInt>
  >,
);

const notifyAt = z
  .array(z.int().min(1).max(10_000))
  .refine((steps) => steps.every((step, i) => i === 0 || step > steps[i - 1]), {
    error: 'expected ascending numbers',
  });

/** Absent stays absent, as above. */
const furtherNotifyAt = notifyAt
  .optional()
  .describe('As in a plan: shares of this quota, ascending basis points. Absent: none.');

const windowSchema = z.strictObject({
  period: z.enum(STATISTICS_PERIODS).describe("Calendar period in the plan's time zone; not the plan's own."),
  quotaOctets: z.int().min(0).describe('Sponsored octets per subscriber and such period.'),
  notifyAt: furtherNotifyAt,
});

const planSchema = z.strictObject({
  id: id('Name of the plan. All versions of a plan count in one counter.'),
  application: z.string().describe('Id of the application.'),
  version: z
    .int()
    .min(1)
    .max(2 ** 31 - 1)
    .describe('Number of the version of this plan.'),
  effectiveFrom: time().describe('In force for records that start at this instant or later.'),
  effectiveTo: time().nullable().describe('In force for records that start before this instant; null: no end.'),
  period: z.enum(STATISTICS_PERIODS).describe('Calendar period that quota and tiers count in; weeks begin on Monday.'),
  timeZone: z
    .string()
    // Some runtimes take offsets such as +08:00 for zones; a name means the same everywhere.
    .refine(isZone, {
      error: 'expected an IANA time zone, as Asia/Shanghai or UTC',
    })
    .describe('IANA name of the time zone that periods begin in.'),
  content: contentSchema.describe(
    'Sponsored share by content type, in basis points (10000 is all). Absent: not covered. unknown: records without a type.',
  ),
  order: z
    .int()
    .min(1)
    .optional()
    .describe(
      'Place among the plans of the application that are in force together: a record is of the first whose conditions hold. Absent: the last.',
    ),
  conditions: planConditionsSchema
    .optional()
    .describe('When and where the plan sponsors; all must hold. Absent: always and everywhere.'),
  quotaOctets: z.int().min(0).nullable().describe('Sponsored octets per subscriber and period; null: no limit.'),
  allocateAboveOctets: z
    .int()
    .min(0)
    .optional()
    .describe('A session is given to a subscriber only if more than this is left of the quota. Absent: 0.'),
  notifyAt: notifyAt
    .default([])
    .describe(
      'Shares of the quota, ascending basis points. Each quota update names the highest one that the use has reached.',
    ),
  windows: z
    .array(windowSchema)
    .min(1, { error: 'expected a window, or no such field' })
    .optional()
    .describe(
      'Further quotas of the plan by other periods, as 300 MB a day beside 2 GB a month: a record is sponsored as far as all of them allow. Their counters are named `plan:period`.',
    ),
  tiers: z.array(tierSchema).min(1).describe('Price by use in the period: ascending tiers, the last one open.'),
  latePolicy: z
    .enum(['adjust', 'refuse'])
    .default('adjust')
    .describe('Records of a period that finance has closed: book as an adjustment, or refuse.'),
  settlementDays: z
    .int()
    .min(0)
    .max(366)
    .optional()
    .describe(
      `Days after a month is over in which its records may be booked without being late in the statement. Absent: ${SETTLEMENT_DAYS}.`,
    ),
  /** Absent stays absent, as above. */
  campaign: campaignSchema.optional(),
});

const quotaSchema = z.strictObject({
  id: id('Name of the quota, and of its counters; no plan may have it. All versions of a quota count in one counter.'),
  sponsor: z.string().describe('Id of the sponsor whose plans these are.'),
  version: z
    .int()
    .min(1)
    .max(2 ** 31 - 1)
    .describe('Number of the version of this quota.'),
  effectiveFrom: time().describe('Counts records that start at this instant or later.'),
  effectiveTo: time().nullable().describe('Counts records that start before this instant; null: no end.'),
  period: z.enum(STATISTICS_PERIODS).describe('Calendar period that it counts in; weeks begin on Monday.'),
  timeZone: z
    .string()
    .refine(isZone, { error: 'expected an IANA time zone, as Asia/Shanghai or UTC' })
    .describe('IANA name of the time zone that its periods begin in.'),
  /** Absent stays absent, as above. */
  per: z
    .enum(QUOTA_HOLDERS)
    .optional()
    .describe(
      'Whose use it counts: subscriber, or account: all SIMs whose flow records have the same accountId together; a record without one counts for its subscriber. Absent: subscriber.',
    ),
  quotaOctets: z
    .int()
    .min(0)
    .describe('Sponsored octets per subscriber, or account, and period, under all of the plans together.'),
  notifyAt: furtherNotifyAt,
  plans: z.array(z.string()).min(1).describe('Ids of the plans that count in it, of the sponsor’s applications.'),
});

/** The catalogue file. The descriptions are published with its JSON Schema. */
export const catalogueSchema = z
  .strictObject({
    sponsors: z.array(sponsorSchema).describe('Who pays.'),
    applications: z.array(applicationSchema).describe('Services of the sponsors, and how their traffic is known.'),
    plans: z.array(planSchema).describe('What is sponsored and what it costs, dated and versioned.'),
    network: networkSchema.optional(),
    locations: z.array(locationSchema).optional().describe('Groups of tracking areas that conditions of plans name.'),
    quotas: z
      .array(quotaSchema)
      .min(1, { error: 'expected a quota, or no such field' })
      .optional()
      .describe(
        'Quotas over several plans of a sponsor together, beside the plans’ own: a record is sponsored as far as all of them allow.',
      ),
    invoicing: invoicingSchema.optional(),
    monthlyTerms: z
      .array(monthlyTermsSchema)
      .min(1, { error: 'expected terms, or no such field' })
      .optional()
      .describe(
        'Flat fees, minimum commitments and volume rebates of whole months, dated and versioned; posted when a month is closed.',
      ),
  })
  .describe('The catalogue of zerorate: sponsors, applications and sponsorship plans.');

/** The catalogue file's value, defaults filled in. */
export type CatalogueDocument = z.output<typeof catalogueSchema>;
export type PlanDocument = CatalogueDocument['plans'][number];
export type QuotaDocument = NonNullable<CatalogueDocument['quotas']>[number];
/** What is wrong with a catalogue whose every field is well-formed. */
export interface CatalogueFault {
  /** Keys and list indexes from the document's root. */
  path: readonly (string | number)[];
  message: string;
}
