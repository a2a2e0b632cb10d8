import {
  arrayColumn,
  bytesOf,
  fixedColumn,
  int64Words,
  type NativeColumn,
  nativeBlock,
  sparseStringColumn,
  strings,
} from '../platform/clickhouse/native-block.ts';
import { NO_PROOF } from '../platform/kafka/log-record.ts';
import { ENGINE_VERSION } from '../platform/package-paths.ts';
import type { BatchSummary, Leakage } from '../rating/batch-summary.ts';
import type { CatalogueTerms } from '../rating/catalogue.ts';
import type { FlowBatch } from '../rating/flow-record.ts';
import type { Lane } from '../rating/lane.ts';
import { failedAtIngress, isCharged, OUTCOMES, outcomeOf, REASONS } from '../rating/outcome.ts';
import type { BatchRules } from '../rating/rules.ts';
import { PSEUDONYM_OCTETS, PSEUDONYM_WORDS } from '../rating/subscribers.ts';
import { type BatchPlace, BlockMemory, BlockRows, batchDigest, NOT_RECORDED, seenIdentities } from './block-rows.ts';

/** On the wire milliseconds since 1970-01-01T00:00Z; a cast from Int64 would take them for seconds. */
export const TIME = "DateTime64(3, 'UTC')";
export const KINDS = { charge: 1, rejection: 2, batch: 3 };

/** A batch as the journal takes it. */
export interface JournalBlock extends BatchPlace {
  digest: string;
  keyMismatches: number;
  columns: readonly NativeColumn[];
  /** The encoded block, in parts. */
  parts: readonly Uint8Array[];
}

/** The batch number that says how many rows of leakage the batch may have; 0 in batches that keep none, such as those of before. */
const LEAKAGE_ROWS = 'leakage_rows';

/** The last campaign fact that the batch was rated with; 0 before the first, of a catalogue without campaigns, and in older batches. */
const CAMPAIGN_NUMBER = 'campaign_number';

/** Whole numbers of a batch row, in the order in which the block's `batch_numbers` array holds them. */
export const BATCH_NUMBERS = [
  'first_offset',
  'prev',
  'lane_sequence',
  'lane_position',
  'records_read',
  ...OUTCOMES.map((outcome) => `records_${outcome}`),
  ...OUTCOMES.map((outcome) => `octets_${outcome}`),
  'key_mismatches',
  'suspension_number',
  'closing_number',
  LEAKAGE_ROWS,
  'published_through',
  CAMPAIGN_NUMBER,
] as const;
/** Texts of a batch row, in the order in which the block's `batch_texts` array holds them. */
export const BATCH_TEXTS = ['catalogue_hash', 'engine_version', 'digest', 'gap_reason', 'source_proof'] as const;

/**
 * Encodes a rated batch: charge and rejection rows in offset order, then the batch row. What only the batch row has
 * travels in arrays that are empty in all other rows, so it costs those next to nothing. The block is good until the next
 * one is made in the same `memory`.
 */
export function journalBlock(
  batch: FlowBatch,
  payloadOf: (row: number) => string,
  summary: BatchSummary,
  place: BatchPlace,
  lane: Lane,
  rules: BatchRules,
  memory = new BlockMemory(),
): JournalBlock {
  memory.begin();
  const block = new BlockRows(bookedRows(batch, memory), memory);
  const { height } = block;
  const rowColumns = [
    ...placeColumns(batch, block, place.lastOffset),
    ...recordColumns(batch, block, lane),
    ...decisionColumns(batch, block, rules.catalogue),
    ...rejectionColumns(batch, block, payloadOf),
  ];
  const numbers = batchNumbers(batch, summary, place, rules);
  const outcomes = outcomeElements(summary, rules);
  const leakage = leakageElements(summary.leakage, rules);
  const seen = seenIdentities(batch, lane.nodes.list, memory);
  const moves = quotaMoveElements(batch, lane, rules.catalogue);
  const lists = [...outcomes.elements, strings(seen.nodes), ...seen.elements, ...leakage.elements, ...moves.elements];
  const digest = digestOfColumns(place, numbers, rules.catalogue.hash, rowColumns, lists);
  const texts = [rules.catalogue.hash, ENGINE_VERSION, digest, place.gapReason, place.sourceProof ?? NO_PROOF];
  const columns = [
    ...rowColumns,
    lastRowArray('batch_numbers', 'Int64', height, numbers.length, [bytesOf(int64Words(numbers))]),
    lastRowArray('batch_texts', 'String', height, texts.length, [strings(texts)]),
    lastRowArray('outcomes', outcomes.type, height, summary.counts.length, outcomes.elements),
    lastRowArray('seen_nodes', 'String', height, seen.nodes.length, [strings(seen.nodes)]),
    lastRowArray('seen', seen.type, height, seen.count, seen.elements),
    lastRowArray('leakage', leakage.type, height, summary.leakage.rows.length, leakage.elements),
    // Most batches count in none, and the array's ends would cost every row 8 octets.
    ...(batch.quotaMoves.count === 0
      ? []
      : [lastRowArray('further_quotas', moves.type, height, batch.quotaMoves.count, moves.elements)]),
  ];
  return {
    ...place,
    digest,
    keyMismatches: batch.keyMismatches,
    columns,
    parts: nativeBlock(height, columns),
  };
}

