import type { Catalogue } from './catalogue.ts';
import { PlanBook } from './choose-plan.ts';
import { Evidence } from './classify.ts';
import { isPeriodClosed, type LastClosing, monthAfterDay } from './closed-periods.ts';

/** Who is suspended as of one numbered fact. */
export interface Suspensions {
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

/** What was decided about sponsors while the engine ran: numbered, so that a batch can name what it was rated with. */
export interface Facts {
  suspensions: Suspensions;
  closings: Closings;
}

export const NO_FACTS: Facts = {
  suspensions: { sponsorIds: new Set(), number: 0 },
  closings: { lastClosed: new Map(), number: 0 },
};

/** What one batch is rated with: a catalogue, and the facts. Never changes: the next batch may have others. */
export class Rules {
  readonly catalogue: Catalogue;
  readonly evidence: Evidence;
  readonly planBook: PlanBook;
  /** By sponsor index: 1 is suspended. */
  readonly suspended: Uint8Array;
  readonly suspensionNumber: number;
  /** By plan index: first day of the first month that is open. 0 where the plan makes late records adjustments. */
  readonly openFromDay: Uint32Array;
  /** By plan index: the last closing of its sponsor. */
  readonly #lastClosings: readonly (LastClosing | undefined)[];
  readonly closingNumber: number;

  /** `prepared`: what is made of the catalogue already. */
  constructor(
    catalogue: Catalogue,
    { suspensions, closings }: Facts = NO_FACTS,
    prepared?: Partial<Pick<Rules, 'evidence' | 'planBook'>>,
  ) {
    this.catalogue = catalogue;
    this.evidence = prepared?.evidence ?? new Evidence(catalogue);
    this.planBook = prepared?.planBook ?? new PlanBook(catalogue);
    this.suspended = Uint8Array.from(catalogue.sponsors, ({ id }) => (suspensions.sponsorIds.has(id) ? 1 : 0));
    this.suspensionNumber = suspensions.number;
    this.#lastClosings = lastClosings(catalogue, closings);
    this.openFromDay = Uint32Array.from(catalogue.plans, ({ latePolicy }, plan) => {
      const month = this.#lastClosings[plan]?.month;
      return latePolicy === 'refuse' && month !== undefined ? monthAfterDay(month) : 0;
    });
    this.closingNumber = closings.number;
  }

  /** Does a plan refuse records of a period: finance has closed it, and the plan's late policy is `refuse`? */
  refusesLate(plan: number, periodStart: number): boolean {
    if (periodStart >= this.openFromDay[plan]) return false;
    return isPeriodClosed(this.catalogue.plans[plan], periodStart, this.#lastClosings[plan]);
  }

  with(facts: Facts): Rules {
    const { suspensions, closings } = facts;
    const isSame = suspensions.number === this.suspensionNumber && closings.number === this.closingNumber;
    return isSame ? this : new Rules(this.catalogue, facts, this);
  }
}

function lastClosings(
  { plans, applications, sponsors }: Catalogue,
  { lastClosed }: Closings,
): (LastClosing | undefined)[] {
  return plans.map(({ application }) => lastClosed.get(sponsors[applications[application].sponsor].id));
}
