import {
  type CampaignCap,
  type CapUnit,
  type CapWindow,
  type CatalogueTerms,
  PeriodCalendar,
  type Plan,
} from '../catalogue.ts';
import type { FlowBatch } from '../flow-record.ts';
import type { Reason } from '../outcome.ts';
import { PSEUDONYM_WORDS, type SubscriberTable } from '../subscribers.ts';
import { Audience } from './audience.ts';

/** A cap that was reached in a window. */
export interface ReachedCap {
  per: CapWindow;
  unit: CapUnit;
  /** Octets or micro-units, as the catalogue had it then. */
  limit: number;
  /** First day of the window, days since 1970-01-01; 0 for the whole campaign. */
  windowStart: number;
}

/** A share of a cap that was reached in a window. */
export interface ReachedThreshold extends ReachedCap {
  basisPoints: number;
}

/** What was decided about one campaign as of one numbered fact. */
export interface CampaignState {
  isPaused: boolean;
  /** Of a prepaid campaign: the sponsor's balance was above 0 at the last look. */
  isFunded: boolean;
  reached: readonly ReachedCap[];
  thresholds: readonly ReachedThreshold[];
  audience: Audience;
}

export const UNTOUCHED: CampaignState = {
  isPaused: false,
  isFunded: false,
  reached: [],
  thresholds: [],
  audience: Audience.EMPTY,
};

/** What was decided about campaigns as of one numbered fact. */
export interface CampaignFacts {
  /** By plan id. */
  states: ReadonlyMap<string, CampaignState>;
  /** The last fact that was taken into account; 0 before the first. */
  number: number;
}

/** What keeps a campaign from being in force. */
interface Gate {
  /** For every record: it is paused, not paid ahead, or over a cap of the whole campaign. */
  always: Reason | null;
  /** First days of the periods, and days, that a cap is reached in. */
  periods: ReadonlySet<number>;
  days: ReadonlySet<number>;
  calendar: PeriodCalendar;
  /** Null: everyone. */
  audience: Audience | null;
}

/** Which campaigns are in force, as of one numbered fact. */
export class Campaigns {
  readonly number: number;
  /** By plan index; absent: no campaign. */
  readonly #gates: readonly (Gate | undefined)[];
  readonly #pseudonym = new Uint32Array(PSEUDONYM_WORDS);

  constructor({ plans }: Pick<CatalogueTerms, 'plans'>, { states, number }: CampaignFacts) {
    this.number = number;
    const gates: Gate[] = [];
    plans.forEach((plan, index) => {
      if (plan.campaign !== undefined) gates[index] = gateOf(plan, plan.campaign, states.get(plan.id) ?? UNTOUCHED);
    });
    this.#gates = gates;
  }

  /** Returns whether the plan is a campaign. */
  has(plan: number): boolean {
    return this.#gates[plan] !== undefined;
  }

  /** Returns why a campaign pays for no record, of any subscriber; null: it does, or the plan is no campaign. */
  closed(plan: number, periodStart: number, startTimeMs: number): Reason | null {
    const gate = this.#gates[plan];
    if (gate === undefined) return null;
    if (gate.always !== null) return gate.always;
    if (gate.periods.has(periodStart)) return 'cap_reached';
    return gate.days.size > 0 && gate.days.has(gate.calendar.startDay(startTimeMs)) ? 'cap_reached' : null;
  }

  /** Returns whether the plan is a campaign for others than the record's subscriber. */
  excludes(plan: number, batch: FlowBatch, row: number, subscribers: Pick<SubscriberTable, 'copyPseudonym'>): boolean {
    const audience = this.#gates[plan]?.audience ?? null;
    if (audience === null) return false;
    subscribers.copyPseudonym(batch.subscriber[row], this.#pseudonym, 0);
    return !audience.has(this.#pseudonym, 0);
  }
}

function gateOf(plan: Plan, { payment, audience, caps }: NonNullable<Plan['campaign']>, state: CampaignState): Gate {
  const reached = caps.flatMap((cap) => windowsReached(cap, state));
  const startsOf = (per: CapWindow) =>
    new Set(reached.filter((cap) => cap.per === per).map(({ windowStart }) => windowStart));
  const isOver = reached.some(({ per }) => per === 'whole');
  return {
    always: state.isPaused
      ? 'campaign_paused'
      : payment === 'prepaid' && !state.isFunded
        ? 'campaign_unfunded'
        : isOver
          ? 'cap_reached'
          : null,
    periods: startsOf('period'),
    days: startsOf('day'),
    calendar: dayCalendar(plan.timeZone),
    audience: audience === 'opted-in' ? state.audience : null,
  };
}

/** A window is over this cap if the use reached this limit or a higher one in it: a cap that is raised opens its windows again. */
export function windowsReached(
  { per, unit, limit }: CampaignCap,
  { reached }: Pick<CampaignState, 'reached'>,
): ReachedCap[] {
  return reached.filter((cap) => cap.per === per && cap.unit === unit && cap.limit >= limit);
}

const dayCalendars = new Map<string, PeriodCalendar>();

/** Calendars are shared: what they have remembered outlives the next fact. */
function dayCalendar(timeZone: string): PeriodCalendar {
  const calendar = dayCalendars.get(timeZone) ?? new PeriodCalendar('day', timeZone);
  dayCalendars.set(timeZone, calendar);
  return calendar;
}
