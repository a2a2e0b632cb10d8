import fc from 'fast-check';
import { Partitioners } from 'kafkajs';
import { expect, test } from 'vitest';
import { decodeWithKafkajs, encodeWithKafkajs } from '../platform/kafka/patches/kafkajs-records.fixture.ts';
import { RECORDS_START } from '../platform/kafka/patches/patch-encoded-records.ts';
import { fuzzing } from '../rating/kernel/kernel.fixture.ts';
import { type QuotaUpdate, quotaUpdateCodec } from '../rating/quota-updates.ts';
import { UPDATES } from './quota-kernel/quota-regions.ts';
import { encodeQuotaRecords, quotaKey, quotaUpdateParts } from './quota-records.ts';
import {
  anyQuotaUpdate,
  partitionMetadata,
  QUOTA_UPDATE_SCHEMA,
  quotaUpdate,
  quotaUpdates,
} from './quota-update.fixture.ts';

const partitionOf = Partitioners.DefaultPartitioner();

interface Batch {
  partition: number;
  records: Buffer[];
}

/** The same records as avsc and kafkajs encode them, one by one, divided by kafkajs's partitioner and the octets of a request. */
function encodedOneByOne(updates: QuotaUpdate[], schemaId: number | undefined, partitions: number, maxOctets: number) {
  const codec = quotaUpdateCodec(QUOTA_UPDATE_SCHEMA, schemaId);
  const requests: Batch[][] = [];
  const open = new Map<number, { request: number; batch: Batch }>();
  for (const update of updates) {
    const message = { key: quotaKey(update), value: codec.encode(update) };
    const partition = partitionOf({ topic: '', partitionMetadata: partitionMetadata(partitions), message });
    const record = (number: number) => encodeWithKafkajs(number, message.key, message.value);
    const last = open.get(partition);
    const next = record(last?.batch.records.length ?? 0);
    if (last !== undefined && Buffer.concat([...last.batch.records, next]).length <= maxOctets) {
      last.batch.records.push(next);
      continue;
    }
    const request = last === undefined ? 0 : last.request + 1;
    const batch = { partition, records: [record(0)] };
    requests[request] ??= [];
    requests[request].push(batch);
    open.set(partition, { request, batch });
  }
  return requests.map((batches) =>
    batches.map(({ partition, records }) => ({
      partition,
      count: records.length,
      octets: Buffer.concat(records).toString('hex'),
    })),
  );
}

function encoded(updates: QuotaUpdate[], schemaId: number | undefined, partitions: number, maxOctets: number) {
  const partsOf = quotaUpdateParts(QUOTA_UPDATE_SCHEMA, schemaId);
  const requests = encodeQuotaRecords(quotaUpdates(updates), partsOf, { partitions, maxOctets });
  return Array.from(requests, (batches) =>
    batches.map(({ partition, batch, count }) => ({
      partition,
      count,
      octets: batch.subarray(RECORDS_START).toString('hex'),
    })),
  );
}

test('the records are those of avsc and kafkajs, octet by octet, in the same partitions and requests', () => {
  fc.assert(
    fc.property(
      fc.array(anyQuotaUpdate, { maxLength: 40 }),
      fc.option(fc.nat(), { nil: undefined }),
      fc.integer({ min: 1, max: 7 }),
      fc.integer({ min: 100, max: 3000 }),
      (updates, schemaId, partitions, maxOctets) => {
        expect(encoded(updates, schemaId, partitions, maxOctets)).toEqual(
          encodedOneByOne(updates, schemaId, partitions, maxOctets),
        );
      },
    ),
    fuzzing(),
  );
});

test('so are they at each length of a number, and where a number of records needs another octet', () => {
  const numbers = Array.from({ length: 53 }, (_, bits) => [2 ** bits - 1, 2 ** bits]).flat();
  const updates = numbers.flatMap((number) => [
    quotaUpdate({ usedOctets: number, remainingOctets: numbers.length }),
    quotaUpdate({ remainingOctets: number, thresholdReached: number % 10_001, offset: number }),
  ]);
  expect(encoded(updates, 7, 1, 1_000_000)).toEqual(encodedOneByOne(updates, 7, 1, 1_000_000));
});

test('kafkajs reads records of a long text back, and updates beyond those of one call follow in order', () => {
  const list = Array.from({ length: 3 }, (_, offset) => quotaUpdate({ offset, planId: 'p'.repeat(300) }));
  const updates = quotaUpdates(list);
  const count = UPDATES + 5;
  const many = Object.assign(quotaUpdates([]), {
    heads: updates.heads,
    length: count,
    head: Uint32Array.from({ length: count }, (_, index) => index % 3),
    subscriber: new Uint32Array(count * 4),
    usedOctets: new Float64Array(count),
    remainingOctets: new Float64Array(count),
    thresholdReached: new Uint16Array(count),
    offset: Float64Array.from({ length: count }, (_, index) => index),
  });
  const codec = quotaUpdateCodec(QUOTA_UPDATE_SCHEMA);
  const division = { partitions: 3, maxOctets: 900_000 };
  let next = 0;
  for (const request of encodeQuotaRecords(many, quotaUpdateParts(QUOTA_UPDATE_SCHEMA), division)) {
    expect(request.length).toBe(1);
    for (const { batch, count } of request) {
      expect(batch.length).toBeLessThanOrEqual(RECORDS_START + division.maxOctets);
      const { records, restOctets } = decodeWithKafkajs(batch.subarray(RECORDS_START), count);
      expect(restOctets).toBe(0);
      const outOfOrder = records.findIndex(({ value }, at) => codec.decode(value).offset !== next + at);
      expect(outOfOrder).toBe(-1);
      next += count;
    }
  }
  expect(next).toBe(count);
});
