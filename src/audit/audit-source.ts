import { readRecord } from '../billing/admit.ts';
import { EVIDENCES } from '../billing/flow-batch.ts';
import type { PseudonymKey } from '../billing/pseudonym.ts';
import type { RecordRules } from '../billing/record-limits.ts';
import { counterRows, identityRows } from '../billing/restored-columns.ts';
import { decodingAt } from './decoding-at.ts';
import type { BatchRow, JournalEvidence, StoredBatch } from './evidence.ts';
import type { AuditFault, Invariant } from './invariants.ts';
import { outcomeKey, outcomeList } from './outcome-list.ts';
import { rulesByBatch } from './rules-by-batch.ts';
import { SecondComputation, type SecondOutcome, secondRules } from './second-computation.ts';
import { lastInstantOf } from './second-rules.ts';
import type { StoredRow } from './stored-columns.ts';
import type { WalkedBatch } from './walk-batches.ts';

export interface SourceAuditOptions {
  pseudonymKey: PseudonymKey;
  /** These two as they were when the batches were rated. */
  duplicateWindowRecords: number;
  recordRules: RecordRules;
  /** Told of records whose subscriber was erased: whose they are is believed of the journal, all else is computed. */
  onErased?: (records: number) => void;
}

/**
 * Checks a journal against its source: each batch read what the source has in its offsets, all of it and once; and every
 * outcome, counter and charge is what a second computation gives, which shares nothing with the engine's but the decoders.
 */
export async function* auditSource(
  evidence: JournalEvidence,
  walk: AsyncIterable<WalkedBatch>,
  options: SourceAuditOptions,
): AsyncGenerator<AuditFault> {
  const lanes = new Map<string, { computation: SecondComputation; next: number }>();
  const rulesOf = rulesByBatch(evidence, secondRules);
  const { msisdn, maxFutureMs } = options.recordRules;
  for await (const walked of walk) {
    const { batch, records } = walked;
    const { lane, numbers } = batch;
    let state = lanes.get(lane);
    if (state?.next !== numbers.lane_sequence)
      state = { computation: await restored(evidence, batch, options), next: 0 };
    lanes.set(lane, { ...state, next: numbers.lane_sequence + 1 });
    const { computation } = state;
    const rules = await rulesOf(batch);
    yield* recordFaults(batch, records);
    const decodeAt = await decodingAt(evidence, walked);
    const stored = await evidence.stored(batch);
    const booked = new Map(stored.rows.map((row) => [Number(row.offset), hexOf(row.subscriber)]));
    const ofErasedBefore = computation.recordsOfErased;
    const outcomes = records.map((record, at) => {
      const latestTimeMs = lastInstantOf(record.timestampMs, batch.bookingDay, maxFutureMs);
      const read = readRecord(record, decodeAt(record.offset), { msisdn, latestTimeMs });
      return computation.compute(numbers.lane_position + at, read, rules, booked.get(record.offset));
    });
    options.onErased?.(computation.recordsOfErased - ofErasedBefore);
    yield* chargeFaults(batch, stored, new Map(records.map(({ offset }, at) => [offset, outcomes[at]])));
  }
}

/** The computation that comes to this batch, from nothing or from what the journal had before it. */
async function restored(
  evidence: JournalEvidence,
  batch: BatchRow,
  options: SourceAuditOptions,
): Promise<SecondComputation> {
  const computation = new SecondComputation(options);
  if (batch.numbers.lane_sequence === 1) return computation;
  const { counters, seen } = evidence.stateBefore(batch, options.duplicateWindowRecords);
  for await (const chunk of counters) {
    for (const counter of counterRows(chunk)) {
      computation.restoreCounter({ ...counter, subscriber: Buffer.from(counter.subscriber).toString('hex') });
    }
  }
  for await (const chunk of seen) for (const identity of identityRows(chunk)) computation.restoreIdentity(identity);
  return computation;
}

function recordFaults(batch: BatchRow, records: WalkedBatch['records']): AuditFault[] {
  const { lane, lastOffset, numbers } = batch;
  const says = [numbers.records_read, numbers.first_offset, lastOffset];
  const has = [records.length, records[0]?.offset, records.at(-1)?.offset];
  if (says.every((value, at) => value === has[at])) return [];
  const message = `read ${says[0]} records, ${says[1]} to ${says[2]}; the source has ${has[0]}, ${has[1]} to ${has[2]}`;
  return [{ invariant: 'source', lane, laneSequence: numbers.lane_sequence, message }];
}

function chargeFaults(
  batch: BatchRow,
  { rows, lists }: StoredBatch,
  outcomes: ReadonlyMap<number, SecondOutcome>,
): AuditFault[] {
  const { lane, numbers } = batch;
  const faults: AuditFault[] = [];
  const fault = (invariant: Invariant, message: string) =>
    faults.push({ invariant, lane, laneSequence: numbers.lane_sequence, message });
  const computed = new Map<string, number>();
  for (const { applicationId, reason } of outcomes.values()) {
    const key = outcomeKey(applicationId, reason);
    computed.set(key, (computed.get(key) ?? 0) + 1);
  }
  const booked = outcomeList(lists);
  for (const key of new Set([...booked.keys(), ...computed.keys()])) {
    const [stored, anew] = [booked.get(key) ?? 0, computed.get(key) ?? 0];
    if (stored !== anew) fault('charges', `${stored} records ${key}, computed anew ${anew}`);
  }
  for (const row of rows) {
    const expected = outcomes.get(Number(row.offset));
    const message = expected === undefined ? 'the source has no such record' : differenceOf(row, expected);
    if (message !== null) fault('charges', `record ${row.offset}: ${message}`);
  }
  return faults;
}

/** What a stored row says other than the second computation; null when nothing. */
function differenceOf(row: StoredRow, { outcome, reason, charge }: SecondOutcome): string | null {
  const differences: string[] = [];
  const compare = (name: string, stored: unknown, computed: unknown) => {
    if (String(stored) !== String(computed)) differences.push(`${name} ${stored}, computed anew ${computed}`);
  };
  compare('reason', row.reason, reason);
  compare('outcome', row.kind === 1 ? 'charged' : 'rejected', outcome);
  if (charge !== null) {
    compare('subscriber', hexOf(row.subscriber), charge.subscriber);
    compare('sponsor_id', row.sponsor_id, charge.sponsorId);
    compare('application_id', row.application_id, charge.applicationId);
    compare('plan_id', row.plan_id, charge.planId);
    compare('plan_version', row.plan_version, charge.planVersion);
    compare('period_start', row.period_start, charge.periodStart);
    compare('evidence', EVIDENCES[Number(row.evidence)], charge.evidence);
    compare('sponsored_octets', row.sponsored_octets, charge.sponsoredOctets);
    compare('charge_micros', row.charge_micros, charge.chargeMicros);
    compare('used_octets_after', row.used_octets_after, charge.usedOctetsAfter);
    compare('carry_after', row.carry_after, charge.carryAfter);
  }
  return differences.length === 0 ? null : differences.join('; ');
}

function hexOf(subscriber: StoredRow[string]): string {
  return Buffer.from(subscriber as Uint8Array).toString('hex');
}
