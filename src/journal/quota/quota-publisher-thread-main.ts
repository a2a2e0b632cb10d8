import assert from 'node:assert/strict';
import { parentPort, workerData } from 'node:worker_threads';
import { createKafka, type KafkaLogger } from '../../platform/kafka/kafka.ts';
import { QuotaUpdates } from '../../rating/quota/quota-updates.ts';
import {
  type NumberedCall,
  type PublisherAnswer,
  type PublisherCall,
  type PublisherFault,
  QuotaPublisherError,
} from './quota-publisher.ts';
import { kafkaQuotaPublisher } from './quota-publisher-kafka.ts';
import type { PublisherThreadOptions } from './quota-publisher-thread.ts';

assert(parentPort, 'started by threadedQuotaPublisher');
const port = parentPort;
const notify = (answer: PublisherAnswer) => port.postMessage(answer);

const line = (level: keyof KafkaLogger) => (fields: object, message: string) => notify({ level, fields, message });
const logger: KafkaLogger = { debug: line('debug'), info: line('info'), warn: line('warn'), error: line('error') };
const { kafka, ...options } = workerData as PublisherThreadOptions;
const publisher = kafkaQuotaPublisher({ ...options, kafka: createKafka({ ...kafka, logger }), logger });

port.on('message', ({ number, call }: NumberedCall) => {
  perform(call).then(
    () => notify({ number, fault: null }),
    (error) => notify({ number, fault: faultOf(error) }),
  );
});

function perform(call: PublisherCall): Promise<void> {
  switch (call.name) {
    case 'start':
      return publisher.start();
    case 'claim':
      return publisher.claim(call.lane);
    case 'publish':
      return publisher.publish(call.lane, Object.assign(new QuotaUpdates(0), call.updates));
    case 'stop':
      return publisher.stop();
  }
}

/** Only plain errors and values go from thread to thread. */
function faultOf(error: unknown): PublisherFault {
  const { message, cause, stack } = error as Error;
  const plainCause = cause instanceof Error ? new Error(cause.message) : undefined;
  if (!(error instanceof QuotaPublisherError)) {
    return { code: null, message: stack ?? message, canRetry: false, cause: plainCause };
  }
  return { code: error.code, message, canRetry: error.canRetry, cause: plainCause };
}
