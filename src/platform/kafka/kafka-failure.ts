import { tlsFailure } from '../network/tls-failure.ts';

/** The group rebalances, or has removed this member. */
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

/** kafkajs takes it for final; it is what a broker that has just come back says for a while. */
const COORDINATOR_NOT_FOUND = 'KafkaJSGroupCoordinatorNotFound';

/** Whether the brokers could not be reached or could not do it now, so that the same call may go through later. */
export function isOutage(error: unknown): boolean {
  return (
    !isTopicMissing(error) &&
    kafkaRefusalOf(error) === null &&
    causes(error).some(({ name, retriable }) => retriable === true || name === COORDINATOR_NOT_FOUND)
  );
}

/**
 * What keeps this client out, however often it asks: certificates, login or rights, with what to do about it. Null where the
 * error is another one.
 */
export function kafkaRefusalOf(error: unknown): string | null {
  const refusal = tlsFailure(error, 'source.kafka.tls');
  if (refusal !== null) return `the brokers cannot be trusted, or do not trust this client: ${refusal}`;
  for (const { name, type, message, retriable } of causes(error)) {
    if (name === 'TokenError' && retriable === false) return message;
    if (name === 'KafkaJSSASLAuthenticationError') {
      return `the brokers refuse the login (${message}); see source.kafka.sasl: mechanism, user and secret`;
    }
    if (type?.endsWith('AUTHORIZATION_FAILED')) {
      return `the brokers grant this user too few rights (${type}); docs/operate/security.md has those that an engine needs`;
    }
  }
  return null;
}

export interface KafkaFailure {
  name?: string;
  message: string;
  /** The protocol's name of the error. */
  type?: string;
  retriable?: boolean;
}

/** What an error of kafkajs came of: it wraps errors as it gives up on them. The outermost first. */
export function causes(error: unknown): KafkaFailure[] {
  const found: KafkaFailure[] = [];
  for (let at = error; at instanceof Error && found.length < 10; at = at.cause) found.push(at);
  return found;
}
