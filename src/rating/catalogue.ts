import { DateTime } from 'luxon';
import type { Buyer, Invoicing } from './catalogue/catalogue-invoicing.ts';
import type { Claimed } from './claims.ts';
import type { DetectionClaim } from './detection-claims.ts';
import type { NetworkCondition } from './network-conditions.ts';
import type { PlanHours } from './plan-hours.ts';
import type { ServiceClaim } from './service-claims.ts';

/** What a catalogue says of sponsors, applications and plans: ids resolved to indexes, money in micro-units, times in milliseconds. */
export interface CatalogueTerms {
  /** SHA-256 of the canonical JSON, 64 hex digits: the name that a batch was rated under. */
  hash: string;
  sponsors: readonly Sponsor[];
  applications: readonly ApplicationTerms[];
  plans: readonly Plan[];
  /** Quotas that count beside the plans' own: every one that a plan names must allow what the plan sponsors. */
  furtherQuotas: readonly FurtherQuota[];
  /** Absent: statements are no invoices. */
  invoicing?: Invoicing;
  /** Absent: closing a month posts no fees, shortfalls and rebates. */
  monthlyTerms?: readonly MonthlyTerms[];
}

/** A flat fee, a minimum commitment and a volume rebate of each month of a sponsor, or of one of its applications. */
export interface MonthlyTerms {
  id: string;
  version: number;
  sponsorId: string;
  /** null: of all of the sponsor's applications. */
  applicationId: string | null;
  /** As `2026-10`: in force in this month and later ones. */
  fromMonth: string;
  /** In force in months before this one; null: no end. */
  toMonth: string | null;
  /** 0: none. */
  flatFeeMicros: number;
  /** null: none. */
  minimumCommitmentMicros: number | null;
  volumeRebate: VolumeRebate | null;
}

interface VolumeRebate {
  /** The rebate of the highest band that is reached, on all charges; or of each band, on its share of the charges by octets. */
  appliesTo: 'all_charges' | 'charges_in_band';
  /** Ascending. */
  bands: readonly { fromOctets: number; basisPoints: number }[];
}

