import { setTimeout as pause } from 'node:timers/promises';
import { Kafka, logLevel } from 'kafkajs';
import { TestServerError } from './test-server-error.ts';

const READY_TIMEOUT_MS = 60_000;
const RETRY_AFTER_MS = 100;

/**
 * Resolves when the cluster has a controller and a broker that takes requests; rejects after a minute, or when `signal`
 * aborts.
 */
export async function awaitKafka(brokers: string[], signal?: AbortSignal): Promise<void> {
  const kafka = new Kafka({ clientId: 'readiness', brokers, logLevel: logLevel.NOTHING, retry: { retries: 0 } });
  const deadlineMs = Date.now() + READY_TIMEOUT_MS;
  let lastError: unknown;
  while (Date.now() < deadlineMs && !signal?.aborted) {
    const admin = kafka.admin();
    try {
      await admin.connect();
      const cluster = await admin.describeCluster();
      if (cluster.brokers.length > 0 && cluster.controller !== null) return;
    } catch (error) {
      lastError = error;
    } finally {
      await admin.disconnect();
    }
    await pause(RETRY_AFTER_MS);
  }
  throw new TestServerError('kafka_not_ready', `no Kafka broker answers at ${brokers.join(', ')}`, lastError);
}
