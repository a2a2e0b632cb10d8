import type { Batch, EachBatchPayload } from 'kafkajs';
import { expect, test } from 'vitest';
import { decodeJson } from '../../rating/decode/decode-json.ts';
import type { LogBounds } from '../source.ts';
import { type KafkaAssignment, KafkaPartition } from './kafka-assignment.ts';
import { KafkaFeed, type KafkaFeedOptions } from './kafka-feed.ts';

const POSITION = 51;
const nothing = () => {};

/** What becomes of a batch of these offsets, fetched at `POSITION`, when the brokers then say that the log has `bounds`. */
async function take(offsets: readonly number[], bounds: LogBounds): Promise<string> {
  const partition = new KafkaPartition('flows', 0);
  partition.position = POSITION;
  let outcome = 'dropped';
  const messages = offsets.map((offset) => ({ offset: String(offset), timestamp: '0', key: null, value: null }));
  const batch = {
    partition: 0,
    messages,
    firstOffset: () => messages[0].offset,
    lastOffset: () => messages[messages.length - 1].offset,
  } as unknown as Batch;
  const feed = new KafkaFeed({
    assignment: {
      partition: () => partition,
      restart: () => {
        outcome = 'assigned again';
      },
    } as unknown as KafkaAssignment,
    listener: {
      deliver: async () => {
        outcome = 'delivered';
      },
    },
    fetchBounds: async () => new Map([[0, bounds]]),
    decode: decodeJson,
    maxRecordBytes: 100,
    logger: { debug: nothing, info: nothing, warn: nothing, error: nothing },
    onFailure: nothing,
    isAbandoned: () => false,
  } as unknown as KafkaFeedOptions);
  const payload = { batch, resolveOffset: nothing, heartbeat: async () => {}, isStale: () => false };
  await feed.take(payload as unknown as EachBatchPayload);
  await partition.handedOver;
  return outcome;
}

test.each<[string, number[], LogBounds, string]>([
  ['the next offset', [51, 52], { startOffset: 0, endOffset: 53 }, 'delivered'],
  ['behind a hole that compaction or a marker left', [53], { startOffset: 0, endOffset: 54 }, 'delivered'],
  ['behind offsets that retention took', [53], { startOffset: 53, endOffset: 54 }, 'assigned again'],
  ['before the position: of a recreated topic', [3, 4], { startOffset: 0, endOffset: 5 }, 'assigned again'],
  // The log that the batch is from is gone, and it cannot be known any more whether offset 51 was in it.
  ['behind a hole in a log that was recreated meanwhile', [52], { startOffset: 0, endOffset: 9 }, 'assigned again'],
])('a batch %s', async (_, offsets, bounds, outcome) => {
  expect(await take(offsets, bounds)).toBe(outcome);
});
