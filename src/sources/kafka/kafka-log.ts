import type { Admin, Kafka } from 'kafkajs';
import type { LogBounds } from '../source.ts';

/** Rejects at once when there is no such topic. */
export async function countPartitions(kafka: Kafka, topic: string): Promise<number> {
  const { topics } = await withAdmin(kafka, (admin) => admin.fetchTopicMetadata({ topics: [topic] }));
  return topics[0]?.partitions.length ?? 0;
}

/** What each partition of the topic still has. */
export async function fetchLogBounds(kafka: Kafka, topic: string): Promise<Map<number, LogBounds>> {
  const offsets = await withAdmin(kafka, (admin) => admin.fetchTopicOffsets(topic));
  return new Map(
    offsets.map(({ partition, low, high }) => [partition, { startOffset: Number(low), endOffset: Number(high) }]),
  );
}

/** The offset of the first record of that time or later, by partition; where there is none, the log's end. */
export async function fetchOffsetsAt(kafka: Kafka, topic: string, timestampMs: number): Promise<Map<number, number>> {
  const offsets = await withAdmin(kafka, (admin) => admin.fetchTopicOffsetsByTimestamp(topic, timestampMs));
  return new Map(offsets.map(({ partition, offset }) => [partition, Number(offset)]));
}

/** A new connection each time: one that lives on would know the topic as it was minutes ago. */
async function withAdmin<T>(kafka: Kafka, ask: (admin: Admin) => Promise<T>): Promise<T> {
  const admin = kafka.admin();
  try {
    await admin.connect();
    return await ask(admin);
  } finally {
    await admin.disconnect();
  }
}
