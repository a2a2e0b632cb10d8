import {
  type FurtherQuotaMove,
  furtherQuotaKey,
  furtherQuotaList,
  leakageList,
  type OutcomeList,
  type OutcomeTotal,
  outcomeKey,
  outcomeList,
  type SeenRecord,
  seenList,
} from '../../journal/evidence/batch-lists.ts';
import type { BatchRow, StoredBatch } from '../../journal/evidence/evidence.ts';
import type { StoredRow } from '../../journal/evidence/stored-columns.ts';
import { CONTENT_TYPES, EVIDENCES, type FlowRecord } from '../../rating/flow-record.ts';
import { type Fault, OUTCOMES, type Outcome } from '../../rating/outcome.ts';
import { fingerprintOf } from '../../rating/record/fingerprint.ts';
import type { AuditFault, Invariant } from './invariants.ts';
import type { SecondOutcome, SecondRules } from './second-computation.ts';
import { secondLeakage } from './second-leakage.ts';

/** A record of the source, and its second computation. */
export interface ComputedRecord {
  offset: number;
  /** A Fault failed validation: only its reason is known. */
  read: FlowRecord | Fault;
  outcome: SecondOutcome;
}

/** Most differences that are reported of one batch: a wholly different source would have one for every record. */
const SHOWN = 20;

/**
 * Compares everything that the journal has of a batch's records with the source: a charged or rejected record by its row,
 * any other record by its identity and fingerprint, and all of them by the records and octets of each outcome.
 */
export function compareBatch(
  batch: BatchRow,
  { rows, lists }: StoredBatch,
  computed: readonly ComputedRecord[],
  rules: SecondRules,
): AuditFault[] {
  const { lane, numbers } = batch;
  const faultOf = (invariant: Invariant, message: string) => ({
    invariant,
    lane,
    laneSequence: numbers.lane_sequence,
    message,
  });
  return [
    ...capped([...totalDifferences(batch, lists, computed, rules), ...rowDifferences(rows, computed, rules)]).map(
      (message) => faultOf('charges', message),
    ),
    ...capped(identityDifferences(lists, computed)).map((message) => faultOf('source', message)),
  ];
}

export function capped(messages: readonly string[]): string[] {
  if (messages.length <= SHOWN) return [...messages];
  return [...messages.slice(0, SHOWN), `${messages.length - SHOWN} more differences in this batch`];
}

function totalDifferences(
  { numbers }: BatchRow,
  lists: readonly Uint8Array[],
  computed: readonly ComputedRecord[],
  rules: SecondRules,
): string[] {
  const byKey = new Map<string, OutcomeTotal>();
  const byOutcome = new Map<Outcome, OutcomeTotal>();
  for (const { read, outcome } of computed) {
    add(byKey, outcomeKey(outcome.applicationId, outcome.reason), read);
    add(byOutcome, outcome.outcome, read);
  }
  const booked = outcomeList(lists);
  const listed = listDifferences(booked, byKey);
  const leaked = listDifferences(leakageList(lists), secondLeakage(computed, numbers.leakage_rows, rules.byTag));
  const limited = limitDifferences(furtherQuotaList(lists), computed);
  const summed = OUTCOMES.flatMap((outcome) => {
    const stored = { records: numbers[`records_${outcome}`], octets: numbers[`octets_${outcome}`] };
    return differencesOf(`${outcome} in all`, stored, byOutcome.get(outcome) ?? NOTHING);
  });
  return [...listed, ...summed, ...leaked, ...limited];
}

/** Compares the state in which the batch left each counter of a further quota. */
function limitDifferences(booked: ReturnType<typeof furtherQuotaList>, computed: readonly ComputedRecord[]): string[] {
  const expected = new Map<string, FurtherQuotaMove>();
  for (const { offset, outcome } of computed) {
    for (const { holder, name, version, periodStart, usedOctetsAfter } of outcome.charge?.limits ?? []) {
      const key = furtherQuotaKey(holder, name, periodStart);
      expected.set(key, { version, usedOctets: Number(usedOctetsAfter), offset });
    }
  }
  const inWords = (move: FurtherQuotaMove | undefined) =>
    move === undefined ? 'nothing' : `${move.usedOctets} used, by record ${move.offset} in version ${move.version}`;
  return [...new Set([...booked.keys(), ...expected.keys()])].flatMap((key) => {
    const [stored, again] = [booked.get(key), expected.get(key)].map(inWords);
    return stored === again ? [] : [`${key}: ${stored}, computed again ${again}`];
  });
}

const NOTHING: OutcomeTotal = { records: 0, octets: 0 };

function listDifferences(booked: OutcomeList, computed: OutcomeList): string[] {
  return [...new Set([...booked.keys(), ...computed.keys()])].flatMap((key) =>
    differencesOf(key, booked.get(key) ?? NOTHING, computed.get(key) ?? NOTHING),
  );
}

