import { setTimeout as pause } from 'node:timers/promises';
import { CompressionTypes, type ICustomPartitioner, type Kafka, type Producer } from 'kafkajs';
import type { KafkaLogger } from '../platform/kafka/kafka.ts';
import { causes, isOutage, isTopicMissing, kafkaRefusalOf } from '../platform/kafka/kafka-failure.ts';
import type { EncodedRecords } from '../platform/kafka/patches/patch-encoded-records.ts';
import { settlesWithin } from '../platform/settles-within.ts';
import type { AvroSchema } from '../rating/decode-avro.ts';
import { type QuotaPublisher, QuotaPublisherError } from './journal.ts';
import type { PartitionRecords } from './quota-records.ts';
import { encodeQuotaRecords, quotaUpdateParts } from './quota-records.ts';

/** Of a partition's records in one request: below the brokers' default `message.max.bytes`, 1 MiB. */
const MAX_BATCH_OCTETS = 900_000;
const DEFAULT_PARTITIONS = 4;
const DEFAULT_GIVE_UP_AFTER_MS = 5 * 60_000;
const RETRY_MS = 1000;
const DISCONNECT_MS = 1500;
/** A claim that takes longer is warned of. */
const CLAIM_WARNING_DELAY_MS = 15_000;

export interface KafkaQuotaPublisherOptions {
  kafka: Kafka;
  topic: string;
  /** `schemas/quota-update.avsc`. */
  schema: AvroSchema;
  /** Given: every value starts with a Confluent header that names this schema. */
  schemaId?: number;
  /** Of a topic that has to be created; default 4. */
  partitions?: number;
  /** How long a claim waits for brokers that do not answer; default 5 minutes. */
  giveUpAfterMs?: number;
  logger: KafkaLogger;
}

/** A lane that this process speaks for. */
interface Claim {
  producer: Producer;
  /** Of the quota topic, as of the claim. */
  partitions: number;
  /** By partition: the number of the next record. They begin at 0 with each claim. */
  nextSequences: Map<number, number>;
}

/**
 * Sends quota updates to a compacted topic, keyed by subscriber and plan (`subscriber|planId`), acknowledged by all replicas.
 * Each lane has a transactional producer, its transactional id `zerorate.<topic>.<lane>`: who claims the lane fences all
 * others, so that for a consumer that reads what is committed the last message of a key is the newest one. A failed publish
 * gives the claim up, because only another claim shows what became of it.
 */
export function kafkaQuotaPublisher(options: KafkaQuotaPublisherOptions): QuotaPublisher {
  const { kafka, topic, partitions = DEFAULT_PARTITIONS, logger } = options;
  const partsOf = quotaUpdateParts(options.schema, options.schemaId);
  const claimed = new Map<string, Claim>();

  async function giveUp(lane: string): Promise<void> {
    const claim = claimed.get(lane);
    claimed.delete(lane);
    await disconnected(claim?.producer).catch((error) =>
      logger.debug({ err: error, lane }, 'a producer did not disconnect cleanly'),
    );
  }

  return {
    async start() {
      try {
        const created = await ensureQuotaTopic(kafka, { topic, partitions });
        if (created) logger.info({ topic, partitions }, 'created the topic of quota updates');
      } catch (error) {
        throw notSent(topic, error);
      }
      await warnUnlessCompacted(options);
    },
    async claim(lane, signal) {
      await giveUp(lane);
      const warnAtMs = performance.now() + CLAIM_WARNING_DELAY_MS;
      let isSaid = false;
      const giveUpAtMs = performance.now() + (options.giveUpAfterMs ?? DEFAULT_GIVE_UP_AFTER_MS);
      for (;;) {
        signal?.throwIfAborted();
        try {
          const topicPartitions = await countPartitions(kafka, topic);
          const producer = await claimProducer(kafka, `zerorate.${topic}.${lane}`);
          claimed.set(lane, { producer, partitions: topicPartitions, nextSequences: new Map() });
          return;
        } catch (error) {
          if (!isOutage(error) || performance.now() > giveUpAtMs) throw notSent(topic, error);
          // An outage of the brokers has a line of its own; what lasts is said once.
          const isNews: boolean = !isSaid && performance.now() > warnAtMs;
          isSaid ||= isNews;
          logger[isNews ? 'warn' : 'debug'](
            { err: error, topic, lane },
            'cannot acquire the transactional producer for the lane; retrying',
          );
          await pause(RETRY_MS, undefined, signal && { signal }).catch(() => {});
        }
      }
    },
    async publish(lane, updates) {
      if (updates.length === 0) return;
      const claim = claimed.get(lane);
      if (claim === undefined) throw claimLost(lane);
      const requests = encodeQuotaRecords(updates, partsOf, {
        partitions: claim.partitions,
        maxOctets: MAX_BATCH_OCTETS,
      });
      try {
        await sendAtOnce(claim, topic, requests);
      } catch (error) {
        // What it has begun is aborted by the next claim, or by the brokers when it has lasted too long.
        await giveUp(lane);
        throw isProducerFenced(error) || isOutage(error) ? claimLost(lane, error) : notSent(topic, error);
      }
    },
    async stop() {
      await Promise.all([...claimed.keys()].map(giveUp));
    },
  };
}