/** The whole catalogue, ready for rating. */
export interface Catalogue extends CatalogueTerms {
  /** The validated document with sorted keys: the same catalogue has the same text, however its YAML was laid out. */
  canonicalJson: string;
  applications: readonly Application[];
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

/** Which evidence makes a record the application's: any kind, the tag, the prefix, tag and prefix together, or what the gateway's CDR names
 * (identity, rating group or service identifier), or any kind with the gateway's detection of the application. */
export const MATCH_POLICIES = ['any', 'tag', 'ip', 'both', 'cdr', 'detected'] as const;
export type MatchPolicy = (typeof MATCH_POLICIES)[number];

/**
 * How the network knows an application's traffic: by a session tag that the terminal sends, by the proxy's mark of the flow, or by
 * the proxy's address.
 */
export const IDENTIFICATIONS = ['terminal_tag', 'proxy_mark', 'proxy_address'] as const;
export type Identification = (typeof IDENTIFICATIONS)[number];

/** An application without the claims that its traffic is recognised by. */
export interface ApplicationTerms {
  id: string;
  /** Index into `Catalogue.sponsors`. */
  sponsor: number;
  match: MatchPolicy;
  /** Absent: whatever `match` takes, and no tags of terminals. */
  identifiedBy?: readonly Identification[] | undefined;
  /** Whether a detection is evidence by itself. */
  detection?: 'alone' | undefined;
  /** Whose account assertions a dispatch server accepts for it; absent: accounts are not proven by assertions. */
  accountKeys?: AccountKeys | undefined;
  /** Indexes into `Catalogue.plans`, by `effectiveFromMs`; of those in force together each has another `order`. */
  plans: readonly number[];
}

export interface Application extends ApplicationTerms {
  tags: readonly Claimed[];
  /** CIDR text, v4 or v6, host bits zero. */
  prefixes: readonly Claimed[];
  /** Values of Application-Service-Provider-Identity, and of Sponsor-Identity, in CDRs. */
  aspIdentities: readonly Claimed[];
  sponsorIdentities: readonly Claimed[];
  /** Rating groups and service identifiers in CDRs. */
  services: readonly ServiceClaim[];
  /** Names that gateways detect it by. */
  detections: readonly DetectionClaim[];
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
  /** Of the plans in force at a record's start whose conditions hold the lowest counts; Infinity is the last. */
  order: number;
  /** Null: at any time. */
  hours: PlanHours | null;
  /** Null: wherever the terminal is. */
  network: NetworkCondition | null;
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
  /** Indexes into `Catalogue.furtherQuotas`: the plan's windows, and the groups that it is in. */
  furtherQuotas: readonly number[];
  /** Absent: the plan is no campaign. */
  campaign?: Campaign | undefined;
}

/** Windows that a cap counts in: a calendar day, the plan's statistics period, or all of the campaign. */
export const CAP_WINDOWS = ['day', 'period', 'whole'] as const;
export type CapWindow = (typeof CAP_WINDOWS)[number];
export const CAP_UNITS = ['octets', 'money'] as const;
export type CapUnit = (typeof CAP_UNITS)[number];

/** A limit on what all subscribers together use of a campaign in a window. */
export interface CampaignCap {
  per: CapWindow;
  unit: CapUnit;
  /** Sponsored octets, or micro-units of the sponsor's currency. */
  limit: number;
  /** Ascending basis points of the limit. */
  notifyAtBasisPoints: readonly number[];
}

/** What makes a plan a campaign: facts of the store then decide, too, whether it is in force for a record. */
export interface Campaign {
  /** prepaid: in force while the sponsor's balance is above 0. */
  payment: 'prepaid' | 'postpaid';
  audience: 'opted-in' | 'everyone';
  /** At most one for each window and unit. */
  caps: readonly CampaignCap[];
}

/** One version of a window of a plan, or of a group of plans: a quota with a counter, a period and an id of its own. */
export interface FurtherQuota {
  /** The name of its counters: `plan:period` of a window, the group's own id, or `group:account` of one by account. No plan or group has a colon. */
  id: string;
  version: number;
  /** Index into `Catalogue.sponsors`. */
  sponsor: number;
  /** Index into `Catalogue.applications`; -1: a group's, which may be of several. */
  application: number;
  /** Counts records that start in [effectiveFromMs, effectiveToMs). */
  effectiveFromMs: number;
  effectiveToMs: number;
  period: StatisticsPeriod;
  timeZone: string;
  per: QuotaHolder;
  /** Sponsored octets per subscriber, or account, and period. */
  quotaOctets: number;
  /** Ascending basis points of the quota. */
  notifyAtBasisPoints: readonly number[];
}

/** Whose use a quota counts: a subscriber's, or that of all SIMs of a customer's account. */
export const QUOTA_HOLDERS = ['subscriber', 'account'] as const;
export type QuotaHolder = (typeof QUOTA_HOLDERS)[number];

/** Days after a month is over in which records of a plan may be booked without being late; of a plan that does not say. */
export const SETTLEMENT_DAYS = 10;

/** Ascending; the last one is open (`upToOctets` Infinity). */
export interface PriceTier {
  upToOctets: number;
  pricePerMiBMicros: number;
}

const QUARTER_HOUR_MS = 15 * 60 * 1000;
const DAY_MS = 24 * 60 * 60 * 1000;

/** First day of the period that holds an instant: days since 1970-01-01, of the local calendar. Weeks begin on Monday (ISO 8601). */
export function periodStartDay(timeMs: number, period: StatisticsPeriod, timeZone: string): number {
  const start = DateTime.fromMillis(timeMs, { zone: timeZone }).startOf(period);
  // The first week of 1970 begins in 1969: a Date cannot say so, and it is the epoch's week all the same.
  return Math.max(0, Date.UTC(start.year, start.month - 1, start.day) / DAY_MS);
}

const MINUTE_MS = 60_000;
/** So long after a midnight clocks may have gone back over it. */
const SET_BACK_MINUTES = 180;
/** Ends of periods by period, zone and first day: a bill asks for a few of them, millions of times. */
const knownEnds = new Map<string, number>();
const MAX_KNOWN_ENDS = 10_000;

/**
 * End of the period that begins on a day: the first instant from which on no instant lies in it, in milliseconds since
 * 1970-01-01T00:00Z.
 */
export function periodEndMs(startDay: number, period: StatisticsPeriod, timeZone: string): number {
  const key = `${period} ${timeZone} ${startDay}`;
  const known = knownEnds.get(key);
  if (known !== undefined) return known;
  const { year, month, day } = DateTime.fromMillis(startDay * DAY_MS, { zone: 'UTC' }).plus({ [period]: 1 });
  const midnight = DateTime.fromObject({ year, month, day }, { zone: timeZone });
  const midnightMs = midnight.toMillis();
  const nextStartDay = Date.UTC(year, month - 1, day) / DAY_MS;
  let endMs = midnightMs;
  // Clocks that go back over midnight, as they did at 00:01 in St. John's, have the end of the day before twice.
  const isSetBack = midnight.plus({ minutes: SET_BACK_MINUTES }).offset < midnight.offset;
  for (let minute = 0; isSetBack && minute < SET_BACK_MINUTES; minute++) {
    const timeMs = midnightMs + minute * MINUTE_MS;
    if (periodStartDay(timeMs, 'day', timeZone) < nextStartDay) endMs = timeMs + MINUTE_MS;
  }
  if (knownEnds.size >= MAX_KNOWN_ENDS) knownEnds.clear();
  knownEnds.set(key, endMs);
  return endMs;
}

/** Where the answer depends on the instant itself. */
const CHANGES = Number.NaN;
/** A stream of absurd times cannot fill the memory: ten years of quarters of an hour, or a thousand of days. */
const MAX_REMEMBERED = 350_000;

/**
 * The same, remembered. A day of UTC in which the zone's clocks do not change has one offset, and the rest is arithmetic. In the few
 * others quarters of an hour are remembered, nearly all of which lie within one day of the zone. Where a day begins in one, or clocks
 * go back over midnight, as they did at 00:01 in St. John's, the instant is computed each time.
 */
export class PeriodCalendar {
  readonly #period: StatisticsPeriod;
  readonly #timeZone: string;
  /** Milliseconds east of UTC, by day of UTC. */
  readonly #offsetOfDay = new Map<number, number>();
  /** First day of the period, by day of the zone. */
  readonly #startOfDay = new Map<number, number>();
  /** First day of the period, by quarter of an hour. */
  readonly #startOfQuarter = new Map<number, number>();

