import type { BatchRow, JournalEvidence, StoredBatch } from '../../journal/evidence/evidence.ts';
import { batchesAhead } from '../../journal/evidence/stored-batches.ts';
import type { StoredRow } from '../../journal/evidence/stored-columns.ts';
import { literal, type Store } from '../../platform/clickhouse/store.ts';
import { CONTENT_TYPES, EVIDENCES } from '../../rating/flow-record.ts';
import { hexOf } from './compare-batch.ts';

/** What a row charges; a reversal's amounts are below 0. Its names are those of the columns, but for their case. */
export interface BookedCharge {
  sponsorId: string;
  currency: string;
  applicationId: string;
  /** Pseudonym, 32 hex digits. */
  subscriber: string;
  evidence: string;
  contentType: string;
  /** Milliseconds since 1970-01-01T00:00Z. */
  startTime: number;
  planId: string;
  planVersion: number;
  /** Days since 1970-01-01. */
  periodStart: number;
  reason: string;
  sponsoredOctets: bigint;
  subscriberOctets: bigint;
  chargeMicros: bigint;
  usedOctetsAfter: bigint;
  carryAfter: bigint;
}

/** Fields of the record that a row of the journal has, and the row that charges a record first. */
export interface BookedRecord {
  lane: string;
  /** Days since 1970-01-01. */
  recordBookedOn: number;
  endTime: number;
  nodeId: string;
  localSequenceNumber: bigint;
  uplinkOctets: bigint;
  downlinkOctets: bigint;
}

/** One row about a record: its charge in the journal, or what a correction made of it. */
export interface ChargeStep {
  /** The correction; 0: the journal. */
  number: number;
  isReversal: boolean;
  charge: BookedCharge;
  /** Null: the row does not have the record's own fields. */
  record: BookedRecord | null;
}

/** The rows about the records of a batch, by offset, in the order of corrections; a correction's reversal comes before its charge. */
export type StepsByOffset = ReadonlyMap<number, readonly ChargeStep[]>;

/** Reads what was booked about records, several batches at a time: a query for each batch would take hours. */
export class CorrectionSteps {
  readonly #store: Store;
  readonly #evidence: Pick<JournalEvidence, 'stored'>;
  readonly #batches: readonly BatchRow[];
  readonly #places: ReadonlyMap<BatchRow, number>;
  /** By lane: a reader of a source alternates between lanes. */
  readonly #ahead = new Map<string, { batches: ReadonlySet<BatchRow>; steps: StepsByOffset }>();

  /** `batches`: all of the journal, in the order of lanes and numbers. */
  constructor(store: Store, evidence: Pick<JournalEvidence, 'stored'>, batches: readonly BatchRow[]) {
    this.#store = store;
    this.#evidence = evidence;
    this.#batches = batches;
    this.#places = new Map(batches.map((batch, at) => [batch, at]));
  }

