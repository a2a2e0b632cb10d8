import type { BatchSummary } from '../billing/batch-summary.ts';
import type { Catalogue } from '../billing/catalogue.ts';
import type { FlowBatch } from '../billing/flow-batch.ts';
import type { Lane } from '../billing/lane.ts';
import { failedAtTheDoor, OUTCOMES, outcomeOf, REASONS } from '../billing/outcome.ts';
import { PSEUDONYM_OCTETS } from '../billing/pseudonym.ts';
import type { Rules } from '../billing/rules.ts';
import {
  arrayColumn,
  bytesOf,
  fixedColumn,
  int64Column,
  int64Words,
  type NativeColumn,
  nativeBlock,
  stringColumn,
  strings,
} from '../platform/native-block.ts';
import { type BatchPlace, batchDigest } from './batch-digest.ts';
import { BlockRows } from './block-rows.ts';
import { seenIdentities } from './seen-identities.ts';

export const ENGINE_VERSION = '0.1.0';

/** On the wire milliseconds since 1970-01-01T00:00Z; a cast from Int64 would take them for seconds. */
export const TIME = "DateTime64(3, 'UTC')";
export const KINDS = { charge: 1, rejection: 2, batch: 3 };

/** A batch as the journal takes it. */
export interface JournalBlock extends BatchPlace {
  digest: string;
  keyMismatches: number;
  columns: readonly NativeColumn[];
  bytes: Buffer;
}

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
] as const;
/** Texts of a batch row, in the order in which the block's `batch_texts` array holds them. */
export const BATCH_TEXTS = ['catalogue_hash', 'engine_version', 'digest', 'gap_reason'] as const;

/**
 * Encodes a rated batch: charge and rejection rows in offset order, then the batch row. What only the batch row has
 * travels in arrays that are empty in all other rows, so it costs those next to nothing.
 */
export function journalBlock(
  batch: FlowBatch,
  payloadOf: (row: number) => string,
  summary: BatchSummary,
  place: BatchPlace,
  lane: Lane,
  rules: Rules,
): JournalBlock {
  const block = new BlockRows(bookedRows(batch));
  const { height } = block;
  const rowColumns = [
    ...placeColumns(batch, block, place.lastOffset),
    ...recordColumns(batch, block, lane),
    ...decisionColumns(batch, block, rules.catalogue),
    ...rejectionColumns(batch, block.rows, payloadOf),
  ];
  const numbers = batchNumbers(batch, summary, place, rules);
  const outcomes = outcomeElements(summary, rules);
  const seen = seenIdentities(batch, lane.nodes.list);
  const lists = [...outcomes.elements, strings(seen.nodes), ...seen.elements];
  const digest = batchDigest(place, numbers, rules.catalogue.hash, rowColumns, lists);
  const texts = [rules.catalogue.hash, ENGINE_VERSION, digest, place.gapReason];
  const columns = [
    ...rowColumns,
    lastRowArray('batch_numbers', 'Int64', height, numbers.length, [bytesOf(int64Words(numbers))]),
    lastRowArray('batch_texts', 'String', height, texts.length, [strings(texts)]),
    lastRowArray('outcomes', outcomes.type, height, summary.counts.length, outcomes.elements),
    lastRowArray('seen_nodes', 'String', height, seen.nodes.length, [strings(seen.nodes)]),
    lastRowArray('seen', seen.type, height, seen.count, seen.elements),
  ];
  return {
    ...place,
    digest,
    keyMismatches: batch.keyMismatches,
    columns,
    bytes: nativeBlock(height, columns),
  };
}

/** Rows that the journal keeps one by one. */
function bookedRows(batch: FlowBatch): Uint32Array {
  const rows = new Uint32Array(batch.count);
  let count = 0;
  for (let row = 0; row < batch.count; row++) {
    const outcome = outcomeOf(batch.reason[row]);
    if (outcome === 'charged' || outcome === 'rejected') rows[count++] = row;
  }
  return rows.subarray(0, count);
}

