import { setTimeout as pause } from 'node:timers/promises';
import { CompressionTypes, type Kafka, Partitioners, type Producer } from 'kafkajs';
import type { AvroSchema } from '../billing/decode-avro.ts';
import type { KafkaLogger } from '../platform/kafka.ts';
import { isOutage } from './kafka-fault.ts';
import type { QuotaPublisher } from './ports.ts';
import { cutIntoRequests, type QuotaMessage, quotaMessage } from './quota-messages.ts';
import { QuotaPublisherError } from './quota-publisher-error.ts';
import { ensureQuotaTopic } from './quota-topic.ts';
import { quotaUpdateCodec } from './quota-update-codec.ts';

/** Below the brokers' default `message.max.bytes`, 1 MiB. */
const MAX_REQUEST_OCTETS = 900_000;
const DEFAULT_PARTITIONS = 4;
const DEFAULT_GIVE_UP_AFTER_MS = 5 * 60_000;
const RETRY_MS = 1000;

export interface KafkaQuotaPublisherOptions {
  kafka: Kafka;
  topic: string;
  /** `schemas/quota-update.avsc`. */
  schema: AvroSchema;
  /** Given: every value starts with a Confluent header that names this schema. */
  schemaId?: number;
  /** Of a topic that has to be created; default 4. */
  partitions?: number;
  /** How long an outage of the brokers is waited out; default 5 minutes. */
  giveUpAfterMs?: number;
  logger: KafkaLogger;
}

/**
 * Sends quota updates to a compacted topic, keyed by subscriber and plan (`subscriber|planId`), with acknowledgement of all
 * replicas. Updates are sent in the order of the calls.
 */
export function kafkaQuotaPublisher(options: KafkaQuotaPublisherOptions): QuotaPublisher {
  const { kafka, topic, partitions = DEFAULT_PARTITIONS, logger } = options;
  const { encode } = quotaUpdateCodec(options.schema, options.schemaId);
  let producer: Producer | null = null;
  let turn: Promise<void> = Promise.resolve();

  async function connected(): Promise<Producer> {
    if (producer === null) {
      producer = createProducer(kafka);
      await producer.connect();
    }
    return producer;
  }
  async function disconnect(): Promise<void> {
    const old = producer;
    producer = null;
    await old?.disconnect().catch((error) => logger.debug({ err: error }, 'the producer did not disconnect cleanly'));
  }
  async function send(messages: QuotaMessage[]): Promise<void> {
    const giveUpAtMs = Date.now() + (options.giveUpAfterMs ?? DEFAULT_GIVE_UP_AFTER_MS);
    for (;;) {
      try {
        await (await connected()).send({ topic, messages, acks: -1, compression: CompressionTypes.None });
        return;
      } catch (error) {
        // The broker may have taken it: only another producer id cannot mistake the next request for this one.
        await disconnect();
        if (!isOutage(error) || Date.now() > giveUpAtMs) throw notSent(topic, error);
        logger.warn({ err: error, topic }, 'quota updates were not acknowledged; sending them again');
        await pause(RETRY_MS);
      }
    }
  }

  return {
    async start() {
      try {
        const created = await ensureQuotaTopic(kafka, { topic, partitions });
        if (created) logger.info({ topic, partitions }, 'created the topic of quota updates');
        await connected();
      } catch (error) {
        await disconnect();
        throw notSent(topic, error);
      }
    },
    publish(updates) {
      // One call after the other: a request that is sent again must find nothing sent since under its sequence numbers.
      const published = turn.then(async () => {
        const messages = updates.map((update) => quotaMessage(update, encode));
        for (const request of cutIntoRequests(messages, MAX_REQUEST_OCTETS)) await send(request);
      });
      turn = published.catch(() => {});
      return published;
    },
    async stop() {
      await turn;
      await disconnect();
    },
  };
}

function createProducer(kafka: Kafka): Producer {
  return kafka.producer({
    idempotent: true,
    maxInFlightRequests: 1,
    allowAutoTopicCreation: false,
    createPartitioner: Partitioners.DefaultPartitioner,
  });
}

function notSent(topic: string, cause: unknown): QuotaPublisherError {
  const why = cause instanceof Error ? cause.message : String(cause);
  const canRetry = isOutage(cause);
  const remedy = canRetry
    ? 'see that the brokers run, then run again'
    : "correct the topic's settings or this client's rights";
  const code = canRetry ? 'kafka_unavailable' : 'topic_unusable';
  const message = `${topic}: quota updates cannot be sent (${why}); ${remedy}`;
  return new QuotaPublisherError(code, message, { cause, canRetry });
}
