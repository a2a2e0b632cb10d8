import { TIME } from '../../journal/journal-block.ts';
import {
  arrayColumn,
  bytesOf,
  fixedColumn,
  int64Column,
  int64Words,
  lowCardinalityColumn,
  type NativeColumn,
  sparseStringColumn,
  strings,
} from '../../platform/clickhouse/native-block.ts';
import { ConfigError } from '../../platform/config/config-error.ts';
import type { SourceProof } from '../../platform/kafka/log-record.ts';
import { Names } from '../../rating/names.ts';
import { REASONS } from '../../rating/outcome.ts';
import { PSEUDONYM_OCTETS, type SubscriberTable } from '../../rating/subscribers.ts';
import type { CurrentCharges, Decision } from './current-charges.ts';
import { FirstCharges } from './first-charges.ts';
import { growingInt64, growingUint8, growingUint16, growingUint32, pushInt64 } from './growing-column.ts';

/**
 * A correction is one block: two rows of a hundred bytes for each record in memory, and several times that while the store
 * sorts.
 */
const MAX_CHANGES = 5_000_000;
const KINDS = { head: 1, reversal: 2, charge: 3 };
const SUBSCRIBER_WORDS = PSEUDONYM_OCTETS / 4;
/** As `reason` has them: the head row has none. */
const REASON_TEXTS = ['', ...REASONS.map(({ reason }) => reason)];

/** What was read again of one log: consecutive batches of a lane. */
export interface ReadLog {
  lane: string;
  topic: string;
  partition: number;
  firstOffset: number;
  lastOffset: number;
  records: number;
  /** Of the last batch, as the journal has it and the source proved again; empty: the journal has none. */
  sourceProof: SourceProof;
  /** SHA-256 over each record's `offset length`, a line feed and its value, in order; 64 hex digits. */
  recordsDigest: string;
}

/** A lane, and its last batch. */
export interface LaneEnd {
  lane: string;
  laneSequence: number;
}

/** The head row of a correction. */
export interface CorrectionHead {
  correction: string;
  who: string;
  why: string;
  catalogueHash: string;
  sponsorId: string;
  currency: string;
  fromDay: number;
  toDay: number;
  bookingDay: number;
  bookedAtMs: number;
  /** Empty: nothing was read again. */
  readLogs: readonly ReadLog[];
  /** How far the journal had come in the lanes that were read. */
  readThrough: readonly LaneEnd[];
}

/**
 * The rows of one correction in columns, as in its block: for each changed record a reversal of its current charge, if it has
 * one, and the new charge, if there is one; then the head row. A hundred bytes a row, as a correction of millions of records is
 * one block.
 */
