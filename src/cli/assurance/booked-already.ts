import { literal, type Store } from '../../platform/clickhouse/store.ts';
import type { Decoder } from '../../rating/flow-record.ts';
import { recyclingOf } from '../../rating/lane.ts';
import { outcomeInWords, REASON_CODE } from '../../rating/outcome.ts';
import { readRecord } from '../../rating/pipeline.ts';
import { fingerprintOf } from '../../rating/record/fingerprint.ts';

/** What the journal has of a record's identity, in words. */
export interface BookedAlready {
  text: string;
  /** What becomes of the record if it comes now, in words; null: the window of duplicates has passed the first one. */
  outcome: string | null;
  /** The correction that reversed the recycling which claimed the identity; null: none did. */
  reversedBy: number | null;
}

/** A look-up that takes longer says so, and is no reason to read the whole journal of a year. */
const MOST_SECONDS = 60;

interface SeenRow {
  lane: string;
  topic: string;
  partition: number;
  batch: number;
  first: number;
  last: number;
  ordinal: number;
  fingerprint: number;
}

/**
 * Looks up whether a record's identity is booked, charged or not; null when it is not, or when the record cannot be read.
 * Rejects with a StoreError.
 */
export async function bookedAlready(
  store: Store,
  value: Uint8Array,
  decode: Decoder,
  windowRecords: number,
): Promise<BookedAlready | null> {
  const record = readRecord({ value, oversizedOctets: 0 }, decode);
  if ('reason' in record) return null;
  const { nodeId, localSequenceNumber } = record;
  // What was claimed last is what the window has.
  const [seen] = await store.query<SeenRow>(
    'SELECT lane, topic, partition, lane_sequence AS batch, first_offset AS first, offset AS last, ' +
      'lane_position + claim.row AS ordinal, claim.fingerprint AS fingerprint FROM journal ARRAY JOIN seen AS claim ' +
      `PREWHERE kind = 'batch' AND has(seen_nodes, ${literal(nodeId)}) ` +
      `WHERE claim.sequence = ${localSequenceNumber} AND seen_nodes[claim.node + 1] = ${literal(nodeId)} ` +
      `ORDER BY booking_date DESC, lane_sequence DESC LIMIT 1 SETTINGS max_execution_time = ${MOST_SECONDS}`,
  );
  if (seen === undefined) return null;
  const isSame = Number(seen.fingerprint) === fingerprintOf(record);
  const isInWindow = (await positionOf(store, seen.lane)) < Number(seen.ordinal) + windowRecords;
  const content = isSame ? 'the same content' : 'other content';
  const reversedBy = await reversalOf(store, seen.topic);
  const reversed = reversedBy === null ? '' : `, reversed by correction ${reversedBy}`;
  const place = `booked already at ${await placeOf(store, seen, nodeId, localSequenceNumber)}${reversed}`;
  const then = isInWindow ? '' : `; the window of ${windowRecords} records has passed it: another one would be charged`;
  return {
    text: `${place} (batch ${seen.lane}@${seen.batch}), with ${content}${then}`,
    outcome: isInWindow ? outcomeInWords(REASON_CODE[isSame ? 'duplicate' : 'conflicting_duplicate']) : null,
    reversedBy,
  };
}

/** Returns the correction that reversed the recycling of a log; null: there is none, or the log is of no recycling. */
async function reversalOf(store: Store, topic: string): Promise<number | null> {
  const recycling = recyclingOf(topic);
  if (recycling === null) return null;
  const [head] = await store.query<{ number: number }>(
    `SELECT number FROM corrections WHERE kind = 'head' AND recycling = ${recycling} LIMIT 1`,
  );
  return head === undefined ? null : Number(head.number);
}

async function positionOf(store: Store, lane: string): Promise<number> {
  const [{ position }] = await store.query<{ position: number }>(
    `SELECT max(lane_position + records_read) AS position FROM journal WHERE kind = 'batch' AND lane = ${literal(lane)}`,
  );
  return Number(position);
}

/** A charged record has a row that says its offset; of any other the batch's offsets are known. */
async function placeOf(store: Store, seen: SeenRow, nodeId: string, sequence: number): Promise<string> {
  const { lane, topic, partition, first, last } = seen;
  const [row] = await store.query<{ place: number; reason: string }>(
    `SELECT offset AS place, reason FROM journal WHERE kind = 'charge' AND lane = ${literal(lane)} ` +
      `AND topic = ${literal(topic)} AND partition = ${partition} AND offset BETWEEN ${first} AND ${last} ` +
      `AND node_id = ${literal(nodeId)} AND local_sequence_number = ${sequence} ORDER BY offset DESC LIMIT 1`,
  );
  const log = `${topic}-${partition}`;
  if (row !== undefined) return `${log} offset ${row.place}, ${row.reason}`;
  const [later] = await store.query<{ place: number; reason: string; number: number }>(
    'SELECT offset AS place, reason, correction_number AS number FROM sponsored_later ' +
      `WHERE lane = ${literal(lane)} AND topic = ${literal(topic)} AND partition = ${partition} ` +
      `AND offset BETWEEN ${first} AND ${last} AND node_id = ${literal(nodeId)} AND local_sequence_number = ${sequence}`,
  );
  return later === undefined
    ? `${log}, not charged, within offsets ${first} to ${last}`
    : `${log} offset ${later.place}, not charged then, and ${later.reason} by correction ${later.number}`;
}