/** Numbers that every digest covers: those after them are covered where they say something, and `published_through` never. */
const ALWAYS_COVERED = BATCH_NUMBERS.indexOf(LEAKAGE_ROWS);
const CAMPAIGN_PLACE = BATCH_NUMBERS.indexOf(CAMPAIGN_NUMBER);
/** Where the leakage's and the further quotas' lists begin among those of a batch row, in the order of `batchDigest`. */
const LEAKAGE_LIST = 9;
const FURTHER_QUOTA_LIST = 17;

/**
 * Returns the digest of a batch from its numbers, in the order of BATCH_NUMBERS, and all of its lists. The digest of a batch
 * without leakage, without moves of further quotas, or without campaign facts, is the one that earlier versions, which know none of
 * them, give it. What was published by then follows from no record, and is left out.
 */
export function digestOfColumns(
  place: BatchPlace,
  numbers: readonly number[],
  catalogueHash: string,
  columns: readonly NativeColumn[],
  lists: readonly Uint8Array[],
): string {
  const leakageRows = numbers[ALWAYS_COVERED];
  const campaignNumber = numbers[CAMPAIGN_PLACE] ?? 0;
  const keepsLeakage = leakageRows > 0;
  const kept = numbers.slice(0, ALWAYS_COVERED);
  // Two more, one more or none: a digest never takes the one for the other.
  if (campaignNumber > 0) kept.push(leakageRows, campaignNumber);
  else if (keepsLeakage) kept.push(leakageRows);
  const keptLists = [
    ...lists.slice(0, keepsLeakage ? FURTHER_QUOTA_LIST : LEAKAGE_LIST),
    ...(lists[FURTHER_QUOTA_LIST].length > 0 ? lists.slice(FURTHER_QUOTA_LIST) : []),
  ];
  return batchDigest(place, kept, catalogueHash, columns, keptLists);
}

/** Rows that the journal keeps one by one. */
function bookedRows(batch: FlowBatch, memory: BlockMemory): Uint32Array {
  const rows = memory.uint32(batch.count);
  let count = 0;
  for (let row = 0; row < batch.count; row++) {
    const reason = batch.reason[row];
    if (isCharged(reason) || outcomeOf(reason) === 'rejected') rows[count++] = row;
  }
  return rows.subarray(0, count);
}

/** The record's fields, and its place. */
function recordColumns(batch: FlowBatch, block: BlockRows, { subscribers, nodes }: Lane): NativeColumn[] {
  return [
    fixedColumn('subscriber', `FixedString(${PSEUDONYM_OCTETS})`, pseudonyms(batch, block, subscribers)),
    block.uint8('content_type', 'Int8', batch.contentType),
    block.int64('start_time', TIME, batch.startTimeMs),
    block.int64('end_time', TIME, batch.endTimeMs),
    block.texts('node_id', batch.node, nodes.list.length, (node) => nodes.list[node]),
    block.int64('local_sequence_number', 'Int64', batch.localSequenceNumber),
    block.int64('uplink_octets', 'UInt64', batch.uplinkOctets),
    block.int64('downlink_octets', 'UInt64', batch.downlinkOctets),
  ];
}

/** Zeros for records of which nothing is known, and in the batch row. */
function pseudonyms(batch: FlowBatch, { rows, height, memory }: BlockRows, subscribers: Lane['subscribers']) {
  const words = memory.uint32(height * PSEUDONYM_WORDS);
  for (let at = 0; at < rows.length; at++) {
    const row = rows[at];
    const from = at * PSEUDONYM_WORDS;
    if (failedAtIngress(batch.reason[row])) words.fill(0, from, from + PSEUDONYM_WORDS);
    else subscribers.copyPseudonym(batch.subscriber[row], words, from);
  }
  words.fill(0, rows.length * PSEUDONYM_WORDS);
  return words;
}

/** What was decided about it. */
function decisionColumns(
  batch: FlowBatch,
  block: BlockRows,
  { plans, applications, sponsors }: CatalogueTerms,
): NativeColumn[] {
  const { application, plan, reason } = batch;
  const sponsorOf = (code: number) => sponsors[applications[code].sponsor];
  return [
    block.texts('reason', reason, REASONS.length, (code) => REASONS[code].reason),
    block.texts('sponsor_id', application, applications.length, (code) => sponsorOf(code).id),
    block.texts('application_id', application, applications.length, (code) => applications[code].id),
    block.texts('plan_id', plan, plans.length, (code) => plans[code].id),
    block.uint32('plan_version', plan, (code) => plans[code].version),
    block.uint16('period_start', batch.periodStart),
    block.uint8('evidence', 'Int8', batch.evidence),
    block.int64('sponsored_octets', 'UInt64', batch.sponsoredOctets),
    block.int64('charge_micros', 'Int64', batch.chargeMicros),
    block.texts('currency', application, applications.length, (code) => sponsorOf(code).currency),
    block.int64('used_octets_after', 'UInt64', batch.usedOctetsAfter),
    block.uint16('carry_after', batch.carryAfter),
  ];
}

