import fc from 'fast-check';
import { Partitioners } from 'kafkajs';
import { expect, test } from 'vitest';
import { decodeWithKafkajs } from '../platform/kafka/patches/decode-with-kafkajs.fixture.ts';
import { RECORDS_START } from '../platform/kafka/patches/patch-encoded-records.ts';
import { quotaUpdateCodec } from '../rating/quota-updates.ts';
import { encodeQuotaRecords, quotaKey, quotaUpdateParts } from './quota-records.ts';
import { anyQuotaUpdate, QUOTA_UPDATE_SCHEMA, quotaUpdates } from './quota-update.fixture.ts';

const codec = quotaUpdateCodec(QUOTA_UPDATE_SCHEMA, 7);
const partsOf = quotaUpdateParts(QUOTA_UPDATE_SCHEMA, 7);

test('kafkajs reads the records back, in order, from the partition that it would have taken itself', () => {
  const partitionOf = Partitioners.DefaultPartitioner();
  const partitionMetadata = [0, 1, 2].map((partitionId) => ({
    partitionId,
    leader: 1,
    partitionErrorCode: 0,
    replicas: [1],
    isr: [1],
  }));
  fc.assert(
    fc.property(fc.array(anyQuotaUpdate, { maxLength: 40 }), fc.integer({ min: 100, max: 2000 }), (sent, maxBytes) => {
      const requests = encodeQuotaRecords(quotaUpdates(sent), partsOf, 3, maxBytes);
      for (const partition of [0, 1, 2]) {
        const got = requests.flatMap((request) => {
          const own = request.filter((records) => records.partition === partition);
          expect(own.length).toBeLessThanOrEqual(1);
          return own.flatMap(({ batch, count }) => {
            const records = batch.subarray(RECORDS_START);
            expect(records.length <= maxBytes || count === 1).toBe(true);
            const { records: rows, restOctets } = decodeWithKafkajs(records, count);
            expect(restOctets).toBe(0);
            expect(rows.map(({ offset }) => Number(offset))).toEqual([...rows.keys()]);
            return rows.map(({ key, value }) => ({ key: key.toString(), update: codec.decode(value) }));
          });
        });
        const expected = sent
          .map((update) => ({ key: quotaKey(update), update }))
          .filter(
            ({ key }) => partitionOf({ topic: '', partitionMetadata, message: { key, value: null } }) === partition,
          );
        expect(got).toEqual(expected);
      }
    }),
  );
});