/** Without compaction the topic loses the updates of quiet subscribers after its retention, or grows for ever. */
async function warnUnlessCompacted({ kafka, topic, logger }: KafkaQuotaPublisherOptions): Promise<void> {
  let policy: string;
  try {
    policy = await readCleanupPolicy(kafka, topic);
  } catch (error) {
    const remedy = 'grant DescribeConfigs on the topic to have cleanup.policy checked at each start';
    logger.info({ err: error, topic }, `whether the topic of quota updates is compacted is not known: ${remedy}`);
    return;
  }
  if (policy === 'compact') return;
  logger.warn(
    { topic, cleanupPolicy: policy },
    `the topic of quota updates has cleanup.policy=${policy}: after its retention the last update of a quiet subscriber is ` +
      'deleted. Run: kafka-configs.sh --bootstrap-server HOST:PORT --alter --entity-type topics ' +
      `--entity-name ${topic} --add-config cleanup.policy=compact`,
  );
}

async function sendAtOnce(claim: Claim, topic: string, requests: Iterable<PartitionRecords[]>): Promise<void> {
  const transaction = await claim.producer.transaction();
  for (const request of requests) {
    const messages = request.map((records) => numbered(claim, records));
    await transaction.send({ topic, messages, acks: -1, compression: CompressionTypes.None });
  }
  await transaction.commit();
}

/** The broker takes a partition's records only in the order of their numbers: a request that is sent again has the same. */
function numbered({ nextSequences }: Claim, { partition, batch, count }: PartitionRecords): EncodedRecords {
  const baseSequence = nextSequences.get(partition) ?? 0;
  // After 2^31 - 1 comes 0.
  nextSequences.set(partition, (baseSequence + count) % 2 ** 31);
  return { partition, value: batch, recordCount: count, baseSequence };
}

function claimLost(lane: string, cause?: unknown): QuotaPublisherError {
  const why = cause instanceof Error ? cause.message : 'it was not claimed';
  const message = `${lane}: the lane has to be claimed again before its quota updates are published (${why})`;
  return new QuotaPublisherError('claim_lost', message, { cause, canRetry: true });
}

function notSent(topic: string, cause: unknown): QuotaPublisherError {
  const refusal = kafkaRefusalOf(cause);
  if (refusal !== null)
    return new QuotaPublisherError('kafka_refused', `${topic}: ${refusal}`, { cause, canRetry: false });
  const why = cause instanceof Error ? cause.message : String(cause);
  const canRetry = isOutage(cause);
  const remedy = canRetry
    ? 'see that the brokers run, then run again'
    : "correct the topic's settings or this client's rights";
  const code = canRetry ? 'kafka_unavailable' : 'topic_unusable';
  const message = `${topic}: quota updates cannot be sent (${why}); ${remedy}`;
  return new QuotaPublisherError(code, message, { cause, canRetry });
}

// A transaction that follows at once finds the one before still being completed, for a few milliseconds; an outage of half a
// minute is waited out too.
const RETRY = { initialRetryTime: 20, retries: 15 };
/** A transaction that is not ended holds consumers of the topic back for so long. */
const TRANSACTION_TIMEOUT_MS = 30_000;

/** Another producer has begun under the same transactional id, or the broker has given this one up. */
const FENCED = new Set([
  'INVALID_PRODUCER_EPOCH',
  'PRODUCER_FENCED',
  'INVALID_PRODUCER_ID_MAPPING',
  'INVALID_TXN_STATE',
  'TRANSACTION_COORDINATOR_FENCED',
]);

/** Records are encoded by partition before they are sent. */
const asGiven: ICustomPartitioner =
  () =>
  ({ message }) =>
    message.partition as number;

/**
 * A producer of which the brokers know that it is the only one of its transactional id: whatever an earlier one has begun is
 * committed or aborted by then, and nothing more of it will be taken.
 */
export async function claimProducer(kafka: Kafka, transactionalId: string): Promise<Producer> {
  const producer = kafka.producer({
    transactionalId,
    transactionTimeout: TRANSACTION_TIMEOUT_MS,
    maxInFlightRequests: 1,
    allowAutoTopicCreation: false,
    createPartitioner: asGiven,
    retry: RETRY,
  });
  try {
    await producer.connect();
    // kafkajs asks for the producer's epoch, and so fences the others, only when a first transaction begins.
    const nothing = await producer.transaction();
    await nothing.abort();
    return producer;
  } catch (error) {
    await disconnected(producer).catch(() => {});
    throw error;
  }
}

/** Resolves, too, when it takes too long: kafkajs waits for every answer it is owed, which a broker that has gone silent never gives. */
async function disconnected(producer: Producer | undefined): Promise<void> {
  if (producer !== undefined) await settlesWithin(producer.disconnect(), DISCONNECT_MS);
}

/** Whether another producer of the same transactional id has been claimed since. */
export function isProducerFenced(error: unknown): boolean {
  return causes(error).some(({ type }) => type !== undefined && FENCED.has(type));
}

/** kafkajs's `ConfigResourceTypes.TOPIC`, which Node cannot import by name from CommonJS. */
const TOPIC_RESOURCE = 2;

interface QuotaTopicOptions {
  topic: string;
  /** Of a topic that has to be created. */
  partitions: number;
}

/** Creates the topic, compacted and replicated as the brokers do by default, where it is missing. True if it was. */
async function ensureQuotaTopic(kafka: Kafka, { topic, partitions }: QuotaTopicOptions): Promise<boolean> {
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
async function readCleanupPolicy(kafka: Kafka, topic: string): Promise<string> {
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
async function countPartitions(kafka: Kafka, topic: string): Promise<number> {
  const admin = kafka.admin();
  try {
    await admin.connect();
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
    return topics[0]?.partitions.length ?? 0;
  } finally {
    await admin.disconnect();
  }
}
