import { expect, test } from 'vitest';
import type { KafkaLogger } from '../platform/kafka/kafka.ts';
import { threadedQuotaPublisher } from './quota-publisher.ts';

const silent: KafkaLogger = { debug() {}, info() {}, warn() {}, error() {} };

/** A publisher whose thread runs this for each call. */
function publisherOf(onCall: string) {
  const source = `import { parentPort } from 'node:worker_threads';
    const answer = (number, fault = null) => parentPort.postMessage({ number, fault });
    parentPort.on('message', ({ number, call }) => { ${onCall} });`;
  const program = new URL(`data:text/javascript,${encodeURIComponent(source)}`);
  const kafka = { brokers: [], clientId: 'test' };
  return threadedQuotaPublisher({ kafka, topic: 'quota', schema: 'string', logger: silent, program });
}

test('a thread that is broken is reported by the call that it broke in, and not again by the stop', async () => {
  const publisher = publisherOf(`if (call.name === 'claim') throw new Error('a bug'); answer(number);`);
  await publisher.start();
  await expect(publisher.claim('flows-0')).rejects.toThrow('a bug');
  await publisher.stop();
});

test('what a stop fails with is reported, and the thread is ended', async () => {
  const fault = `{ name: 'QuotaPublisherError', message: 'away', stack: '', fields: { canRetry: true }, cause: null }`;
  const publisher = publisherOf(`answer(number, call.name === 'stop' ? ${fault} : null);`);
  await publisher.start();
  await expect(publisher.stop()).rejects.toMatchObject({ message: 'away', canRetry: true });
});
