import { accountsOfErased, BookedPseudonyms, recordsOfErased } from '../../journal/evidence/booked-pseudonyms.ts';
import { admitAsBooked, type DecodeAt, decodingAt } from '../../journal/evidence/decoding-at.ts';
import type { BatchRow, JournalEvidence, StoredBatch, WalkedBatch } from '../../journal/evidence/evidence.ts';
import { journalBlock } from '../../journal/journal-block.ts';
import { leakageOf, summarise } from '../../rating/batch-summary.ts';
import { catalogueFromCanonicalJson } from '../../rating/catalogue/catalogue-compile.ts';
import { FlowBatch } from '../../rating/flow-record.ts';
import { Lane } from '../../rating/lane.ts';
import { classifyBatch, rateBatch } from '../../rating/pipeline.ts';
import type { RecordRules } from '../../rating/record/record-limits.ts';
import { rejectedPayload } from '../../rating/record/rejected-payload.ts';
import { Rules } from '../../rating/rules.ts';
import type { PseudonymKey } from '../../rating/subscribers.ts';
import { type RuleMaker, rulesByBatch } from './rules-by-batch.ts';

export interface ReplayOptions {
  pseudonymKey: PseudonymKey;
  /** The settings with which the batches were rated. */
  duplicateWindowRecords: number;
  rejectionPayloadBytes: number;
  recordRules: RecordRules;
}

/** A batch rated again: it is the same when its digest is. */
export interface ReplayedBatch {
  batch: BatchRow;
  records: number;
  digest: string;
  /**
   * Records of subscribers who were erased since: their pseudonyms are taken from the journal's rows, and nothing else is.
   */
  recordsOfErased: number;
}

/**
 * Rates batches again from the source, with the catalogue and the facts that each of them names, through
 * the engine's own pipeline. A lane starts with the journal's state before its first batch here.
 */
export async function* replayBatches(
  evidence: JournalEvidence,
  walk: AsyncIterable<WalkedBatch>,
  options: ReplayOptions,
): AsyncGenerator<ReplayedBatch> {
  const lanes = new Map<string, { lane: Lane; next: number }>();
  const pseudonymKey = new BookedPseudonyms(options.pseudonymKey);
  const rulesOf = rulesByBatch(evidence, COMPILED);
  for await (const walked of walk) {
    const { batch, records } = walked;
    const { lane_sequence } = batch.numbers;
    let state = lanes.get(batch.lane);
    if (state?.next !== lane_sequence)
      state = { lane: await laneBefore(evidence, batch, { ...options, pseudonymKey }), next: lane_sequence };
    lanes.set(batch.lane, { lane: state.lane, next: lane_sequence + 1 });
    await state.lane.recallEarlier(batch.topic, () => evidence.seenByEarlier(batch));
    const hasErasures = pseudonymKey.generations.length > 1;
    const stored = hasErasures ? await evidence.stored(batch) : NOTHING_STORED;
    const rated = { ...walked, decodeAt: await decodingAt(evidence, walked), stored };
    const ofErased = hasErasures ? expectBooked(rated, state.lane, pseudonymKey) : 0;
    const digest =
      records.length === 0 ? '' : replay(rated, state.lane, await rulesOf(batch), { ...options, pseudonymKey });
    yield { batch, records: records.length, digest, recordsOfErased: ofErased };
  }
}

const NOTHING_STORED: StoredBatch = { rows: [], lists: [] };

/** Gives erased subscribers and accounts the pseudonyms that this batch is booked with, and returns how many records are theirs. */
function expectBooked(
  rated: WalkedBatch & { decodeAt: DecodeAt; stored: StoredBatch },
  lane: Lane,
  key: BookedPseudonyms,
): number {
  const { booked, rows } = recordsOfErased(rated, rated.decodeAt, rated.stored, key);
  key.expect(booked, accountsOfErased(rated, rated.decodeAt, rated.stored, key));
  lane.subscribers.forgetMsisdns();
  lane.accounts.forget();
  return rows.length;
}

const COMPILED: RuleMaker<Rules> = {
  make: (canonicalJson, facts) => new Rules(catalogueFromCanonicalJson(canonicalJson), facts),
  change: (rules, facts) => rules.with(facts),
};

async function laneBefore(evidence: JournalEvidence, batch: BatchRow, options: ReplayOptions): Promise<Lane> {
  const lane = new Lane(options);
  lane.position = batch.numbers.lane_position;
  const { counters, seen } = evidence.stateBefore(batch, options.duplicateWindowRecords);
  await lane.restoreCounters(counters);
  await lane.restoreIdentities(seen, Math.max(0, lane.position - options.duplicateWindowRecords));
  return lane;
}

function replay(
  { batch, records, decodeAt, stored }: WalkedBatch & { decodeAt: DecodeAt; stored: StoredBatch },
  lane: Lane,
  rules: Rules,
  options: ReplayOptions & { pseudonymKey: BookedPseudonyms },
): string {
  const { topic, partition, bookingDay, chainedDay, lastOffset, numbers } = batch;
  const columns = new FlowBatch(records.length);
  admitAsBooked(columns, { batch, records }, decodeAt, options.recordRules, lane, rules);
  const place = {
    log: { topic, partition, lane: batch.lane },
    bookingDay,
    chainedDay,
    prev: numbers.prev,
    firstOffset: records[0].offset,
    lastOffset,
    laneSequence: numbers.lane_sequence,
    lanePosition: lane.position,
    gapReason: '' as const,
  };
  classifyBatch(columns, lane, rules);
  rateBatch(columns, lane, rules);
  const { pseudonymKey, rejectionPayloadBytes } = options;
  const bookedPayloads = new Map(stored.rows.map(({ offset, payload }) => [Number(offset), String(payload)]));
  const payloadOf = (row: number) => {
    const offset = columns.offset[row];
    const payload = rejectedPayload(columns.value(row), decodeAt(offset), pseudonymKey, rejectionPayloadBytes);
    return pseudonymKey.payloadAsBooked(payload, bookedPayloads.get(offset) ?? '');
  };
  const names = { nodes: lane.nodes.list, tags: rules.evidence.tags };
  const summary = summarise(columns, leakageOf(columns, names, numbers.leakage_rows));
  return journalBlock(columns, payloadOf, summary, place, lane, rules).digest;
}
