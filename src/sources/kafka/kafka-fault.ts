import { causes, isOutage, isTopicMissing, kafkaRefusalOf } from '../../platform/kafka/kafka-failure.ts';
import { SourceError } from '../source-error.ts';

/** What kafkajs failed with, as the source's error. */
export function kafkaFault(error: unknown, topic: string): SourceError {
  if (error instanceof SourceError) return error;
  if (isTopicMissing(error)) {
    const message = `${topic}: the brokers have no such topic; create it, or correct the topic's name`;
    return new SourceError('topic_missing', message, { path: topic, cause: error });
  }
  const refusal = kafkaRefusalOf(error);
  if (refusal !== null) return new SourceError('kafka_refused', refusal, { path: topic, cause: error });
  const [first] = causes(error);
  const message = `Kafka is not available: ${first?.message ?? String(error)}; check the brokers' addresses, and whether they want TLS`;
  return new SourceError('kafka_unavailable', message, { path: null, cause: error, canRetry: isOutage(error) });
}
