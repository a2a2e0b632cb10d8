import { SourceError } from './source-error.ts';

/** The group has been told to share its partitions out anew, or has gone on without this member. */
const MEMBERSHIP_LOST = new Set([
  'REBALANCE_IN_PROGRESS',
  'ILLEGAL_GENERATION',
  'UNKNOWN_MEMBER_ID',
  'NOT_COORDINATOR_FOR_GROUP',
]);

/** Whether kafkajs, when it gets this error, joins the group again. */
export function isMembershipLost(error: unknown): boolean {
  return causes(error).some(({ type }) => type !== undefined && MEMBERSHIP_LOST.has(type));
}

export function isTopicMissing(error: unknown): boolean {
  return causes(error).some(({ type }) => type === 'UNKNOWN_TOPIC_OR_PARTITION');
}

/** Whether the brokers could not be reached or could not do it now, so that the same call may go through later. */
export function isOutage(error: unknown): boolean {
  return !isTopicMissing(error) && causes(error).some(({ retriable }) => retriable === true);
}

/** What kafkajs failed with, as the source's error. */
export function kafkaFault(error: unknown, topic: string): SourceError {
  if (error instanceof SourceError) return error;
  if (isTopicMissing(error)) {
    const message = `${topic}: the brokers have no such topic; create it, or correct the topic's name`;
    return new SourceError('topic_missing', message, { path: topic, cause: error });
  }
  const [first] = causes(error);
  const message = `Kafka is not available: ${first?.message ?? String(error)}; check the brokers' addresses, TLS and SASL`;
  return new SourceError('kafka_unavailable', message, { path: null, cause: error, canRetry: isOutage(error) });
}

interface KafkaFailure {
  message: string;
  /** The protocol's name of the error. */
  type?: string;
  retriable?: boolean;
}

/** kafkajs wraps errors as it gives up on them: the outermost first. */
function causes(error: unknown): KafkaFailure[] {
  const found: KafkaFailure[] = [];
  for (let at = error; at instanceof Error && found.length < 10; at = at.cause) found.push(at);
  return found;
}