function placeColumns(batch: FlowBatch, block: BlockRows, lastOffset: number): NativeColumn[] {
  const { rows, height, memory } = block;
  const kind = memory.octets(height);
  for (let at = 0; at < rows.length; at++)
    kind[at] = isCharged(batch.reason[rows[at]]) ? KINDS.charge : KINDS.rejection;
  kind[rows.length] = KINDS.batch;
  return [fixedColumn('kind', 'Int8', kind), block.int64('offset', 'Int64', batch.offset, lastOffset)];
}

function rejectionColumns(
  batch: FlowBatch,
  { rows, height }: BlockRows,
  payloadOf: (row: number) => string,
): NativeColumn[] {
  const details = new Map(batch.rejections.map(({ row, detail }) => [row, detail]));
  const places: number[] = [];
  if (details.size > 0) for (let at = 0; at < rows.length; at++) if (details.has(rows[at])) places.push(at);
  const detail = places.map((at) => details.get(rows[at]) ?? '');
  const payload = places.map((at) => payloadOf(rows[at]));
  return [sparseStringColumn('detail', height, places, detail), sparseStringColumn('payload', height, places, payload)];
}

function batchNumbers(batch: FlowBatch, summary: BatchSummary, place: BatchPlace, rules: BatchRules): number[] {
  return [
    place.firstOffset,
    place.prev,
    place.laneSequence,
    place.lanePosition,
    batch.count,
    ...OUTCOMES.map((outcome) => summary.records[outcome]),
    ...OUTCOMES.map((outcome) => summary.octets[outcome]),
    batch.keyMismatches,
    rules.suspensionNumber,
    rules.closingNumber,
    summary.leakage.maxRows,
    place.publishedThrough ?? NOT_RECORDED,
    rules.campaigns?.number ?? 0,
  ];
}

function outcomeElements(summary: BatchSummary, rules: BatchRules): { type: string; elements: Uint8Array[] } {
  const { counts } = summary;
  return {
    type: 'Tuple(application_id String, reason String, records UInt64, octets UInt64)',
    elements: [
      strings(counts.map(({ application }) => rules.catalogue.applications[application]?.id ?? '')),
      strings(counts.map(({ reasonCode }) => REASONS[reasonCode].reason)),
      bytesOf(int64Words(counts.map(({ records }) => records))),
      bytesOf(int64Words(counts.map(({ octets }) => octets))),
    ],
  };
}

function leakageElements({ rows }: Leakage, rules: BatchRules): { type: string; elements: Uint8Array[] } {
  return {
    type:
      'Tuple(application_id String, reason String, prefix String, tag String, node_id String, day UInt16, ' +
      'records UInt64, octets UInt64)',
    elements: [
      strings(rows.map(({ application }) => rules.catalogue.applications[application]?.id ?? '')),
      strings(rows.map(({ reasonCode }) => REASONS[reasonCode].reason)),
      strings(rows.map(({ prefix }) => prefix)),
      strings(rows.map(({ tag }) => tag)),
      strings(rows.map(({ nodeId }) => nodeId)),
      bytesOf(Uint16Array.from(rows, ({ day }) => day)),
      bytesOf(int64Words(rows.map(({ records }) => records))),
      bytesOf(int64Words(rows.map(({ octets }) => octets))),
    ],
  };
}

/** The counters of further quotas that the batch's records count in, each with its state after the last of them. */
function quotaMoveElements(
  { quotaMoves, offset }: FlowBatch,
  { subscribers, planPeriods, counters }: Lane,
  { furtherQuotas }: CatalogueTerms,
): { type: string; elements: Uint8Array[] } {
  const { count, counter, quota, row, usedOctets } = quotaMoves;
  const words = new Uint32Array(count * PSEUDONYM_WORDS);
  for (let at = 0; at < count; at++)
    subscribers.copyPseudonym(counters.subscriber(counter[at]), words, at * PSEUDONYM_WORDS);
  const periodStart = (moved: number) => planPeriods.at(counters.planPeriod(moved)).periodStart;
  return {
    type:
      `Tuple(subscriber FixedString(${PSEUDONYM_OCTETS}), quota_id String, quota_version UInt32, period_start UInt16, ` +
      'used_octets_after UInt64, offset Int64)',
    elements: [
      bytesOf(words),
      strings(quota.map((index) => furtherQuotas[index].id)),
      bytesOf(Uint32Array.from(quota, (index) => furtherQuotas[index].version)),
      bytesOf(Uint16Array.from(counter, periodStart)),
      bytesOf(int64Words(usedOctets)),
      bytesOf(int64Words(row.map((moved) => offset[moved]))),
    ],
  };
}

function lastRowArray(name: string, type: string, height: number, count: number, elements: Uint8Array[]): NativeColumn {
  const ends = new Float64Array(height);
  ends[height - 1] = count;
  return arrayColumn(name, type, ends, elements);
}