export class CorrectionRows {
  readonly #openFromDay: number;
  readonly #maxChanges: number;
  #count = 0;
  #rows = 0;
  readonly #columns = {
    kind: growingUint8(),
    isAdjustment: growingUint8(),
    topic: growingUint32(),
    partition: growingUint32(),
    offset: growingInt64(),
    application: growingUint32(),
    plan: growingUint32(),
    planVersion: growingUint32(),
    periodStart: growingUint16(),
    subscriber: growingUint32(SUBSCRIBER_WORDS),
    evidence: growingUint8(),
    contentType: growingUint8(),
    startTimeMs: growingInt64(),
    reason: growingUint32(),
    sponsoredOctets: growingInt64(),
    subscriberOctets: growingInt64(),
    chargeMicros: growingInt64(),
    usedOctetsAfter: growingInt64(),
    carryAfter: growingUint16(),
  };
  readonly #first = new FirstCharges();
  // The empty text is the first of each, for the head row.
  readonly #topics = new Names();
  readonly #applications = new Names();
  readonly #planIds = new Names();
  readonly #pseudonym = new Uint32Array(SUBSCRIBER_WORDS);

  /** `openFromDay`: periods that begin before it are of closed months. Days since 1970-01-01. */
  constructor(openFromDay: number, maxChanges = MAX_CHANGES) {
    this.#openFromDay = openFromDay;
    this.#maxChanges = maxChanges;
    for (const names of [this.#topics, this.#applications, this.#planIds]) names.numberOf('');
  }

  /** Records that change. */
  get count(): number {
    return this.#count;
  }

  /** Adds a changed record. Throws a ConfigError where the correction would be too large. */
  take(charges: CurrentCharges, row: number, subscribers: SubscriberTable): void {
    if (this.#count === this.#maxChanges) {
      throw new ConfigError(
        `more than ${this.#maxChanges} records change, which is too much for one correction: choose a shorter range`,
      );
    }
    subscribers.copyPseudonym(charges.records.subscriber[row], this.#pseudonym, 0);
    const [before, after] = [charges.before(row), charges.after(row)];
    if (before !== null) this.#addRow(KINDS.reversal, charges, row, before);
    if (after !== null) {
      if (before === null && charges.wasCharged[row] === 0) this.#first.add(this.#rows, charges, row);
      this.#addRow(KINDS.charge, charges, row, after);
    }
    this.#count++;
  }

  #addRow(kind: number, charges: CurrentCharges, row: number, decision: Decision): void {
    this.#addRecord(charges, row, decision);
    this.#addDecision(kind, charges, row, decision);
    this.#rows++;
  }

  #addRecord(charges: CurrentCharges, row: number, { application, evidence }: Decision): void {
    const columns = this.#columns;
    const { records } = charges;
    columns.topic.push(this.#topics.numberOf(charges.topic));
    columns.partition.push(charges.partition);
    pushInt64(columns.offset, records.offset[row]);
    columns.application.push(this.#applications.numberOf(charges.names.list[application]));
    for (const word of this.#pseudonym) columns.subscriber.push(word);
    columns.evidence.push(evidence);
    columns.contentType.push(records.contentType[row]);
    pushInt64(columns.startTimeMs, records.startTimeMs[row]);
  }

  #addDecision(kind: number, { records, plans }: CurrentCharges, row: number, decision: Decision): void {
    const columns = this.#columns;
    const sign = kind === KINDS.reversal ? -1 : 1;
    const { planId, version } = plans.at(decision.plan);
    columns.kind.push(kind);
    columns.isAdjustment.push(decision.periodStart < this.#openFromDay ? 1 : 0);
    columns.plan.push(this.#planIds.numberOf(planId));
    columns.planVersion.push(version);
    columns.periodStart.push(decision.periodStart);
    columns.reason.push(decision.reason + 1);
    pushInt64(columns.sponsoredOctets, sign * decision.sponsoredOctets);
    pushInt64(columns.subscriberOctets, sign * (records.octets(row) - decision.sponsoredOctets));
    pushInt64(columns.chargeMicros, sign * decision.chargeMicros);
    pushInt64(columns.usedOctetsAfter, decision.usedOctetsAfter);
    columns.carryAfter.push(decision.carryAfter);
  }

  /** Returns the block's columns but `number`, with the head row, which is the last. Call it once. */
  finish(head: CorrectionHead): { rows: number; columns: NativeColumn[] } {
    for (const column of Object.values(this.#columns)) column.pushNothing();
    this.#columns.kind.values()[this.#rows] = KINDS.head;
    const rows = this.#rows + 1;
    return { rows, columns: [...this.#rowColumns(), ...this.#first.columns(rows), ...headColumns(rows, head)] };
  }

  #rowColumns(): NativeColumn[] {
    const columns = this.#columns;
    return [
      fixedColumn('kind', 'Int8', columns.kind.values()),
      fixedColumn('is_adjustment', 'Bool', columns.isAdjustment.values()),
      lowCardinalityColumn('topic', this.#topics.list, columns.topic.values()),
      fixedColumn('partition', 'Int32', columns.partition.values()),
      fixedColumn('offset', 'Int64', columns.offset.values()),
      lowCardinalityColumn('application_id', this.#applications.list, columns.application.values()),
      lowCardinalityColumn('plan_id', this.#planIds.list, columns.plan.values()),
      fixedColumn('plan_version', 'UInt32', columns.planVersion.values()),
      fixedColumn('period_start', 'Date', columns.periodStart.values()),
      fixedColumn('subscriber', `FixedString(${PSEUDONYM_OCTETS})`, columns.subscriber.values()),
      fixedColumn('evidence', 'Int8', columns.evidence.values()),
      fixedColumn('content_type', 'Int8', columns.contentType.values()),
      fixedColumn('start_time', TIME, columns.startTimeMs.values()),
      lowCardinalityColumn('reason', REASON_TEXTS, columns.reason.values()),
      fixedColumn('sponsored_octets', 'Int64', columns.sponsoredOctets.values()),
      fixedColumn('subscriber_octets', 'Int64', columns.subscriberOctets.values()),
      fixedColumn('charge_micros', 'Int64', columns.chargeMicros.values()),
      fixedColumn('used_octets_after', 'UInt64', columns.usedOctetsAfter.values()),
      fixedColumn('carry_after', 'UInt16', columns.carryAfter.values()),
    ];
  }
}

/** Returns the columns that all rows have, and those of the head row, the last one. */
function headColumns(rows: number, head: CorrectionHead): NativeColumn[] {
  const bookedAtMs = new Float64Array(rows);
  bookedAtMs[rows - 1] = head.bookedAtMs;
  const day = (name: string, value: number) => {
    const days = new Uint16Array(rows);
    days[rows - 1] = value;
    return fixedColumn(name, 'Date', days);
  };
  return [
    lowCardinalityColumn('sponsor_id', [head.sponsorId], new Uint32Array(rows)),
    lowCardinalityColumn('currency', [head.currency], new Uint32Array(rows)),
    fixedColumn('booking_date', 'Date', new Uint16Array(rows).fill(head.bookingDay)),
    int64Column('booked_at', TIME, bookedAtMs),
    onHead('correction', rows, head.correction),
    onHead('who', rows, head.who),
    onHead('why', rows, head.why),
    onHead('catalogue_hash', rows, head.catalogueHash),
    day('period_from', head.fromDay),
    day('period_to', head.toDay),
    ...(head.readLogs.length === 0 ? [] : [readLogsColumn(rows, head.readLogs)]),
    ...(head.readThrough.length === 0 ? [] : [readThroughColumn(rows, head.readThrough)]),
  ];
}

/** Returns the ends of arrays in a block, of which the last row alone has elements. */
function endsOnHead(rows: number, elements: number): Float64Array {
  const ends = new Float64Array(rows);
  ends[rows - 1] = elements;
  return ends;
}

function readThroughColumn(rows: number, lanes: readonly LaneEnd[]): NativeColumn {
  return arrayColumn('read_through', 'Tuple(lane String, lane_sequence UInt64)', endsOnHead(rows, lanes.length), [
    strings(lanes.map(({ lane }) => lane)),
    bytesOf(int64Words(lanes.map(({ laneSequence }) => laneSequence))),
  ]);
}

function readLogsColumn(rows: number, logs: readonly ReadLog[]): NativeColumn {
  const type =
    'Tuple(lane String, topic String, partition Int32, first_offset Int64, last_offset Int64, records UInt64, ' +
    'source_proof String, records_digest String)';
  return arrayColumn('read_logs', type, endsOnHead(rows, logs.length), [
    strings(logs.map(({ lane }) => lane)),
    strings(logs.map(({ topic }) => topic)),
    bytesOf(Int32Array.from(logs, ({ partition }) => partition)),
    bytesOf(int64Words(logs.map(({ firstOffset }) => firstOffset))),
    bytesOf(int64Words(logs.map(({ lastOffset }) => lastOffset))),
    bytesOf(int64Words(logs.map(({ records }) => records))),
    strings(logs.map(({ sourceProof }) => sourceProof)),
    strings(logs.map(({ recordsDigest }) => recordsDigest)),
  ]);
}

function onHead(name: string, rows: number, text: string): NativeColumn {
  return sparseStringColumn(name, rows, [rows - 1], [text]);
}
