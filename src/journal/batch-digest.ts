import { createHash } from 'node:crypto';
import type { NativeColumn } from '../platform/clickhouse/native-block.ts';
import type { SourceProof } from '../platform/kafka/log-record.ts';
import type { TopicPartition } from '../rating/record/topic-partition.ts';

/** A batch's place in its log and its lane. */
export interface BatchPlace {
  log: TopicPartition;
  /** Days since 1970-01-01. */
  bookingDay: number;
  /** Booking day of the batch before in the lane; 0 for the first. */
  chainedDay: number;
  /** The cursor that the batch extends; -1 before the first. */
  prev: number;
  firstOffset: number;
  lastOffset: number;
  /** Number of the batch in its lane, from 1. */
  laneSequence: number;
  /** Records read in the lane before the batch. */
  lanePosition: number;
  /** Why the batch has no records: it books the loss of its offsets, or where the log begins. Empty for every other batch. */
  gapReason: GapReason | '';
  /** Of the batch's last record; absent: none. It is no part of the digest, which is computed again from records alone. */
  sourceProof?: SourceProof;
}

/** What a source can lose: records that retention deleted before they were booked, or a whole topic that was recreated. */
export type LossReason = 'records_lost' | 'topic_recreated';

/** Why a batch has no records: a loss, or `start_position`: the configuration says to begin behind its offsets. */
export type GapReason = LossReason | 'start_position';

/**
 * SHA-256 over the batch's place and numbers, the encoded columns of its rows, and its `lists`: what the batch row holds in
 * arrays. It follows from what the journal holds: rows are in offset order, and every dictionary is in the order of first
 * appearance.
 */
export function batchDigest(
  place: BatchPlace,
  numbers: readonly number[],
  catalogueHash: string,
  columns: readonly NativeColumn[],
  lists: readonly Uint8Array[],
): string {
  const { lane, topic, partition } = place.log;
  const { bookingDay, chainedDay, lastOffset, gapReason } = place;
  const hash = createHash('sha256').update(
    JSON.stringify([lane, topic, partition, bookingDay, chainedDay, lastOffset, gapReason, numbers, catalogueHash]),
  );
  for (const { name, type, bytes } of columns) hash.update(`${name} ${type}\n`).update(bytes);
  for (const bytes of lists) hash.update(`${bytes.length}\n`).update(bytes);
  return hash.digest('hex');
}
