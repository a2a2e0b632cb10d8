import { admit } from '../billing/admit.ts';
import { summarise } from '../billing/batch-summary.ts';
import { catalogueFromCanonicalJson } from '../billing/catalogue-compile.ts';
import { FlowBatch } from '../billing/flow-batch.ts';
import { Lane } from '../billing/lane.ts';
import { classifyBatch, rateBatch } from '../billing/pipeline.ts';
import { rejectedPayload } from '../billing/rejected-payload.ts';
import { type Facts, Rules } from '../billing/rules.ts';
import { journalBlock } from '../journal/journal-block.ts';
import { type DecodeAt, decodingAt } from './decoding-at.ts';
import type { BatchRow, JournalEvidence } from './evidence.ts';
import { rulesByBatch } from './rules-by-batch.ts';
import type { WalkedBatch } from './walk-batches.ts';

export interface ReplayOptions {
  pseudonymKey: Uint8Array;
  /** These two as they were when the batches were rated. */
  duplicateWindowRecords: number;
  rejectionPayloadOctets: number;
}

/** A batch rated once more: it is the same when its digest is. */
export interface ReplayedBatch {
  batch: BatchRow;
  records: number;
  digest: string;
}

/**
 * Rates batches once more from the source, with the catalogue, the suspensions and the closings that each of them names,
 * through the engine's own pipeline. A lane begins with what the journal says it knew before its first batch here.
 */
export async function* replayBatches(
  evidence: JournalEvidence,
  walk: AsyncIterable<WalkedBatch>,
  options: ReplayOptions,
): AsyncGenerator<ReplayedBatch> {
  const lanes = new Map<string, { lane: Lane; next: number }>();
  const rulesOf = rulesByBatch(evidence, compiledRules);
  for await (const walked of walk) {
    const { batch, records } = walked;
    const { lane_sequence } = batch.numbers;
    let state = lanes.get(batch.lane);
    if (state?.next !== lane_sequence)
      state = { lane: await laneBefore(evidence, batch, options), next: lane_sequence };
    lanes.set(batch.lane, { lane: state.lane, next: lane_sequence + 1 });
    const rated = { ...walked, decodeAt: await decodingAt(evidence, walked) };
    const digest = records.length === 0 ? '' : digestOf(rated, state.lane, await rulesOf(batch), options);
    yield { batch, records: records.length, digest };
  }
}

function compiledRules(canonicalJson: string, facts: Facts): Rules {
  return new Rules(catalogueFromCanonicalJson(canonicalJson), facts);
}

async function laneBefore(evidence: JournalEvidence, batch: BatchRow, options: ReplayOptions): Promise<Lane> {
  const lane = new Lane(options);
  lane.position = batch.numbers.lane_position;
  const { counters, seen } = evidence.stateBefore(batch, options.duplicateWindowRecords);
  await lane.restoreCounters(counters);
  await lane.restoreIdentities(seen);
  return lane;
}

function digestOf(
  { batch, records, decodeAt }: WalkedBatch & { decodeAt: DecodeAt },
  lane: Lane,
  rules: Rules,
  options: ReplayOptions,
): string {
  const { topic, partition, bookingDay, chainedDay, lastOffset, numbers } = batch;
  const columns = new FlowBatch(records.length);
  const keyedByMsisdn = records[0].timestampMs !== null;
  for (const record of records) admit(columns, record, { decode: decodeAt(record.offset), keyedByMsisdn }, lane, rules);
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
  const payloadOf = (row: number) =>
    rejectedPayload(
      columns.value(row),
      decodeAt(columns.offset[row]),
      options.pseudonymKey,
      options.rejectionPayloadOctets,
    );
  return journalBlock(columns, payloadOf, summarise(columns), place, lane, rules).digest;
}
