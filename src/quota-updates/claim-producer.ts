import type { ICustomPartitioner, Kafka, Producer } from 'kafkajs';
import { causes } from '../platform/kafka-failure.ts';

// A transaction that follows at once finds the one before still being completed, for a few milliseconds; an outage of half a
// minute is waited out too.
const RETRY = { initialRetryTime: 20, retries: 15 };
/** A transaction that nobody ends holds consumers of the topic back for so long. */
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
    await producer.disconnect().catch(() => {});
    throw error;
  }
}

/** Whether another producer of the same transactional id has been claimed since. */
export function isProducerFenced(error: unknown): boolean {
  return causes(error).some(({ type }) => type !== undefined && FENCED.has(type));
}
