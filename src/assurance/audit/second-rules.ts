import type * as z from 'zod';
import type { catalogueSchema } from '../../rating/catalogue/catalogue-document.ts';
import type { Facts } from '../../rating/rules.ts';
import { type SecondEvidence, secondEvidence } from './second-evidence.ts';

const DAY_MS = 86_400_000;
const MICROS_DECIMALS = 6;
const OCTETS_PER_MIB = 1n << 20n;
const SET_BACK_MINUTES = 180;

/** The catalogue in its canonical JSON; a field with a default may be absent from an older one. */
type Document = z.input<typeof catalogueSchema>;

/** A plan's document, its times in milliseconds and its money and octets in big integers. */
export interface SecondPlan {
  document: Document['plans'][number];
  fromMs: number;
  /** Infinity: no end. */
  toMs: number;
  /** null: no limit. */
  quotaOctets: bigint | null;
  /** `upToOctets` is null for the last one. */
  tiers: readonly { upToOctets: bigint | null; pricePerMiBMicros: bigint }[];
}

/** The rules of one batch for the second computation: a catalogue, the suspensions, and the closings. Opaque to callers. */
export interface SecondRules extends SecondEvidence {
  /** Sponsor and currency, by application id. */
  payers: ReadonlyMap<string, { sponsorId: string; currency: string }>;
  /** By application id; no two are in force together. */
  plans: ReadonlyMap<string, readonly SecondPlan[]>;
  suspendedSponsorIds: ReadonlySet<string>;
  /** By sponsor id: a day of the last closed month, and the latest end of the periods that are closed with it. */
  lastClosed: ReadonlyMap<string, { month: number; endedByMs: number }>;
  /** Formats the local calendar date of an instant, by time zone. */
  calendars: ReadonlyMap<string, Intl.DateTimeFormat>;
  /** Cache: was a period over at an instant? */
  periodsOver: Map<string, boolean>;
}

/**
 * Compiles a catalogue's canonical JSON and the facts as of the batch. Costs a millisecond: reuse it for batches with the
 * same rules.
 */
export function secondRules(canonicalJson: string, { suspensions, closings }: Facts): SecondRules {
  const { sponsors, applications, plans }: Document = JSON.parse(canonicalJson);
  const currencies = new Map(sponsors.map(({ id, currency }) => [id, currency]));
  return {
    payers: new Map(
      applications.map(({ id, sponsor }) => [id, { sponsorId: sponsor, currency: currencies.get(sponsor) ?? '' }]),
    ),
    ...secondEvidence(applications),
    plans: new Map(
      applications.map(({ id }) => [id, plans.filter(({ application }) => application === id).map(planOf)]),
    ),
    suspendedSponsorIds: suspensions.sponsorIds,
    lastClosed: closings.lastClosed,
    calendars: new Map(plans.map(({ timeZone }) => [timeZone, calendarOf(timeZone)])),
    periodsOver: new Map(),
  };
}

function planOf(document: SecondPlan['document']): SecondPlan {
  const { effectiveFrom, effectiveTo, quotaOctets, tiers } = document;
  return {
    document,
    fromMs: Date.parse(effectiveFrom),
    toMs: effectiveTo === null ? Number.POSITIVE_INFINITY : Date.parse(effectiveTo),
    quotaOctets: quotaOctets === null ? null : BigInt(quotaOctets),
    tiers: tiers.map(({ upToOctets, pricePerMiB }) => ({
      upToOctets: upToOctets === null ? null : BigInt(upToOctets),
      pricePerMiBMicros: microsOf(pricePerMiB),
    })),
  };
}

function microsOf(decimal: string): bigint {
  const [units, decimals = ''] = decimal.split('.');
  return BigInt(units + decimals.padEnd(MICROS_DECIMALS, '0'));
}

function calendarOf(timeZone: string): Intl.DateTimeFormat {
  return new Intl.DateTimeFormat('en-US', { timeZone, year: 'numeric', month: 'numeric', day: 'numeric' });
}

