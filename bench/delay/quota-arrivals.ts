import { readFileSync } from 'node:fs';
import type { Kafka } from 'kafkajs';
import { recordsOf } from '../../src/platform/kafka/patches/patch-record-sets.ts';
import { packagePath } from '../../src/platform/package-paths.ts';
import { quotaUpdateCodec } from '../../src/rating/quota-updates.ts';
import { untilAssigned } from '../group.ts';

/** When the last quota update of each batch came, by the partition and the version of the records that it is derived from. */
export interface QuotaArrivals {
  /** By partition: records booked in its lane, up to and with the batch, to milliseconds since 1970. */
  readonly byVersion: ReadonlyMap<number, ReadonlyMap<number, number>>;
  stop(): Promise<void>;
}

/** Reads what is committed of the topic from now on. */
export async function watchQuotas(kafka: Kafka, topic: string, partitions: number): Promise<QuotaArrivals> {
  const { decode } = quotaUpdateCodec(JSON.parse(readFileSync(packagePath('schemas/quota-update.avsc'), 'utf8')));
  const byVersion = new Map(
    Array.from({ length: partitions }, (_, partition) => [partition, new Map<number, number>()]),
  );
  const groupId = `${topic}-watch`;
  const consumer = kafka.consumer({ groupId, maxWaitTimeInMs: 100 });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  await consumer.run({
    eachBatch: async ({ batch }) => {
      const nowMs = Date.now();
      for (const message of batch.messages) {
        // A message is a record batch, all of it from one transaction and so from one batch of the engine: the last says which.
        let value: Uint8Array | null = null;
        for (const record of recordsOf([message])) value = record.value;
        if (value === null) continue;
        const { partition, version } = decode(value);
        byVersion.get(partition)?.set(version, nowMs);
      }
    },
  });
  const admin = kafka.admin();
  await admin.connect();
  await untilAssigned(admin, groupId);
  await admin.disconnect();
  return { byVersion, stop: () => consumer.disconnect() };
}
