import type { FlowRecord } from '../../rating/flow-record.ts';
import type { Reason } from '../../rating/outcome.ts';
import type { Facts } from '../../rating/rules.ts';
import { isWherePlanned, partInHours, type SecondPlaces, secondPlaces } from './second-conditions.ts';
import { type SecondEvidence, secondEvidence } from './second-evidence.ts';
import { type Document, type SecondLimit, type SecondPlan, secondPlanOf } from './second-plans.ts';

export { priceOf, type SecondPlan } from './second-plans.ts';

const DAY_MS = 86_400_000;
const SET_BACK_MINUTES = 180;

/** The rules of one batch for the second computation: a catalogue, and the facts. Opaque to callers. */
export interface SecondRules extends SecondEvidence {
  /** Sponsor and currency, by application id. */
  payers: ReadonlyMap<string, { sponsorId: string; currency: string }>;
  /** By application id, in the order in which they are looked at; no two of the same order are in force together. */
  plans: ReadonlyMap<string, readonly SecondPlan[]>;
  places: SecondPlaces;
  suspendedSponsorIds: ReadonlySet<string>;
  /** By sponsor id: a day of the last closed month, and the latest end of the periods that are closed with it. */
  lastClosed: ReadonlyMap<string, { month: number; endedByMs: number }>;
  /** What was decided about campaigns, by plan id. */
  campaigns: Facts['campaigns']['states'];
  /** Formats the local calendar date of an instant, by time zone. */
  calendars: ReadonlyMap<string, Intl.DateTimeFormat>;
  /** Cache: was a period over at an instant? */
  periodsOver: Map<string, boolean>;
}

/**
 * Compiles a catalogue's canonical JSON and the facts as of the batch. Costs a millisecond: reuse it for batches with the
 * same catalogue.
 */
export function secondRules(canonicalJson: string, facts: Facts): SecondRules {
  const document: Document = JSON.parse(canonicalJson);
  const { sponsors, applications, plans, quotas = [] } = document;
  const currencies = new Map(sponsors.map(({ id, currency }) => [id, currency]));
  return {
    payers: new Map(
      applications.map(({ id, sponsor }) => [id, { sponsorId: sponsor, currency: currencies.get(sponsor) ?? '' }]),
    ),
    ...secondEvidence(applications),
    plans: new Map(
      applications.map(({ id }) => [
        id,
        inOrder(plans.filter(({ application }) => application === id)).map((plan) => secondPlanOf(plan, quotas)),
      ]),
    ),
    places: secondPlaces(document),
    ...factsIn(facts),
    calendars: new Map([...plans, ...quotas].map(({ timeZone }) => [timeZone, calendarOf(timeZone)])),
    periodsOver: new Map(),
  };
}

/** Returns the same rules with other facts. */
export function withFacts(rules: SecondRules, facts: Facts): SecondRules {
  return { ...rules, ...factsIn(facts) };
}

function factsIn({ suspensions, closings, campaigns }: Facts) {
  return {
    suspendedSponsorIds: suspensions.sponsorIds,
    lastClosed: closings.lastClosed,
    campaigns: campaigns.states,
  };
}

/** Plans with a lower order first; those without one last. */
function inOrder(plans: Document['plans']): Document['plans'] {
  return plans.toSorted((a, b) => (a.order ?? Number.MAX_SAFE_INTEGER) - (b.order ?? Number.MAX_SAFE_INTEGER));
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

/**
 * Returns the first plan of an application that is in force when a record starts, from `effectiveFrom` on and before `effectiveTo`, whose
 * conditions hold and that `paysNothing` has nothing against, with the record's octets that lie in its hours; or why the last one is
 * not the plan, and which one that is where its conditions hold.
 */
export function secondPlanFor(
  { plans, places }: SecondRules,
  applicationId: string,
  record: FlowRecord,
  paysNothing: (plan: SecondPlan) => Reason | null,
): { plan: SecondPlan; octets: bigint } | { plan: SecondPlan | null; reason: Reason } {
  const { startTime } = record;
  let refused: { plan: SecondPlan | null; reason: Reason } = { plan: null, reason: 'no_plan' };
  for (const plan of plans.get(applicationId) ?? []) {
    if (startTime < plan.fromMs || plan.toMs <= startTime) continue;
    const octets = isWherePlanned(plan.document, record, places) ? partInHours(plan.document, record) : null;
    if (octets === null) {
      refused = { plan: null, reason: 'conditions_not_met' };
      continue;
    }
    const reason = paysNothing(plan);
    if (reason === null) return { plan, octets };
    refused = { plan, reason };
  }
  return refused;
}

/**
 * Returns the first day, in days since 1970-01-01, of the period of a plan or a limit that holds an instant: by the date on its
 * calendar.
 */
export function firstDayOfPeriod(
  rules: SecondRules,
  { period, timeZone }: Pick<SecondLimit, 'period' | 'timeZone'>,
  timeMs: number,
): number {
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
    isOver = minutes.every((minute) => firstDayOfPeriod(rules, plan.document, timeMs + minute * 60_000) > periodStart);
    rules.periodsOver.set(key, isOver);
  }
  return isOver;
}

/** Returns a month such as 2026-11; a later month is a greater text. */
function monthOf(day: number): string {
  return new Date(day * DAY_MS).toISOString().slice(0, 7);
}
