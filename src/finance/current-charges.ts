import { FlowBatch } from '../billing/flow-batch.ts';
import { Names } from '../billing/names.ts';
import { PlanVersions } from './plan-versions.ts';

/** What is decided of a charged record: as it stands, or rated anew. */
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
 * Charge rows of one log in the order of their offsets, in columns: what the records say, what stands of them now (as booked,
 * or as the last correction has it), and what rating anew makes of them. Used again for the next rows.
 */
export class CurrentCharges {
  topic = '';
  partition = 0;
  /** What codes in columns stand for: the same for all rows that are ever taken. */
  readonly plans = new PlanVersions();
  readonly names = new Names();

  /** What the records say, and, after rating, what is decided anew. `application` is -1 where the catalogue has none. */
  readonly records: FlowBatch;
  /** Codes in `names`. */
  readonly applicationName: Uint32Array;
  readonly sponsor: Uint32Array;
  readonly currency: Uint32Array;
  /** 1: the row's period is to be rated anew. 0: it only tells what else counts in a period. */
  readonly isInRange: Uint8Array;

  readonly plan: Uint32Array;
  readonly periodStart: Uint16Array;
  readonly reason: Uint8Array;
  readonly sponsoredOctets: Float64Array;
  readonly chargeMicros: Float64Array;
  readonly usedOctetsAfter: Float64Array;
  readonly carryAfter: Uint16Array;
  /** As `plan`, after rating. */
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
