import { KafkaJSConnectionError, KafkaJSNumberOfRetriesExceeded, KafkaJSProtocolError } from 'kafkajs';
import { expect, test } from 'vitest';
import { isMembershipLost, isOutage, isTopicMissing } from '../../platform/kafka/kafka-failure.ts';
import { SourceError } from '../source-error.ts';
import { kafkaFault } from './kafka-fault.ts';

function protocolError(type: string, retriable: boolean): Error {
  return new KafkaJSProtocolError(Object.assign(new Error(type), { type, code: 0, retriable }) as never);
}
function givenUp(cause: Error): Error {
  return new KafkaJSNumberOfRetriesExceeded(cause as never, { retryCount: 5, retryTime: 300 } as never);
}

const refused = givenUp(new KafkaJSConnectionError('Connection error: connect ECONNREFUSED', {} as never));
const unauthorised = protocolError('TOPIC_AUTHORIZATION_FAILED', false);
const missing = givenUp(protocolError('UNKNOWN_TOPIC_OR_PARTITION', true));
const rebalancing = protocolError('REBALANCE_IN_PROGRESS', false);

test.each([
  ['refused', refused, { outage: true, missing: false, membership: false }],
  ['unauthorised', unauthorised, { outage: false, missing: false, membership: false }],
  ['missing', missing, { outage: false, missing: true, membership: false }],
  ['rebalancing', rebalancing, { outage: false, missing: false, membership: true }],
  ['no error at all', 'text', { outage: false, missing: false, membership: false }],
])('returns what kind of failure it is: %s', (_, error, kind) => {
  expect({
    outage: isOutage(error),
    missing: isTopicMissing(error),
    membership: isMembershipLost(error),
  }).toEqual(kind);
});

test('becomes a source error that says what to do', () => {
  expect(kafkaFault(missing, 'flows')).toMatchObject({ code: 'topic_missing', path: 'flows', canRetry: false });
  expect(kafkaFault(missing, 'flows').message).toMatch(/^flows: .*create it/);
  expect(kafkaFault(refused, 'flows')).toMatchObject({ code: 'kafka_unavailable', path: null, canRetry: true });
  expect(kafkaFault(refused, 'flows').message).toContain('ECONNREFUSED');
  expect(kafkaFault(unauthorised, 'flows')).toMatchObject({ canRetry: false, cause: unauthorised });
  const own = new SourceError('records_lost', 'lost', { path: 'flows-0' });
  expect(kafkaFault(own, 'flows')).toBe(own);
});
