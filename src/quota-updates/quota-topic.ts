import type { Kafka } from 'kafkajs';
import { isTopicMissing } from '../platform/kafka-failure.ts';

/** kafkajs's `ConfigResourceTypes.TOPIC`, which Node cannot import by name from CommonJS. */
const TOPIC_RESOURCE = 2;

export interface QuotaTopicOptions {
  topic: string;
  /** Of a topic that has to be created. */
  partitions: number;
}

/** Creates the topic, compacted and replicated as the brokers do by default, where it is missing. True if it was. */
export async function ensureQuotaTopic(kafka: Kafka, { topic, partitions }: QuotaTopicOptions): Promise<boolean> {
  const admin = kafka.admin();
  try {
    await admin.connect();
    try {
      await admin.fetchTopicMetadata({ topics: [topic] });
      return false;
    } catch (error) {
      if (!isTopicMissing(error)) throw error;
    }
    const configEntries = [{ name: 'cleanup.policy', value: 'compact' }];
    // False when another engine has created it meanwhile.
    return await admin.createTopics({
      topics: [{ topic, numPartitions: partitions, replicationFactor: -1, configEntries }],
      waitForLeaders: true,
    });
  } finally {
    await admin.disconnect();
  }
}

/** The topic's `cleanup.policy`. Rejects where this client may not see it. */
export async function readCleanupPolicy(kafka: Kafka, topic: string): Promise<string> {
  const admin = kafka.admin();
  try {
    await admin.connect();
    const { resources } = await admin.describeConfigs({
      includeSynonyms: false,
      resources: [{ type: TOPIC_RESOURCE, name: topic, configNames: ['cleanup.policy'] }],
    });
    return resources[0]?.configEntries.find(({ configName }) => configName === 'cleanup.policy')?.configValue ?? '';
  } finally {
    await admin.disconnect();
  }
}

/** Rejects when there is no such topic. */
export async function countPartitions(kafka: Kafka, topic: string): Promise<number> {
  const admin = kafka.admin();
  try {
    await admin.connect();
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
    return topics[0]?.partitions.length ?? 0;
  } finally {
    await admin.disconnect();
  }
}
