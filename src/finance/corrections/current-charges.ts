import { FlowBatch } from '../../rating/flow-record.ts';
import { Names } from '../../rating/names.ts';
import { PlanVersions } from './plan-versions.ts';

/** The decision on a charged record: the current one, or that of re-rating. */
export interface Decision {
  /** Code in `CurrentCharges.plans`. */
  plan: number;
  /** First day of the statistics period, days since 1970-01-01. */
  periodStart: number;
  /** Place in REASONS. */
  reason: number;
  sponsoredOctets: number;
  chargeMicros: number;
  usedOctetsAfter: number;
  carryAfter: number;
}

/**
 * Charge rows of one log in the order of their offsets, in columns: the records, their current charges (as booked, or of the
 * last correction), and those of re-rating. The columns are reused for the next rows.
 */
export class CurrentCharges {
  topic = '';
  partition = 0;
  /** The names behind codes in columns: the same for all rows that are ever added. */
  readonly plans = new PlanVersions();
  readonly names = new Names();

  /** The records and, after rating, the new decisions. `application` is -1 where the catalogue has none. */
  readonly records: FlowBatch;
  /** Codes in `names`. */
  readonly applicationName: Uint32Array;
  readonly sponsor: Uint32Array;
  readonly currency: Uint32Array;
  /** 1: the row's period is re-rated. 0: the row only shows what else counts in a period. */
  readonly isInRange: Uint8Array;

  readonly plan: Uint32Array;
  readonly periodStart: Uint16Array;
  readonly reason: Uint8Array;
  readonly sponsoredOctets: Float64Array;
  readonly chargeMicros: Float64Array;
  readonly usedOctetsAfter: Float64Array;
  readonly carryAfter: Uint16Array;
  /** As `plan`, after re-rating. */
  readonly ratedPlan: Uint32Array;

  constructor(capacity: number) {
    this.records = new FlowBatch(capacity);
    this.applicationName = new Uint32Array(capacity);
    this.sponsor = new Uint32Array(capacity);
    this.currency = new Uint32Array(capacity);
    this.isInRange = new Uint8Array(capacity);
    this.plan = new Uint32Array(capacity);
    this.periodStart = new Uint16Array(capacity);
    this.reason = new Uint8Array(capacity);
    this.sponsoredOctets = new Float64Array(capacity);
    this.chargeMicros = new Float64Array(capacity);
    this.usedOctetsAfter = new Float64Array(capacity);
    this.carryAfter = new Uint16Array(capacity);
    this.ratedPlan = new Uint32Array(capacity);
  }

  isChanged(row: number): boolean {
    const { records } = this;
    return (
      this.plan[row] !== this.ratedPlan[row] ||
      this.periodStart[row] !== records.periodStart[row] ||
      this.reason[row] !== records.reason[row] ||
      this.sponsoredOctets[row] !== records.sponsoredOctets[row] ||
      this.chargeMicros[row] !== records.chargeMicros[row] ||
      this.usedOctetsAfter[row] !== records.usedOctetsAfter[row] ||
      this.carryAfter[row] !== records.carryAfter[row]
    );
  }

  before(row: number): Decision {
    return decisionAt(this, this.plan, row);
  }

  after(row: number): Decision {
    return decisionAt(this.records, this.ratedPlan, row);
  }
}

type DecisionColumns = Record<Exclude<keyof Decision, 'plan'>, ArrayLike<number>>;

function decisionAt(columns: DecisionColumns, plans: Uint32Array, row: number): Decision {
  return {
    plan: plans[row],
    periodStart: columns.periodStart[row],
    reason: columns.reason[row],
    sponsoredOctets: columns.sponsoredOctets[row],
    chargeMicros: columns.chargeMicros[row],
    usedOctetsAfter: columns.usedOctetsAfter[row],
    carryAfter: columns.carryAfter[row],
  };
}
