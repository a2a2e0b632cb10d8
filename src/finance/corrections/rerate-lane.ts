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

/** Of pseudonyms that are read from the journal, and never computed. */
const NO_KEY = PseudonymKey.ofRoot(new Uint8Array(32));

/** What a record that was read again was when re-rating began. */
export const BOOKED_AS = {
  /** Rejected or a duplicate when it was booked: it stays that. */
  closed: 0,
  /** No current charge. */
  unsponsored: 1,
  /** No current charge, and its subscriber was erased and can no longer be named. */
  nameless: 2,
  /** Charged to the sponsor that is re-rated. */
  charged: 3,
  /** Charged to another sponsor. */
  chargedToOther: 4,
} as const;

/** What would be sponsored, and is not charged. */
export const LEFT_OUT = {
  none: 0,
  /** Another sponsor is charged for the record. */
  otherSponsor: 1,
  /** The subscriber was erased and can no longer be named. */
  nameless: 2,
  /** Its period begins outside of the range. */
  outOfRange: 3,
} as const;

/**
 * One lane re-rated: its counters start from 0, because all records of a period are rated again. It takes the lane's records
 * in lane order, chunk by chunk.
 */
export class RerateLane {
  /** The memory that records are read with. */
  readonly lane: Lane;
  readonly #rules: Rules;
  readonly #range: PeriodRange;
  /** Periods of the catalogue that rows in the range count in (inside), and that other rows would count in (outside). */
  readonly #inside = new Set<number>();
  readonly #outside = new Set<number>();

  constructor(rules: Rules, range: PeriodRange, pseudonymKey = NO_KEY) {
    this.lane = new Lane({ pseudonymKey, duplicateWindowRecords: 1 });
    this.#rules = rules;
    this.#range = range;
  }

  get subscribers(): Lane['subscribers'] {
    return this.lane.subscribers;
  }

  /**
   * Decides plan, content, share, quota and price as the engine does; evidence and application stay as booked. A record that
   * the catalogue does not charge keeps its period, and all of its octets are the subscriber's. `rulesOf`: the rules of a row,
   * where facts about campaigns differ.
   */
  rate(charges: CurrentCharges, rulesOf: (row: number) => Rules = () => this.#rules): void {
    const { records, isInRange } = charges;
    const { plans } = this.#rules.catalogue;
    for (let row = 0; row < records.count; row++) {
      const reason = this.#choose(charges, row, rulesOf(row));
      if (isInRange[row] === 0) records.reason[row] = charges.reason[row];
      else if (reason !== null) records.reason[row] = REASON_CODE[reason];
    }
    rateBatch(records, this.lane, this.#rules);
    for (let row = 0; row < records.count; row++) {
      const plan = plans[records.plan[row]];
      charges.isRecharged[row] = 1;
      charges.ratedApplication[row] = charges.applicationName[row];
      records.evidence[row] = charges.evidence[row];
      charges.ratedPlan[row] = plan === undefined ? NO_PLAN : charges.plans.codeOf(plan.id, plan.version);
      if (!isCharged(records.reason[row])) records.periodStart[row] = charges.periodStart[row];
    }
  }

  /**
   * Decides application, plan, content, share, quota and price of records that were read again, as the engine does: whom the
   * catalogue does not sponsor is not charged. `rules`: with the suspensions and closings that the batch was rated with. They
   * keep a record without a charge from getting one; a charged record was neither suspended nor refused as late.
   * `bookedAs` and `leftOut` are by row; `leftOut` is filled.
   */
  rateRead(charges: CurrentCharges, rules: Rules, sponsorId: string, bookedAs: Uint8Array, leftOut: Uint8Array): void {
    const { records, isInRange, isRecharged } = charges;
    const { applications, plans, sponsors } = rules.catalogue;
    const ofSponsor = applications.map(({ sponsor }) => sponsors[sponsor].id === sponsorId);
    rules.evidence.findPrefixes(records);
    for (let row = 0; row < records.count; row++) {
      leftOut[row] = LEFT_OUT.none;
      if (bookedAs[row] === BOOKED_AS.closed) {
        isInRange[row] = 0;
        records.reason[row] = REASON_CODE.duplicate;
        continue;
      }
      const reason = this.#classify(charges, row, rules, ofSponsor);
      const isRated = this.#admit(charges, row, rules, reason, bookedAs[row], leftOut);
      if (!isRated) records.reason[row] = REASON_CODE[reason ?? 'no_plan'];
    }
    rateBatch(records, this.lane, rules);
    for (let row = 0; row < records.count; row++) {
      isRecharged[row] = isInRange[row] === 1 && isCharged(records.reason[row]) ? 1 : 0;
      if (isRecharged[row] === 0) continue;
      const { id, version, application } = plans[records.plan[row]];
      charges.ratedApplication[row] = charges.names.numberOf(applications[application].id);
      charges.ratedPlan[row] = charges.plans.codeOf(id, version);
    }
  }

  /** Returns why the sponsor pays nothing for the record; null: it does. */
  #classify(charges: CurrentCharges, row: number, rules: Rules, ofSponsor: readonly boolean[]): Reason | null {
    const { records } = charges;
    const reason = rules.evidence.classify(records, row);
    if (reason !== null) return reason;
    // Another sponsor's application is none that this one has a plan of.
    if (!ofSponsor[records.application[row]]) return 'no_plan';
    return rules.planBook.choose(records, row, rules, this.subscribers);
  }

