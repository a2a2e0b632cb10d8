import { admit } from '../billing/admit.ts';
import { summarise } from '../billing/batch-summary.ts';
import { catalogueFromCanonicalJson } from '../billing/catalogue-compile.ts';
import { FlowBatch } from '../billing/flow-batch.ts';
import { Lane } from '../billing/lane.ts';
import { failedAtTheDoor } from '../billing/outcome.ts';
import { classifyBatch, rateBatch } from '../billing/pipeline.ts';
import { PseudonymKey } from '../billing/pseudonym.ts';
import type { RecordRules } from '../billing/record-limits.ts';
import { rejectedPayload } from '../billing/rejected-payload.ts';
import { type Facts, Rules } from '../billing/rules.ts';
import { journalBlock } from '../journal/journal-block.ts';
import { type DecodeAt, decodingAt } from './decoding-at.ts';
import type { BatchRow, JournalEvidence } from './evidence.ts';
import { rulesByBatch } from './rules-by-batch.ts';
import type { WalkedBatch } from './walk-batches.ts';

export interface ReplayOptions {
  pseudonymKey: PseudonymKey;
  /** These as they were when the batches were rated. */
  duplicateWindowRecords: number;
  rejectionPayloadOctets: number;
  recordRules: RecordRules;
}

/** A batch rated once more: it is the same when its digest is. */
export interface ReplayedBatch {
  batch: BatchRow;
  records: number;
  digest: string;
  /** It has rows of subscribers who were erased since: their pseudonyms are others now, and so is the digest. */
  isOfErased: boolean;
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
  const pseudonymKey = new NotingKey(options.pseudonymKey);
  const rulesOf = rulesByBatch(evidence, compiledRules);
  for await (const walked of walk) {
    const { batch, records } = walked;
    const { lane_sequence } = batch.numbers;
    let state = lanes.get(batch.lane);
    if (state?.next !== lane_sequence)
      state = { lane: await laneBefore(evidence, batch, { ...options, pseudonymKey }), next: lane_sequence };
    lanes.set(batch.lane, { lane: state.lane, next: lane_sequence + 1 });
    const rated = { ...walked, decodeAt: await decodingAt(evidence, walked) };
    const replayed =
      records.length === 0
        ? { digest: '', isOfErased: false }
        : replay(rated, state.lane, await rulesOf(batch), { ...options, pseudonymKey });
    yield { batch, records: records.length, ...replayed };
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

function replay(
  { batch, records, decodeAt }: WalkedBatch & { decodeAt: DecodeAt },
  lane: Lane,
  rules: Rules,
  options: ReplayOptions & { pseudonymKey: NotingKey },
): Pick<ReplayedBatch, 'digest' | 'isOfErased'> {
  const { topic, partition, bookingDay, chainedDay, lastOffset, numbers } = batch;
  const columns = new FlowBatch(records.length);
  const keyedByMsisdn = records[0].timestampMs !== null;
  const context = { keyedByMsisdn, rules: options.recordRules, bookingDay };
  for (const record of records) admit(columns, record, { ...context, decode: decodeAt(record.offset) }, lane, rules);
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
  const { pseudonymKey, rejectionPayloadOctets } = options;
  const payloads: string[] = [];
  const payloadOf = (row: number) => {
    const payload = rejectedPayload(
      columns.value(row),
      decodeAt(columns.offset[row]),
      pseudonymKey,
      rejectionPayloadOctets,
    );
    payloads.push(payload);
    return payload;
  };
  const { digest } = journalBlock(columns, payloadOf, summarise(columns), place, lane, rules);
  return { digest, isOfErased: pseudonymKey.hasErased(columns, lane) || pseudonymKey.standsIn(payloads) };
}

/** The key, remembering whom of the erased it was asked about, by the pseudonym that they would have now. */
class NotingKey extends PseudonymKey {
  readonly #erased = new Set<string>();

  constructor({ generations }: PseudonymKey) {
    super(generations);
  }

  override pseudonymOf(number: string): Buffer {
    const pseudonym = super.pseudonymOf(number);
    if (this.isErased(number)) this.#erased.add(pseudonym.toString('hex'));
    return pseudonym;
  }

  hasErased({ count, reason, subscriber }: FlowBatch, { subscribers }: Lane): boolean {
    if (this.#erased.size === 0) return false;
    const isErased = (row: number) =>
      this.#erased.has(Buffer.from(subscribers.pseudonym(subscriber[row])).toString('hex'));
    return Array.from({ length: count }, (_, row) => row).some((row) => !failedAtTheDoor(reason[row]) && isErased(row));
  }

  standsIn(payloads: readonly string[]): boolean {
    return [...this.#erased].some((pseudonym) => payloads.some((payload) => payload.includes(`~${pseudonym}`)));
  }
}
