import { createHash } from 'node:crypto';
import type { NativeColumn } from '../platform/native-block.ts';
import type { TopicPartition } from './ports.ts';

/** Where a batch stands in its log and its lane. */
export interface BatchPlace {
  log: TopicPartition;
  /** Days since 1970-01-01. */
  bookingDay: number;
  /** The cursor that the batch extends; -1 before the first. */
  prev: number;
  /** Number of the batch in its lane, from 1. */
  laneSequence: number;
  /** Records read in the lane before the batch. */
  lanePosition: number;
}

/**
 * SHA-256 over the batch's place and numbers and the encoded columns of its rows. It follows from what the journal holds:
 * rows are in offset order, and every dictionary is in the order of first appearance.
 */
export function batchDigest(
  place: BatchPlace,
  numbers: readonly number[],
  catalogueHash: string,
  columns: readonly NativeColumn[],
): string {
  const { lane, topic, partition } = place.log;
  const hash = createHash('sha256').update(
    JSON.stringify([lane, topic, partition, place.bookingDay, numbers, catalogueHash]),
  );
  for (const { name, type, bytes } of columns) hash.update(`${name} ${type}\n`).update(bytes);
  return hash.digest('hex');
}
