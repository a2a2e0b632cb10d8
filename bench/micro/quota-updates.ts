import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import type { PartitionRecords } from '../../src/journal/quota-records.ts';
import { encodeQuotaRecords, quotaKey, quotaUpdateParts } from '../../src/journal/quota-records.ts';
import { RECORDS_START } from '../../src/platform/kafka/patches/patch-encoded-records.ts';
import { packagePath } from '../../src/platform/package-paths.ts';
import { type QuotaUpdates, quotaUpdateCodec } from '../../src/rating/quota-updates.ts';

const SCHEMA_ID = 7;
const PARTITIONS = 4;
const MAX_REQUEST_OCTETS = 900_000;
/** More than what is in a record beside its key and value. */
const FRAME_OCTETS = 40;

const schema = JSON.parse(readFileSync(packagePath('schemas/quota-update.avsc'), 'utf8'));
const partsOf = quotaUpdateParts(schema, SCHEMA_ID);
const codec = quotaUpdateCodec(schema, SCHEMA_ID);

/** As a producer's messages: what kafkajs then makes records of is not in it. */
export function asObjects(updates: QuotaUpdates): { key: string; value: Buffer }[] {
  return Array.from(updates, (update) => ({ key: quotaKey(update), value: codec.encode(update) }));
}

/** As the records of their partitions, ready to be sent. */
export function asRecords(updates: QuotaUpdates): PartitionRecords[][] {
  return [...encodeQuotaRecords(updates, partsOf, { partitions: PARTITIONS, maxOctets: MAX_REQUEST_OCTETS })];
}

/** The records hold the objects' keys and values, each in order, and nothing else. */
export function assertSameUpdates(updates: QuotaUpdates): void {
  const partitions = Array.from({ length: PARTITIONS }, (_, partition) => ({
    rest: Buffer.concat(
      asRecords(updates)
        .flat()
        .filter((records) => records.partition === partition)
        .map(({ batch }) => batch.subarray(RECORDS_START)),
    ),
  }));
  for (const { key, value } of asObjects(updates)) {
    const holder = partitions.find(({ rest }) => {
      const near = rest.subarray(0, key.length + value.length + FRAME_OCTETS);
      return near.includes(key) && near.includes(value);
    });
    assert.ok(holder !== undefined, `no record has the key ${key}`);
    // One octet for a record's headers, of which there are none.
    holder.rest = holder.rest.subarray(holder.rest.indexOf(value) + value.length + 1);
  }
  for (const { rest } of partitions) assert.equal(rest.length, 0);
}