function add<K>(totals: Map<K, OutcomeTotal>, key: K, read: ComputedRecord['read']): void {
  const { records, octets } = totals.get(key) ?? NOTHING;
  const own = 'reason' in read ? 0 : read.uplinkOctets + read.downlinkOctets;
  totals.set(key, { records: records + 1, octets: octets + own });
}

function differencesOf(what: string, stored: OutcomeTotal, computed: OutcomeTotal): string[] {
  return (['records', 'octets'] as const)
    .filter((unit) => stored[unit] !== computed[unit])
    .map((unit) => `${stored[unit]} ${unit} ${what}, computed again ${computed[unit]}`);
}

function rowDifferences(rows: readonly StoredRow[], computed: readonly ComputedRecord[], rules: SecondRules): string[] {
  const differences: string[] = [];
  const missing = new Map(computed.filter(hasRow).map((record) => [record.offset, record]));
  const byOffset = new Map(computed.map((record) => [record.offset, record]));
  for (const row of rows) {
    const offset = Number(row.offset);
    missing.delete(offset);
    const expected = byOffset.get(offset);
    const message = expected === undefined ? 'the source has no such record' : rowDifference(row, expected, rules);
    if (message !== null) differences.push(`record ${offset}: ${message}`);
  }
  for (const [offset, { outcome }] of missing) {
    differences.push(`record ${offset}: computed again it is ${outcome.reason}, and the journal has no row of it`);
  }
  return differences;
}

function hasRow({ outcome: { outcome } }: ComputedRecord): boolean {
  return outcome === 'charged' || outcome === 'rejected';
}

/** Returns how a row differs from its record in the source; null when it does not. */
function rowDifference(row: StoredRow, { read, outcome }: ComputedRecord, rules: SecondRules): string | null {
  const { reason, applicationId, charge } = outcome;
  const payer = rules.payers.get(applicationId);
  const expected: Record<string, unknown> = {
    reason,
    kind: outcome.outcome === 'charged' ? 1 : 2,
    ...('reason' in read ? NOTHING_READ : fieldsOf(read)),
    application_id: applicationId,
    sponsor_id: payer?.sponsorId ?? '',
    currency: payer?.currency ?? '',
    ...(charge === null
      ? { sponsored_octets: 0, charge_micros: 0, used_octets_after: 0, carry_after: 0 }
      : {
          subscriber: charge.subscriber,
          plan_id: charge.planId,
          plan_version: charge.planVersion,
          period_start: charge.periodStart,
          evidence: EVIDENCES.indexOf(charge.evidence as (typeof EVIDENCES)[number]),
          sponsored_octets: charge.sponsoredOctets,
          charge_micros: charge.chargeMicros,
          used_octets_after: charge.usedOctetsAfter,
          carry_after: charge.carryAfter,
        }),
  };
  const differences = Object.entries(expected).flatMap(([name, value]) => {
    const stored = name === 'subscriber' ? hexOf(row.subscriber) : row[name];
    return String(stored) === String(value) ? [] : [`${name} ${stored}, computed again ${value}`];
  });
  return differences.length === 0 ? null : differences.join('; ');
}

/** Row fields of a record that failed validation. */
const NOTHING_READ = {
  node_id: '',
  local_sequence_number: 0,
  start_time: 0,
  end_time: 0,
  uplink_octets: 0,
  downlink_octets: 0,
  content_type: 0,
};

function fieldsOf(record: FlowRecord): Record<keyof typeof NOTHING_READ, string | number> {
  return {
    node_id: record.nodeId,
    local_sequence_number: record.localSequenceNumber,
    start_time: record.startTime,
    end_time: record.endTime,
    uplink_octets: record.uplinkOctets,
    downlink_octets: record.downlinkOctets,
    content_type: CONTENT_TYPES.indexOf(record.contentType ?? 'unknown'),
  };
}

/** Outcomes of records that claim no identity, although they can be read. */
const CLAIM_NOTHING = new Set<string>(['duplicate', 'conflicting_duplicate', 'period_closed']);

function identityDifferences(lists: readonly Uint8Array[], computed: readonly ComputedRecord[]): string[] {
  const booked = new Map(seenList(lists).map((seen) => [seen.place, seen]));
  return computed.flatMap(({ offset, read, outcome }, place) => {
    const isClaimed = !('reason' in read) && !CLAIM_NOTHING.has(outcome.reason);
    const has = isClaimed
      ? { place, nodeId: read.nodeId, sequence: read.localSequenceNumber, fingerprint: fingerprintOf(read) }
      : undefined;
    const claimed = booked.get(place);
    // Whether it should have claimed one follows from its reason: that is reported with the totals and the rows.
    if (claimed === undefined || has === undefined) return [];
    const [stored, source] = [inWords(claimed), inWords(has)];
    return stored === source ? [] : [`record ${offset}: the journal has seen ${stored}, the source has ${source}`];
  });
}

function inWords(seen: SeenRecord): string {
  return `${seen.nodeId} ${seen.sequence} with the content ${seen.fingerprint.toString(16).padStart(8, '0')}`;
}

export function hexOf(subscriber: StoredRow[string]): string {
  return Buffer.from(subscriber as Uint8Array).toString('hex');
}
