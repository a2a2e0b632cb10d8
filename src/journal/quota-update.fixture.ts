import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import type { PartitionMetadata } from 'kafkajs';
import { packagePath } from '../platform/package-paths.ts';
import type { AvroSchema } from '../rating/decode-avro.ts';
import { type QuotaUpdate, QuotaUpdates } from '../rating/quota-updates.ts';

export const QUOTA_UPDATE_SCHEMA = JSON.parse(
  readFileSync(packagePath('schemas/quota-update.avsc'), 'utf8'),
) as AvroSchema;

export function quotaUpdate(fields: Partial<QuotaUpdate> = {}): QuotaUpdate {
  return {
    subscriber: '0123456789abcdef0123456789abcdef',
    sponsorId: 'acme',
    applicationId: 'acme-chat',
    planId: 'acme-chat-daily',
    planVersion: 1,
    periodStart: 20_780,
    quotaOctets: 1_048_576,
    usedOctets: 1000,
    remainingOctets: 1_047_576,
    thresholdReached: 0,
    version: 7,
    topic: 'flows',
    partition: 3,
    offset: 41,
    ...fields,
  };
}

/** The updates in columns, each under a head of its own. */
export function quotaUpdates(list: readonly QuotaUpdate[]): QuotaUpdates {
  const updates = new QuotaUpdates(list.length);
  for (const { subscriber, usedOctets, remainingOctets, thresholdReached, offset, ...head } of list) {
    const index = updates.length++;
    updates.head[index] = updates.heads.push(head) - 1;
    new Uint8Array(updates.subscriber.buffer).set(Buffer.from(subscriber, 'hex'), index * 16);
    updates.usedOctets[index] = usedOctets;
    updates.remainingOctets[index] = remainingOctets;
    updates.thresholdReached[index] = thresholdReached;
    updates.offset[index] = offset;
  }
  return updates;
}

/** avsc holds longs to 2^53 - 2. */
const octets = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER - 1 });
const name = fc.string({ unit: 'grapheme', maxLength: 20 });

export const anyQuotaUpdate: fc.Arbitrary<QuotaUpdate> = fc.record({
  subscriber: fc.stringMatching(/^[0-9a-f]{32}$/),
  sponsorId: name,
  applicationId: name,
  planId: name,
  planVersion: fc.nat(),
  periodStart: fc.integer({ min: 0, max: 65_535 }),
  quotaOctets: octets,
  usedOctets: octets,
  remainingOctets: octets,
  thresholdReached: fc.integer({ min: 0, max: 10_000 }),
  version: octets,
  topic: name,
  partition: fc.nat(),
  offset: octets,
});

/** A topic's partitions, as kafkajs's partitioners take them. */
export function partitionMetadata(partitions: number): PartitionMetadata[] {
  const broker = { leader: 1, replicas: [1], isr: [1], partitionErrorCode: 0 };
  return Array.from({ length: partitions }, (_, partitionId) => ({ partitionId, ...broker }));
}