  constructor(period: StatisticsPeriod, timeZone: string) {
    this.#period = period;
    this.#timeZone = timeZone;
  }

  startDay(timeMs: number): number {
    const offsetMs = remember(this.#offsetOfDay, Math.floor(timeMs / DAY_MS), this.#offsetMs);
    if (Number.isNaN(offsetMs)) return this.#startOnDayOfChange(timeMs);
    return remember(this.#startOfDay, Math.floor((timeMs + offsetMs) / DAY_MS), this.#startOfLocalDay);
  }

  readonly #offsetMs = (day: number): number => {
    const zone = { zone: this.#timeZone };
    const { offset } = DateTime.fromMillis(day * DAY_MS, zone);
    // Clocks change twice a day nowhere.
    return DateTime.fromMillis((day + 1) * DAY_MS, zone).offset === offset ? offset * MINUTE_MS : CHANGES;
  };

  readonly #startOfLocalDay = (day: number): number => periodStartDay(day * DAY_MS, this.#period, 'UTC');

  #startOnDayOfChange(timeMs: number): number {
    const known = remember(this.#startOfQuarter, Math.floor(timeMs / QUARTER_HOUR_MS), this.#startIfOne);
    return Number.isNaN(known) ? periodStartDay(timeMs, this.#period, this.#timeZone) : known;
  }

  readonly #startIfOne = (quarter: number): number => {
    const startMs = quarter * QUARTER_HOUR_MS;
    const first = periodStartDay(startMs, this.#period, this.#timeZone);
    return periodStartDay(startMs + QUARTER_HOUR_MS - 1, this.#period, this.#timeZone) === first ? first : CHANGES;
  };
}

function remember(known: Map<number, number>, key: number, compute: (key: number) => number): number {
  const value = known.get(key);
  if (value !== undefined) return value;
  if (known.size > MAX_REMEMBERED) known.clear();
  const computed = compute(key);
  known.set(key, computed);
  return computed;
}
