import type { Buyer, Invoicing } from './catalogue-invoicing.ts';

/** The catalogue ready for rating: ids resolved to indexes, money in micro-units, times in milliseconds. */
export interface Catalogue {
  /** SHA-256 of `canonicalJson`, 64 hex digits: the name that a batch was rated under. */
  hash: string;
  /** The validated document with sorted keys: the same catalogue has the same text, however its YAML was laid out. */
  canonicalJson: string;
  sponsors: readonly Sponsor[];
  applications: readonly Application[];
  plans: readonly Plan[];
  /** Absent: statements are no invoices. */
  invoicing?: Invoicing;
}

export interface Sponsor {
  id: string;
  name: string;
  /** ISO 4217 code; the currency of all of the sponsor's plans. */
  currency: string;
  /** Decimals of the currency. */
  minorDigits: number;
  creditLimitMicros: number;
  /** Absent: its statements are no invoices. */
  buyer?: Buyer | undefined;
  /** Bank accounts that it pays from, as the catalogue writes them. */
  bankAccounts?: readonly string[] | undefined;
}

/** Which evidence makes a record the application's: any kind, the tag, the prefix, tag and prefix together, or the CDR's identities. */
export const MATCH_POLICIES = ['any', 'tag', 'ip', 'both', 'cdr'] as const;
export type MatchPolicy = (typeof MATCH_POLICIES)[number];

/**
 * How the network knows an application's traffic: by a session tag that the terminal sends, by the proxy's mark of the flow, or by
 * the proxy's address.
 */
export const IDENTIFICATIONS = ['terminal_tag', 'proxy_mark', 'proxy_address'] as const;
export type Identification = (typeof IDENTIFICATIONS)[number];

export interface Application {
  id: string;
  /** Index into `Catalogue.sponsors`. */
  sponsor: number;
  match: MatchPolicy;
  /** Absent: whatever `match` takes, and no tags of terminals. */
  identifiedBy?: readonly Identification[] | undefined;
  tags: readonly string[];
  /** CIDR text, v4 or v6, host bits zero. */
  prefixes: readonly string[];
  /** Values of Application-Service-Provider-Identity, and of Sponsor-Identity, in CDRs. */
  aspIdentities: readonly string[];
  sponsorIdentities: readonly string[];
  /** Whose account assertions a dispatch server accepts for it; absent: accounts are not proven by assertions. */
  accountKeys?: AccountKeys | undefined;
  /** Indexes into `Catalogue.plans`, by `effectiveFromMs`; they never overlap. */
  plans: readonly number[];
}

/** The key set that a sponsor signs account assertions of an application with; a file or an address. */
interface AccountKeys {
  /** `iss` of the assertions. */
  issuer: string;
  /** As the catalogue writes it: relative to the catalogue. */
  jwksFile?: string | undefined;
  jwksUrl?: string | undefined;
}

export const STATISTICS_PERIODS = ['day', 'week', 'month'] as const;
export type StatisticsPeriod = (typeof STATISTICS_PERIODS)[number];

export interface Plan {
  id: string;
  version: number;
  /** Index into `Catalogue.applications`. */
  application: number;
  /** In force for startTime in [effectiveFromMs, effectiveToMs). */
  effectiveFromMs: number;
  /** Infinity: no end. */
  effectiveToMs: number;
  period: StatisticsPeriod;
  /** IANA name. */
  timeZone: string;
  /** Basis points by index into CONTENT_TYPES; -1: not covered. */
  shareBasisPoints: readonly number[];
  /** Sponsored octets per subscriber and period; Infinity: no quota. */
  quotaOctets: number;
  /** A session is given only if more than this is left of the quota. */
  allocateAboveOctets: number;
  /** Ascending basis points of the quota. */
  notifyAtBasisPoints: readonly number[];
  tiers: readonly PriceTier[];
  latePolicy: 'adjust' | 'refuse';
}

/** Days after a month is over in which records of a plan may be booked without being late; of a plan that does not say. */
export const SETTLEMENT_DAYS = 10;

/** Ascending; the last one is open (`upToOctets` Infinity). */
export interface PriceTier {
  upToOctets: number;
  pricePerMiBMicros: number;
}
