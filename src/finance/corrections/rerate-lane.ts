import { Lane } from '../../rating/lane.ts';
import { isCharged, REASON_CODE, type Reason } from '../../rating/outcome.ts';
import { rateBatch } from '../../rating/pipeline.ts';
import type { PlanPeriod } from '../../rating/rate.ts';
import type { Rules } from '../../rating/rules.ts';
import { PseudonymKey } from '../../rating/subscribers.ts';
import type { CurrentCharges } from './current-charges.ts';
import { NO_PLAN } from './plan-versions.ts';

/** Statistics periods that begin in [fromDay, toDay), days since 1970-01-01. */
export interface PeriodRange {
  fromDay: number;
  toDay: number;
}

/**
 * One lane re-rated: its counters start from 0, because all records of a period are rated again. It takes the lane's charge
 * rows in lane order, chunk by chunk.
 */
export class RerateLane {
  readonly #lane = new Lane({ pseudonymKey: PseudonymKey.ofRoot(new Uint8Array(32)), duplicateWindowRecords: 1 });
  readonly #rules: Rules;
  readonly #range: PeriodRange;
  /** Periods of the catalogue that rows in the range count in (inside), and that other rows would count in (outside). */
  readonly #inside = new Set<number>();
  readonly #outside = new Set<number>();

  constructor(rules: Rules, range: PeriodRange) {
    this.#rules = rules;
    this.#range = range;
  }

  get subscribers(): Lane['subscribers'] {
    return this.#lane.subscribers;
  }

  /**
   * Decides plan, content, share, quota and price as the engine does; evidence and application stay as booked. A record that
   * the catalogue does not charge keeps its period, and all of its octets are the subscriber's.
   */
  rate(charges: CurrentCharges): void {
    const { records, isInRange } = charges;
    const { plans } = this.#rules.catalogue;
    for (let row = 0; row < records.count; row++) {
      const reason = this.#choose(charges, row);
      if (isInRange[row] === 0) records.reason[row] = charges.reason[row];
      else if (reason !== null) records.reason[row] = REASON_CODE[reason];
    }
    rateBatch(records, this.#lane, this.#rules);
    for (let row = 0; row < records.count; row++) {
      const plan = plans[records.plan[row]];
      charges.ratedPlan[row] = plan === undefined ? NO_PLAN : charges.plans.codeOf(plan.id, plan.version);
      if (!isCharged(records.reason[row])) records.periodStart[row] = charges.periodStart[row];
    }
  }

  #choose({ records, isInRange }: CurrentCharges, row: number): Reason | null {
    if (records.application[row] < 0) return 'no_plan';
    // A sponsored record was not suspended when it was booked.
    const reason = this.#rules.planBook.choose(records, row, this.#rules.suspended);
    if (reason !== null) return reason;
    const { id } = this.#rules.catalogue.plans[records.plan[row]];
    const period = this.#lane.planPeriods.numberOf(id, records.periodStart[row]);
    (isInRange[row] === 1 ? this.#inside : this.#outside).add(period);
    return null;
  }

  /**
   * Returns the periods of the catalogue that the range holds only in part: their counters would miss the records outside of
   * it.
   */
  tornPeriods(): PlanPeriod[] {
    const { fromDay, toDay } = this.#range;
    const periods = [...this.#inside].map((number) => ({ number, period: this.#lane.planPeriods.at(number) }));
    return periods
      .filter(({ number, period: { periodStart } }) => {
        const isWithin = periodStart >= fromDay && periodStart < toDay;
        return !isWithin || this.#outside.has(number);
      })
      .map(({ period }) => period);
  }
}
