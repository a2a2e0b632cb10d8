import { FlowBatch } from '../../rating/flow-record.ts';
import { Names } from '../../rating/names.ts';
import { PlanVersions } from './plan-versions.ts';

/** The decision on a charged record: the current one, or that of re-rating. */
export interface Decision {
  /** Code in `CurrentCharges.names`. */
  application: number;
  evidence: number;
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

/** What a decision says without a code; the columns of records and of current charges have the same names. */
export const DECIDED = [
  'evidence',
  'periodStart',
  'reason',
  'sponsoredOctets',
  'chargeMicros',
  'usedOctetsAfter',
  'carryAfter',
] as const satisfies readonly (keyof Decision)[];

/** The batch that records were read from again. */
export interface ReadBatch {
  lane: string;
  /** Days since 1970-01-01. */
  bookingDay: number;
  nodes: Names;
}

/**
 * Records of one log in the order of their offsets, in columns: their fields, their current charges (as booked, or of the last
 * correction), and those of re-rating. The columns are reused for the next rows. Of a record without a current charge the
 * columns of one mean nothing.
 */
export class CurrentCharges {
  topic = '';
  partition = 0;
  /** Null: the rows are current charges alone. */
  read: ReadBatch | null = null;
  /** The names behind codes in columns: the same for all rows that are ever added. */
  readonly plans: PlanVersions;
  readonly names: Names;

  /** The records and, after rating, the new decisions. `application` is -1 where the catalogue has none. */
  readonly records: FlowBatch;
  /** 1: the record has a current charge. */
  readonly hasCharge: Uint8Array;
  /** 1: the journal has a charge row of the record, current or not. */
  readonly wasCharged: Uint8Array;
  /** Codes in `names`. */
  readonly applicationName: Uint32Array;
  readonly sponsor: Uint32Array;
  readonly currency: Uint32Array;
  /** 1: the row's period is re-rated. 0: the row only shows what else counts in a period. */
  readonly isInRange: Uint8Array;

  readonly evidence: Uint8Array;
  readonly plan: Uint32Array;
  readonly periodStart: Uint16Array;
  readonly reason: Uint8Array;
  readonly sponsoredOctets: Float64Array;
  readonly chargeMicros: Float64Array;
  readonly usedOctetsAfter: Float64Array;
  readonly carryAfter: Uint16Array;
  /** 1: re-rating charges the record. */
  readonly isRecharged: Uint8Array;
  /** As `applicationName` and `plan`, after re-rating. */
  readonly ratedApplication: Uint32Array;
  readonly ratedPlan: Uint32Array;

  /** `sharing`: rows whose codes mean the same. */
  constructor(capacity: number, sharing?: Pick<CurrentCharges, 'plans' | 'names'>) {
    this.plans = sharing?.plans ?? new PlanVersions();
    this.names = sharing?.names ?? new Names();
    this.records = new FlowBatch(capacity);
    this.hasCharge = new Uint8Array(capacity);
    this.wasCharged = new Uint8Array(capacity);
    this.applicationName = new Uint32Array(capacity);
    this.sponsor = new Uint32Array(capacity);
    this.currency = new Uint32Array(capacity);
    this.isInRange = new Uint8Array(capacity);
    this.evidence = new Uint8Array(capacity);
    this.plan = new Uint32Array(capacity);
    this.periodStart = new Uint16Array(capacity);
    this.reason = new Uint8Array(capacity);
    this.sponsoredOctets = new Float64Array(capacity);
    this.chargeMicros = new Float64Array(capacity);
    this.usedOctetsAfter = new Float64Array(capacity);
    this.carryAfter = new Uint16Array(capacity);
    this.isRecharged = new Uint8Array(capacity);
    this.ratedApplication = new Uint32Array(capacity);
    this.ratedPlan = new Uint32Array(capacity);
  }

  isChanged(row: number): boolean {
    const { records } = this;
    if (this.hasCharge[row] !== this.isRecharged[row]) return true;
    return (
      this.hasCharge[row] === 1 &&
      (this.applicationName[row] !== this.ratedApplication[row] ||
        this.plan[row] !== this.ratedPlan[row] ||
        DECIDED.some((name) => this[name][row] !== records[name][row]))
    );
  }

  /** Takes the current charge of a row of others. */
  takeCurrent(row: number, from: CurrentCharges, at: number): void {
    this.hasCharge[row] = 1;
    this.applicationName[row] = from.applicationName[at];
    this.sponsor[row] = from.sponsor[at];
    this.currency[row] = from.currency[at];
    this.isInRange[row] = from.isInRange[at];
    this.plan[row] = from.plan[at];
    for (const name of DECIDED) this[name][row] = from[name][at];
  }

  /** Returns the current charge; null: the record has none. */
  before(row: number): Decision | null {
    return this.hasCharge[row] === 0 ? null : decisionAt(this, this.applicationName, this.plan, row);
  }

  /** Returns the charge of re-rating; null: it charges the record no more, or not at all. */
  after(row: number): Decision | null {
    return this.isRecharged[row] === 0 ? null : decisionAt(this.records, this.ratedApplication, this.ratedPlan, row);
  }
}

type DecisionColumns = Record<(typeof DECIDED)[number], ArrayLike<number>>;

function decisionAt(columns: DecisionColumns, applications: Uint32Array, plans: Uint32Array, row: number): Decision {
  return {
    application: applications[row],
    evidence: columns.evidence[row],
    plan: plans[row],
    periodStart: columns.periodStart[row],
    reason: columns.reason[row],
    sponsoredOctets: columns.sponsoredOctets[row],
    chargeMicros: columns.chargeMicros[row],
    usedOctetsAfter: columns.usedOctetsAfter[row],
    carryAfter: columns.carryAfter[row],
  };
}
