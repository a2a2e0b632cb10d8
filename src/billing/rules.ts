import type { Catalogue } from './catalogue.ts';
import { PlanBook } from './choose-plan.ts';
import { Evidence } from './classify.ts';

/** Who is suspended as of one numbered fact. */
export interface Suspensions {
  sponsorIds: ReadonlySet<string>;
  /** The last fact that was taken into account; 0 before the first. */
  number: number;
}

export const NO_SUSPENSIONS: Suspensions = { sponsorIds: new Set(), number: 0 };

/** What one batch is rated with: a catalogue, and the suspensions. Never changes: the next batch may have others. */
export class Rules {
  readonly catalogue: Catalogue;
  readonly evidence: Evidence;
  readonly planBook: PlanBook;
  /** By sponsor index: 1 is suspended. */
  readonly suspended: Uint8Array;
  readonly suspensionNumber: number;

  constructor(catalogue: Catalogue, suspensions: Suspensions = NO_SUSPENSIONS, prepared?: Rules) {
    this.catalogue = catalogue;
    this.evidence = prepared?.evidence ?? new Evidence(catalogue);
    this.planBook = prepared?.planBook ?? new PlanBook(catalogue);
    this.suspended = Uint8Array.from(catalogue.sponsors, ({ id }) => (suspensions.sponsorIds.has(id) ? 1 : 0));
    this.suspensionNumber = suspensions.number;
  }

  with(suspensions: Suspensions): Rules {
    return suspensions.number === this.suspensionNumber ? this : new Rules(this.catalogue, suspensions, this);
  }
}
