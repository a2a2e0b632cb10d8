import type { Catalogue } from './catalogue.ts';
import { PlanBook } from './choose-plan.ts';
import { Evidence } from './classify.ts';

const DAY_MS = 24 * 60 * 60 * 1000;

/** Who is suspended as of one numbered fact. */
export interface Suspensions {
  sponsorIds: ReadonlySet<string>;
  /** The last fact that was taken into account; 0 before the first. */
  number: number;
}

/** Which months finance has closed as of one numbered closing. Those of a sponsor are closed in order. */
export interface Closings {
  /** By sponsor id the last month that is closed: its first day, days since 1970-01-01. */
  lastMonths: ReadonlyMap<string, number>;
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
  closings: { lastMonths: new Map(), number: 0 },
};

/** What one batch is rated with: a catalogue, and the facts. Never changes: the next batch may have others. */
export class Rules {
  readonly catalogue: Catalogue;
  readonly evidence: Evidence;
  readonly planBook: PlanBook;
  /** By sponsor index: 1 is suspended. */
  readonly suspended: Uint8Array;
  readonly suspensionNumber: number;
  /** By plan index: the first day on which a period may begin that takes records. 0 where late ones are adjustments. */
  readonly openFromDay: Uint32Array;
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
    this.openFromDay = openFromDays(catalogue, closings);
    this.closingNumber = closings.number;
  }

  with(facts: Facts): Rules {
    const { suspensions, closings } = facts;
    const isSame = suspensions.number === this.suspensionNumber && closings.number === this.closingNumber;
    return isSame ? this : new Rules(this.catalogue, facts, this);
  }
}

/** A period belongs to the month that it begins in: those that a closing leaves open begin in the month after it. */
function openFromDays({ plans, applications, sponsors }: Catalogue, { lastMonths }: Closings): Uint32Array {
  return Uint32Array.from(plans, ({ latePolicy, application }) => {
    const lastMonth = lastMonths.get(sponsors[applications[application].sponsor].id);
    return latePolicy === 'refuse' && lastMonth !== undefined ? nextMonth(lastMonth) : 0;
  });
}

/** First day of the month after the one of a day. */
function nextMonth(day: number): number {
  const date = new Date(day * DAY_MS);
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1) / DAY_MS;
}