  /** Decides whether a row is rated: notes its period, sets `isInRange`, and says in `leftOut` why it is not rated otherwise. */
  #admit(
    charges: CurrentCharges,
    row: number,
    rules: Rules,
    reason: Reason | null,
    bookedAs: number,
    leftOut: Uint8Array,
  ): boolean {
    const { records, isInRange } = charges;
    if (bookedAs === BOOKED_AS.charged) {
      if (reason === null) this.#notePeriod(charges, row, rules);
      return reason === null && isInRange[row] === 1;
    }
    isInRange[row] = 0;
    if (reason !== null) return false;
    const periodStart = records.periodStart[row];
    if (rules.refusesLate(records.plan[row], periodStart)) return false;
    const isWithin = periodStart >= this.#range.fromDay && periodStart < this.#range.toDay;
    if (bookedAs === BOOKED_AS.unsponsored) {
      isInRange[row] = isWithin ? 1 : 0;
      // Outside of the range it may count in a further quota of records within.
      this.#notePeriod(charges, row, rules);
      if (!isWithin) leftOut[row] = LEFT_OUT.outOfRange;
      return isWithin;
    }
    if (isWithin) leftOut[row] = bookedAs === BOOKED_AS.nameless ? LEFT_OUT.nameless : LEFT_OUT.otherSponsor;
    return false;
  }

  #choose(charges: CurrentCharges, row: number, rules: Rules): Reason | null {
    const { records } = charges;
    if (records.application[row] < 0) return 'no_plan';
    // A sponsored record was not suspended when it was booked.
    const reason = rules.planBook.choose(records, row, rules, this.subscribers);
    if (reason === null) this.#notePeriod(charges, row, rules);
    return reason;
  }

  /** Notes the periods that a row counts in, or would, of its plan and of further quotas. */
  #notePeriod({ records, isInRange }: CurrentCharges, row: number, { catalogue, quotaBook }: Rules): void {
    const noted = isInRange[row] === 1 ? this.#inside : this.#outside;
    const { planPeriods } = this.lane;
    noted.add(planPeriods.numberOf(catalogue.plans[records.plan[row]].id, records.periodStart[row]));
    const startTimeMs = records.startTimeMs[row];
    for (const { id, calendar } of quotaBook?.countedBy(records.plan[row], startTimeMs) ?? []) {
      noted.add(planPeriods.numberOf(id, calendar.startDay(startTimeMs)));
    }
  }

  /**
   * Returns the periods of the catalogue that the range holds only in part: their counters would miss the records outside of
   * it.
   */
  tornPeriods(): PlanPeriod[] {
    const { fromDay, toDay } = this.#range;
    const periods = [...this.#inside].map((number) => ({ number, period: this.lane.planPeriods.at(number) }));
    return periods
      .filter(({ number, period: { periodStart } }) => {
        const isWithin = periodStart >= fromDay && periodStart < toDay;
        return !isWithin || this.#outside.has(number);
      })
      .map(({ period }) => period);
  }
}