/** What the record says, and where it stands. */
function recordColumns(batch: FlowBatch, block: BlockRows, lane: Lane): NativeColumn[] {
  const isKnown = (row: number) => !failedAtTheDoor(batch.reason[row]);
  const subscribers = new Uint8Array(block.height * PSEUDONYM_OCTETS);
  block.rows.forEach((row, at) => {
    if (isKnown(row)) subscribers.set(lane.subscribers.pseudonym(batch.subscriber[row]), at * PSEUDONYM_OCTETS);
  });
  return [
    fixedColumn('subscriber', `FixedString(${PSEUDONYM_OCTETS})`, subscribers),
    block.uint8('content_type', 'Int8', (row) => batch.contentType[row]),
    block.int64('start_time', TIME, batch.startTimeMs),
    block.int64('end_time', TIME, batch.endTimeMs),
    block.texts(
      'node_id',
      (row) => (isKnown(row) ? batch.node[row] : -1),
      (node) => lane.nodes.list[node],
    ),
    block.int64('local_sequence_number', 'Int64', batch.localSequenceNumber),
    block.int64('uplink_octets', 'UInt64', batch.uplinkOctets),
    block.int64('downlink_octets', 'UInt64', batch.downlinkOctets),
  ];
}

/** What was decided about it. */
function decisionColumns(
  batch: FlowBatch,
  block: BlockRows,
  { plans, applications, sponsors }: Catalogue,
): NativeColumn[] {
  const applicationOf = (row: number) => batch.application[row];
  const planOf = (row: number) => batch.plan[row];
  const sponsorOf = (row: number) => applications[batch.application[row]]?.sponsor ?? -1;
  const reasonOf = (row: number) => batch.reason[row];
  return [
    block.texts('reason', reasonOf, (reason) => REASONS[reason].reason),
    block.texts('sponsor_id', sponsorOf, (sponsor) => sponsors[sponsor].id),
    block.texts('application_id', applicationOf, (application) => applications[application].id),
    block.texts('plan_id', planOf, (plan) => plans[plan].id),
    block.uint32('plan_version', (row) => plans[batch.plan[row]]?.version ?? 0),
    block.uint16('period_start', (row) => batch.periodStart[row]),
    block.uint8('evidence', 'Int8', (row) => batch.evidence[row]),
    block.int64('sponsored_octets', 'UInt64', batch.sponsoredOctets),
    block.int64('charge_micros', 'Int64', batch.chargeMicros),
    block.texts('currency', sponsorOf, (sponsor) => sponsors[sponsor].currency),
    block.int64('used_octets_after', 'UInt64', batch.usedOctetsAfter),
    block.uint16('carry_after', (row) => batch.carryAfter[row]),
  ];
}

function placeColumns(batch: FlowBatch, block: BlockRows, lastOffset: number): NativeColumn[] {
  const kind = new Uint8Array(block.height).fill(KINDS.batch);
  const offset = new Float64Array(block.height).fill(lastOffset);
  block.rows.forEach((row, at) => {
    kind[at] = outcomeOf(batch.reason[row]) === 'charged' ? KINDS.charge : KINDS.rejection;
    offset[at] = batch.offset[row];
  });
  return [fixedColumn('kind', 'Int8', kind), int64Column('offset', 'Int64', offset)];
}

function rejectionColumns(batch: FlowBatch, rows: Uint32Array, payloadOf: (row: number) => string): NativeColumn[] {
  const details = new Map(batch.rejections.map(({ row, detail }) => [row, detail]));
  const detail: string[] = [];
  const payload: string[] = [];
  for (const row of rows) {
    const rejection = details.get(row);
    detail.push(rejection ?? '');
    payload.push(rejection === undefined ? '' : payloadOf(row));
  }
  return [stringColumn('detail', [...detail, '']), stringColumn('payload', [...payload, ''])];
}

function batchNumbers(batch: FlowBatch, summary: BatchSummary, place: BatchPlace, rules: Rules): number[] {
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
  ];
}

function outcomeElements(summary: BatchSummary, rules: Rules): { type: string; elements: Uint8Array[] } {
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

function lastRowArray(name: string, type: string, height: number, count: number, elements: Uint8Array[]): NativeColumn {
  const ends = new Float64Array(height);
  ends[height - 1] = count;
  return arrayColumn(name, type, ends, elements);
}
