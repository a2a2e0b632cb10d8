import { type CampaignFacts, Campaigns } from './campaigns/campaigns.ts';
import { isPeriodClosed, type LastClosing, monthAfterDay } from './catalogue/closed-periods.ts';
import { type Catalogue, type CatalogueTerms, PeriodCalendar, type Plan } from './catalogue.ts';
import { Evidence } from './classify.ts';
import { evidenceTables } from './evidence-tables.ts';
import type { FlowBatch } from './flow-record.ts';
import { NetworkConditions } from './network-conditions.ts';
import type { Reason } from './outcome.ts';
import { isInHours, type PlanHours } from './plan-hours.ts';
import type { RatedCatalogue } from './prepared-catalogue.ts';
import { QuotaBook } from './quota-counting.ts';
import type { SubscriberTable } from './subscribers.ts';

/** Who is suspended as of one numbered fact. */
interface Suspensions {
  sponsorIds: ReadonlySet<string>;
  /** The last fact that was taken into account; 0 before the first. */
  number: number;
}

/** Which months finance has closed as of one numbered closing. */
export interface Closings {
  /** By sponsor id. */
  lastClosed: ReadonlyMap<string, LastClosing>;
  /** The last closing that was taken into account; 0 before the first. */
  number: number;
}

/** What was decided about sponsors and campaigns while the engine ran: numbered, so that a batch can name what it was rated with. */
export interface Facts {
  suspensions: Suspensions;
  closings: Closings;
  campaigns: CampaignFacts;
}

export const NO_FACTS: Facts = {
  suspensions: { sponsorIds: new Set(), number: 0 },
  closings: { lastClosed: new Map(), number: 0 },
  campaigns: { states: new Map(), number: 0 },
};

/** What one batch is rated with: a catalogue, and the facts. Never changes: the next batch may have others. */
export class Rules<C extends RatedCatalogue = Catalogue> {
  readonly catalogue: C;
  readonly evidence: Evidence;
  readonly planBook: PlanBook;
  /** Null where the catalogue has no further quotas. */
  readonly quotaBook: QuotaBook | null;
  /** By sponsor index: 1 is suspended. */
  readonly suspended: Uint8Array;
  readonly suspensionNumber: number;
  /** By plan index: first day of the first month that is open. 0 where the plan makes late records adjustments. */
  readonly openFromDay: Uint32Array;
  /** By plan index: the last closing of its sponsor. */
  readonly #lastClosings: readonly (LastClosing | undefined)[];
  readonly closingNumber: number;
  /** Null: no plan is a campaign. */
  readonly campaigns: Campaigns | null;

  /** `prepared`: what is made of the catalogue already. */
  constructor(
    catalogue: C,
    { suspensions, closings, campaigns }: Facts = NO_FACTS,
    prepared?: Pick<BatchRules, 'evidence' | 'planBook' | 'quotaBook'>,
  ) {
    this.catalogue = catalogue;
    this.evidence = prepared?.evidence ?? evidenceOf(catalogue);
    this.planBook = prepared?.planBook ?? new PlanBook(catalogue);
    this.quotaBook = catalogue.furtherQuotas.length === 0 ? null : (prepared?.quotaBook ?? new QuotaBook(catalogue));
    this.suspended = Uint8Array.from(catalogue.sponsors, ({ id }) => (suspensions.sponsorIds.has(id) ? 1 : 0));
    this.suspensionNumber = suspensions.number;
    this.#lastClosings = lastClosings(catalogue, closings);
    this.openFromDay = Uint32Array.from(catalogue.plans, ({ latePolicy }, plan) => {
      const month = this.#lastClosings[plan]?.month;
      return latePolicy === 'refuse' && month !== undefined ? monthAfterDay(month) : 0;
    });
    this.closingNumber = closings.number;
    const hasCampaigns = catalogue.plans.some(({ campaign }) => campaign !== undefined);
    this.campaigns = hasCampaigns ? new Campaigns(catalogue, campaigns) : null;
  }