/**
 * Returns the last instant that a record may name: the configured limit after its log's time, which is its own timestamp, or
 * the end of the batch's booking date where the log has no timestamp of this century.
 */
export function lastInstantOf(timestampMs: number | null, bookingDay: number, maxFutureSkewMs: number): number {
  if (maxFutureSkewMs <= 0) return Number.POSITIVE_INFINITY;
  const hasTimestamp = timestampMs !== null && new Date(timestampMs).getUTCFullYear() >= 2000;
  const logTimeMs = hasTimestamp ? timestampMs : new Date(bookingDay * DAY_MS).setUTCHours(24, 0, 0, 0);
  return logTimeMs + maxFutureSkewMs;
}

/** Returns the plan of an application that is in force at an instant: from `effectiveFrom` on, before `effectiveTo`. */
export function secondPlanInForce(
  { plans }: SecondRules,
  applicationId: string,
  timeMs: number,
): SecondPlan | undefined {
  return plans.get(applicationId)?.find(({ fromMs, toMs }) => fromMs <= timeMs && timeMs < toMs);
}

/**
 * Returns the first day, in days since 1970-01-01, of the plan's period that holds an instant: by the date on the plan's
 * calendar.
 */
export function firstDayOfPeriod(rules: SecondRules, { document }: SecondPlan, timeMs: number): number {
  const { period, timeZone } = document;
  const calendar = rules.calendars.get(timeZone);
  if (calendar === undefined) throw new Error(`no calendar for ${timeZone}`);
  const [month, day, year] = calendar.format(timeMs).split('/').map(Number);
  const today = Date.UTC(year, month - 1, day) / DAY_MS;
  // Day 0 was a Thursday, three days after a Monday; west of Greenwich it may still be 1969.
  const daysIntoPeriod = { day: 0, week: (today + 3 + 7) % 7, month: day - 1 }[period];
  // A period that began before 1970 is booked on its first day.
  return Math.max(0, today - daysIntoPeriod);
}

/**
 * Returns whether a period is closed to a plan's records: its month is closed, the period was over at the closing, and the
 * plan makes no adjustments.
 */
export function isClosed(rules: SecondRules, plan: SecondPlan, sponsorId: string, periodStart: number): boolean {
  const closed = rules.lastClosed.get(sponsorId);
  if (plan.document.latePolicy !== 'refuse' || closed === undefined) return false;
  if (monthOf(periodStart) > monthOf(closed.month)) return false;
  return plan.toMs <= closed.endedByMs || isOver(rules, plan, periodStart, closed.endedByMs);
}

/** Returns whether a period is over at an instant, and for as long after it as clocks may go back over a midnight. */
function isOver(rules: SecondRules, plan: SecondPlan, periodStart: number, timeMs: number): boolean {
  if (timeMs === Number.POSITIVE_INFINITY) return true;
  const key = `${plan.document.period} ${plan.document.timeZone} ${periodStart} ${timeMs}`;
  let isOver = rules.periodsOver.get(key);
  if (isOver === undefined) {
    const minutes = [...Array(SET_BACK_MINUTES).keys()];
    isOver = minutes.every((minute) => firstDayOfPeriod(rules, plan, timeMs + minute * 60_000) > periodStart);
    rules.periodsOver.set(key, isOver);
  }
  return isOver;
}

/** Returns a month such as 2026-11; a later month is a greater text. */
function monthOf(day: number): string {
  return new Date(day * DAY_MS).toISOString().slice(0, 7);
}

/** Returns F(u) of the tiered price in micro-units: each octet at the price of its tier, rounded half up once. */
export function priceOf({ tiers }: SecondPlan, octets: bigint): bigint {
  let sum = 0n; // micros per MiB x octets
  let from = 0n;
  for (const { upToOctets, pricePerMiBMicros } of tiers) {
    const end = upToOctets === null || upToOctets > octets ? octets : upToOctets;
    sum += (end - from) * pricePerMiBMicros;
    from = end;
  }
  return (sum + OCTETS_PER_MIB / 2n) / OCTETS_PER_MIB;
}