  /** Returns the rows about a batch's records that have any. Rejects with a StoreError. */
  async of(batch: BatchRow): Promise<StepsByOffset> {
    const corrected = await this.#corrected(batch);
    const charged = chargedIn(batch, await this.#evidence.stored(batch));
    const offsets = [...corrected.keys()].filter(
      (offset) => offset >= batch.numbers.first_offset && offset <= batch.lastOffset && !charged.has(offset),
    );
    const all = [...charged.keys(), ...offsets].sort((a, b) => a - b);
    return new Map(
      all.map((offset) => {
        const first = charged.get(offset);
        const later = corrected.get(offset) ?? [];
        return [offset, first === undefined ? later : [first, ...later]];
      }),
    );
  }

  async #corrected(batch: BatchRow): Promise<StepsByOffset> {
    const known = this.#ahead.get(batch.lane);
    if (known?.batches.has(batch)) return known.steps;
    const ahead = batchesAhead(this.#batches, this.#places.get(batch) ?? this.#batches.length, batch);
    const steps = new Map<number, ChargeStep[]>();
    for (const row of await this.#store.query<StepRow>(stepsQuery(ahead))) {
      const offset = Number(row.place);
      const ofRecord = steps.get(offset);
      if (ofRecord === undefined) steps.set(offset, [stepOf(row)]);
      else ofRecord.push(stepOf(row));
    }
    this.#ahead.set(batch.lane, { batches: new Set(ahead), steps });
    return steps;
  }
}

/** Returns the journal's charges of a batch, by offset. */
function chargedIn({ lane, bookingDay }: BatchRow, { rows }: StoredBatch): Map<number, ChargeStep> {
  const charged = rows.filter(({ kind }) => kind === 1);
  return new Map(charged.map((row) => [Number(row.offset), chargedStep(row, lane, bookingDay)]));
}

function chargedStep(row: StoredRow, lane: string, bookingDay: number): ChargeStep {
  const octets = (name: string) => BigInt(Number(row[name]));
  const [uplinkOctets, downlinkOctets, sponsoredOctets] = [
    octets('uplink_octets'),
    octets('downlink_octets'),
    octets('sponsored_octets'),
  ];
  return {
    number: 0,
    isReversal: false,
    charge: {
      sponsorId: String(row.sponsor_id),
      currency: String(row.currency),
      applicationId: String(row.application_id),
      subscriber: hexOf(row.subscriber),
      evidence: EVIDENCES[Number(row.evidence)],
      contentType: CONTENT_TYPES[Number(row.content_type)],
      startTime: Number(row.start_time),
      planId: String(row.plan_id),
      planVersion: Number(row.plan_version),
      periodStart: Number(row.period_start),
      reason: String(row.reason),
      sponsoredOctets,
      subscriberOctets: uplinkOctets + downlinkOctets - sponsoredOctets,
      chargeMicros: octets('charge_micros'),
      usedOctetsAfter: octets('used_octets_after'),
      carryAfter: octets('carry_after'),
    },
    record: {
      lane,
      recordBookedOn: bookingDay,
      endTime: Number(row.end_time),
      nodeId: String(row.node_id),
      localSequenceNumber: octets('local_sequence_number'),
      uplinkOctets,
      downlinkOctets,
    },
  };
}

type StepRow = Record<
  | 'place'
  | 'what'
  | 'sponsor'
  | 'money'
  | 'application'
  | 'who'
  | 'named_by'
  | 'content'
  | 'plan'
  | 'why'
  | 'sponsored'
  | 'own'
  | 'micros'
  | 'used'
  | 'in_lane'
  | 'node'
  | 'sequence'
  | 'uplink'
  | 'downlink',
  string
> &
  Record<'correction_number' | 'starts' | 'version' | 'period' | 'carried' | 'booked_on' | 'ends', number | string>;

function stepsQuery(batches: readonly BatchRow[]): string {
  const [{ topic, partition }] = batches;
  const from = Math.min(...batches.map(({ numbers, lastOffset }) => Math.min(numbers.first_offset, lastOffset)));
  const to = Math.max(...batches.map(({ lastOffset }) => lastOffset));
  return (
    'SELECT toString(offset) AS place, number AS correction_number, toString(kind) AS what, toString(sponsor_id) AS sponsor, ' +
    'toString(currency) AS money, toString(application_id) AS application, lower(hex(subscriber)) AS who, toString(evidence) AS named_by, ' +
    'toString(content_type) AS content, toUnixTimestamp64Milli(start_time) AS starts, toString(plan_id) AS plan, plan_version AS version, ' +
    'toUInt16(period_start) AS period, toString(reason) AS why, toString(sponsored_octets) AS sponsored, toString(subscriber_octets) AS own, ' +
    'toString(charge_micros) AS micros, toString(used_octets_after) AS used, carry_after AS carried, toString(lane) AS in_lane, ' +
    'toUInt16(record_booked_on) AS booked_on, toUnixTimestamp64Milli(end_time) AS ends, toString(node_id) AS node, ' +
    'toString(local_sequence_number) AS sequence, toString(uplink_octets) AS uplink, toString(downlink_octets) AS downlink ' +
    `FROM corrections WHERE kind != 'head' AND topic = ${literal(topic)} AND partition = ${partition} ` +
    `AND offset BETWEEN ${from} AND ${to} ORDER BY offset, number, kind`
  );
}

function stepOf(row: StepRow): ChargeStep {
  const isFirst = row.in_lane !== '';
  return {
    number: Number(row.correction_number),
    isReversal: row.what === 'reversal',
    charge: {
      sponsorId: row.sponsor,
      currency: row.money,
      applicationId: row.application,
      subscriber: row.who,
      evidence: row.named_by,
      contentType: row.content,
      startTime: Number(row.starts),
      planId: row.plan,
      planVersion: Number(row.version),
      periodStart: Number(row.period),
      reason: row.why,
      sponsoredOctets: BigInt(row.sponsored),
      subscriberOctets: BigInt(row.own),
      chargeMicros: BigInt(row.micros),
      usedOctetsAfter: BigInt(row.used),
      carryAfter: BigInt(row.carried),
    },
    record: isFirst
      ? {
          lane: row.in_lane,
          recordBookedOn: Number(row.booked_on),
          endTime: Number(row.ends),
          nodeId: row.node,
          localSequenceNumber: BigInt(row.sequence),
          uplinkOctets: BigInt(row.uplink),
          downlinkOctets: BigInt(row.downlink),
        }
      : null,
  };
}