  /** Does a plan refuse records of a period: finance has closed it, and the plan's late policy is `refuse`? */
  refusesLate(plan: number, periodStart: number): boolean {
    if (periodStart >= this.openFromDay[plan]) return false;
    return isPeriodClosed(this.catalogue.plans[plan], periodStart, this.#lastClosings[plan]);
  }

  with(facts: Facts): Rules<C> {
    const { suspensions, closings, campaigns } = facts;
    const isSame =
      suspensions.number === this.suspensionNumber &&
      closings.number === this.closingNumber &&
      (this.campaigns === null || campaigns.number === this.campaigns.number);
    return isSame ? this : new Rules(this.catalogue, facts, this);
  }
}

/** Rules of which only the terms and the tables are used, as the engine has them. */
export type BatchRules = Rules<RatedCatalogue>;

function evidenceOf(catalogue: RatedCatalogue): Evidence {
  return new Evidence('evidence' in catalogue ? catalogue.evidence : evidenceTables(catalogue.applications));
}

function lastClosings(
  { plans, applications, sponsors }: CatalogueTerms,
  { lastClosed }: Closings,
): (LastClosing | undefined)[] {
  return plans.map(({ application }) => lastClosed.get(sponsors[applications[application].sponsor].id));
}

/** What is asked of a plan, side by side in doubles. */
const PLAN_DOUBLES = 5;
const FROM_MS = 0;
const TO_MS = 1;
const PLAN = 2;
const CALENDAR = 3;
/** A bit for each content type that has a share. */
const COVERED = 4;

/** In place of a plan: none. */
const NO_PLAN = -1;

/** Whether a plan has an order or conditions. */
function isSelective({ order, hours, network }: Plan): boolean {
  return order !== Number.POSITIVE_INFINITY || hours !== null || network !== null;
}

function inOrder(indexes: readonly number[], plans: readonly Plan[]): number[] {
  // Of one order, the newest first: it is the one that most records fall under. Infinity minus itself is no number.
  return indexes.toSorted((a, b) => {
    const [first, second] = [plans[a], plans[b]];
    return first.order === second.order ? second.effectiveFromMs - first.effectiveFromMs : first.order - second.order;
  });
}

/**
 * The catalogue's plans, made ready for look-ups by application and time: in columns, as with a hundred thousand plans every
 * object on the way to one is another wait for the memory.
 */
class PlanBook {
  /** By application. */
  readonly #sponsors: Uint32Array;
  /** By application: its first plan, as a place in `#plans`; its last one ends where those of the next application begin. */
  readonly #begins: Uint32Array;
  /** By application, and then by time; of an application with an order or conditions by order, and then the newest first. */
  readonly #plans: Float64Array;
  /** By application: 1 where one of its plans has an order or conditions. */
  readonly #isOrdered: Uint8Array;
  /** By plan. */
  readonly #hours: readonly (PlanHours | null)[];
  readonly network: NetworkConditions;
  readonly #calendars: PeriodCalendar[] = [];

  constructor({ applications, plans }: CatalogueTerms) {
    this.#sponsors = Uint32Array.from(applications, ({ sponsor }) => sponsor);
    this.#begins = new Uint32Array(applications.length + 1);
    this.#plans = new Float64Array(plans.length * PLAN_DOUBLES);
    this.#isOrdered = new Uint8Array(applications.length);
    this.#hours = plans.map(({ hours }) => hours);
    this.network = new NetworkConditions(plans.map(({ network }) => network));
    const calendars = new Map<string, number>();
    const calendarOf = (plan: number) => {
      const { period, timeZone } = plans[plan];
      const key = `${period} ${timeZone}`;
      const shared = calendars.get(key) ?? this.#calendars.push(new PeriodCalendar(period, timeZone)) - 1;
      calendars.set(key, shared);
      return shared;
    };
    let at = 0;
    applications.forEach((application, index) => {
      const isOrdered = application.plans.some((plan) => isSelective(plans[plan]));
      this.#isOrdered[index] = isOrdered ? 1 : 0;
      for (const plan of isOrdered ? inOrder(application.plans, plans) : application.plans) {
        const { effectiveFromMs, effectiveToMs, shareBasisPoints } = plans[plan];
        let covered = 0;
        for (let type = 0; type < shareBasisPoints.length; type++)
          if (shareBasisPoints[type] >= 0) covered |= 1 << type;
        this.#plans[at + FROM_MS] = effectiveFromMs;
        this.#plans[at + TO_MS] = effectiveToMs;
        this.#plans[at + PLAN] = plan;
        this.#plans[at + CALENDAR] = calendarOf(plan);
        this.#plans[at + COVERED] = covered;
        at += PLAN_DOUBLES;
      }
      this.#begins[index + 1] = at;
    });
  }

