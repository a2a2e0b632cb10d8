import { KafkaJSConnectionError, KafkaJSGroupCoordinatorNotFound, KafkaJSNonRetriableError } from 'kafkajs';
import { expect, test } from 'vitest';
import { isOutage } from './kafka-failure.ts';

test('a connection that cannot be made is an outage', () => {
  expect(isOutage(new KafkaJSConnectionError('connect ECONNREFUSED'))).toBe(true);
});

test('a coordinator that is not found is an outage, though kafkajs takes it for final', () => {
  // Its constructor takes what its type does not say.
  const error: unknown = Reflect.construct(KafkaJSGroupCoordinatorNotFound, ['Failed to find group coordinator']);
  expect(isOutage(error)).toBe(true);
});

test('what a broker refuses is none', () => {
  expect(isOutage(new KafkaJSNonRetriableError('not authorized'))).toBe(false);
});
