import { accountsOfErased, BookedPseudonyms } from '../../journal/evidence/booked-pseudonyms.ts';
import { type DecodeAt, decodingAt } from '../../journal/evidence/decoding-at.ts';
import type { BatchRow, JournalEvidence, StoredBatch, WalkedBatch } from '../../journal/evidence/evidence.ts';
import { readRecord } from '../../rating/pipeline.ts';
import type { RecordRules } from '../../rating/record/record-limits.ts';
import { rejectedPayload } from '../../rating/record/rejected-payload.ts';
import { counterRows, identityRows } from '../../rating/restored-columns.ts';
import type { PseudonymKey } from '../../rating/subscribers.ts';
import { rulesByBatch } from '../replay/rules-by-batch.ts';
import type { CorrectionAudit } from './audit-corrections.ts';
import { type ComputedRecord, compareBatch, hexOf } from './compare-batch.ts';
import type { AuditFault } from './invariants.ts';
import { SecondComputation, secondRules, withFacts } from './second-computation.ts';
import { lastInstantOf } from './second-rules.ts';

export interface SourceAuditOptions {
  pseudonymKey: PseudonymKey;
  /** The settings with which the batches were rated. */
  duplicateWindowRecords: number;
  recordRules: RecordRules;
  rejectionPayloadBytes: number;
  /**
   * Called with the number of records of erased subscribers: their pseudonyms are taken from the journal, all else is
   * computed.
   */
  onErased?: (records: number) => void;
  /** Compares corrections, batch by batch; absent: they are not compared. */
  corrections?: CorrectionAudit;
}

/**
 * Checks a journal against its source. Each batch read the source's records in its offsets, all of them and once. Every row
 * repeats its record. Every outcome, counter and charge equals a second computation, which shares nothing with the engine
 * but the decoders. So do the charges of corrections, with `corrections`.
 */
export async function* auditSource(
  evidence: JournalEvidence,
  walk: AsyncIterable<WalkedBatch>,
  options: SourceAuditOptions,
): AsyncGenerator<AuditFault> {
  const lanes = new Map<string, { computation: SecondComputation; next: number }>();
  const rulesOf = rulesByBatch(evidence, { make: secondRules, change: withFacts });
  const { msisdn, maxFutureSkewMs } = options.recordRules;
  const { corrections } = options;
  if (corrections !== undefined) yield* corrections.start();
  for await (const walked of walk) {
    const { batch, records } = walked;
    const { lane, numbers } = batch;
    let state = lanes.get(lane);
    if (state?.next !== numbers.lane_sequence)
      state = { computation: await restored(evidence, batch, options), next: 0 };
    lanes.set(lane, { ...state, next: numbers.lane_sequence + 1 });
    const { computation } = state;
    await computation.recallEarlier(batch.topic, () => evidence.seenByEarlier(batch));
    const rules = await rulesOf(batch);
    yield* recordFaults(batch, records);
    const decodeAt = await decodingAt(evidence, walked);
    const stored = await evidence.stored(batch);
    const booked = new Map(stored.rows.map((row) => [Number(row.offset), hexOf(row.subscriber)]));
    const accounts = new Map(
      [...accountsOfErased(walked, decodeAt, stored, options.pseudonymKey)].map(([id, pseudonym]) => [
        id,
        hexOf(pseudonym),
      ]),
    );
    const ofErasedBefore = computation.recordsOfErased;
    const computed = records.map((record, at): ComputedRecord => {
      const latestTimeMs = lastInstantOf(record.timestampMs, batch.bookingDay, maxFutureSkewMs);
      const read = readRecord(record, decodeAt(record.offset), { msisdn, latestTimeMs });
      const holders = { subscriber: booked.get(record.offset), accounts };
      const outcome = computation.compute(numbers.lane_position + at, read, rules, holders);
      return { offset: record.offset, read, outcome };
    });
    options.onErased?.(computation.recordsOfErased - ofErasedBefore);
    yield* compareBatch(batch, stored, computed, rules);
    yield* comparePayloads(batch, stored, records, decodeAt, options);
    if (corrections !== undefined) yield* corrections.take(walked, computed);
  }
  if (corrections !== undefined) yield* corrections.finish();
}

/** Returns the computation at this batch, from the first record or from the state that the journal had before it. */
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

/** Compares the journal's payload of each rejected record with the source, as far as both are kept. */
function comparePayloads(
  { lane, numbers }: BatchRow,
  { rows }: StoredBatch,
  records: WalkedBatch['records'],
  decodeAt: DecodeAt,
  options: { pseudonymKey: PseudonymKey; rejectionPayloadBytes: number },
): AuditFault[] {
  const rejected = rows.filter(({ kind }) => kind === 2);
  if (rejected.length === 0) return [];
  const key = new BookedPseudonyms(options.pseudonymKey);
  const byOffset = new Map(records.map((record) => [record.offset, record]));
  return rejected.flatMap(({ offset, payload }) => {
    const record = byOffset.get(Number(offset));
    // A record that the source does not have is reported with its row.
    if (record === undefined) return [];
    const computed = rejectedPayload(record.value, decodeAt(record.offset), key, options.rejectionPayloadBytes);
    const booked = String(payload);
    if (isSameAsFarAsKept(key.payloadAsBooked(computed, booked), booked)) return [];
    const message = `record ${offset}: the kept payload of the rejected record differs from the source`;
    return [{ invariant: 'source', lane, laneSequence: numbers.lane_sequence, message }];
  });
}

/**
 * Compares payloads up to the shorter limit, which may have changed since booking. A cut may leave a replacement character,
 * and padding.
 */
function isSameAsFarAsKept(computed: string, booked: string): boolean {
  if (computed === booked) return true;
  const [shorter, longer] = [computed, booked].sort((a, b) => a.length - b.length);
  const kept = shorter.replace(/(\ufffd|=+)$/, '');
  return kept.length > 0 && shorter.length < longer.length && longer.startsWith(kept);
}