  /**
   * The plan in force at the record's start whose conditions hold, and the period it counts in (rules 2 and 4). Fills `plan` and
   * `periodStart`, or gives the reason why no plan sponsors the record. `rules`: which sponsors and campaigns pay nothing now.
   * `subscribers`: those of the batch.
   */
  choose(
    batch: FlowBatch,
    row: number,
    { suspended, campaigns }: Pick<BatchRules, 'suspended' | 'campaigns'>,
    subscribers: SubscriberTable,
  ): Reason | null {
    const application = batch.application[row];
    if (suspended[this.#sponsors[application]] === 1) return 'sponsor_suspended';
    if (this.#isOrdered[application] === 1) return this.#firstThatHolds(batch, row, campaigns, subscribers);
    const at = this.#inForce(application, batch.startTimeMs[row]);
    if (at < 0) return 'no_plan';
    return this.#take(at, batch, row, campaigns, subscribers);
  }

  /** Takes the first plan by order that is in force at the record's start and whose conditions hold; else the last one says why not. */
  #firstThatHolds(
    batch: FlowBatch,
    row: number,
    campaigns: Campaigns | null,
    subscribers: SubscriberTable,
  ): Reason | null {
    const plans = this.#plans;
    const application = batch.application[row];
    const [startTimeMs, endTimeMs, network] = [batch.startTimeMs[row], batch.endTimeMs[row], batch.network[row]];
    const end = this.#begins[application + 1];
    let reason: Reason = 'no_plan';
    for (let at = this.#begins[application]; at < end; at += PLAN_DOUBLES) {
      if (startTimeMs < plans[at + FROM_MS] || startTimeMs >= plans[at + TO_MS]) continue;
      const plan = plans[at + PLAN];
      const hours = this.#hours[plan];
      if ((hours !== null && !isInHours(hours, startTimeMs, endTimeMs)) || !this.network.areMet(plan, network)) {
        reason = 'conditions_not_met';
        batch.plan[row] = NO_PLAN;
        continue;
      }
      const refusal = this.#take(at, batch, row, campaigns, subscribers);
      // A campaign that is not in force for the record leaves it to the next plan.
      if (refusal === null || campaigns === null || !campaigns.has(plan)) return refusal;
      reason = refusal;
    }
    return reason;
  }

  /** Takes the plan at this place, or says why it does not sponsor the record. */
  #take(
    at: number,
    batch: FlowBatch,
    row: number,
    campaigns: Campaigns | null,
    subscribers: SubscriberTable,
  ): Reason | null {
    const plans = this.#plans;
    const plan = plans[at + PLAN];
    const startTimeMs = batch.startTimeMs[row];
    const periodStart = this.#calendars[plans[at + CALENDAR]].startDay(startTimeMs);
    batch.plan[row] = plan;
    const closed = campaigns === null ? null : campaigns.closed(plan, periodStart, startTimeMs);
    if (closed !== null) return closed;
    if (((plans[at + COVERED] >>> batch.contentType[row]) & 1) === 0) return 'content_not_covered';
    if (campaigns?.excludes(plan, batch, row, subscribers)) return 'not_in_audience';
    batch.periodStart[row] = periodStart;
    return null;
  }

  /** The plan's place in `#plans`; NO_PLAN if there is none. */
  #inForce(application: number, timeMs: number): number {
    const plans = this.#plans;
    const begin = this.#begins[application];
    // The newest first: it is the one that most records fall under.
    for (let at = this.#begins[application + 1] - PLAN_DOUBLES; at >= begin; at -= PLAN_DOUBLES) {
      if (timeMs >= plans[at + FROM_MS] && timeMs < plans[at + TO_MS]) return at;
    }
    return NO_PLAN;
  }
}
