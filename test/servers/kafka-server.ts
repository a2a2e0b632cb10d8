import { kafkaJars, startKafkaBroker } from '../../src/development/servers/kafka-broker.ts';
import { awaitKafka } from '../../src/development/servers/kafka-ready.ts';
import { TestServerError } from '../../src/development/servers/test-server-error.ts';
import { dockerAnswers } from './docker.ts';

// Confluent's platform 8.1 holds Apache Kafka 4.1; Testcontainers' Kafka module runs Confluent's images.
const KAFKA_IMAGE = 'confluentinc/cp-kafka:8.1.0';

/** A real Kafka cluster for a test. */
export interface KafkaServer {
  brokers: string[];
  origin: 'KAFKA_BROKERS' | 'testcontainers' | 'maven';
  /** Ends a cluster that was started here; leaves a cluster of `KAFKA_BROKERS` running. */
  stop(): Promise<void>;
  /** Only with origin `maven`: ends the broker like a crash; its log stays. */
  kill?(): Promise<void>;
  /** Only with origin `maven`: restarts it over the same log and on the same port. */
  restart?(): Promise<void>;
}

export interface KafkaOptions {
  /** Broker properties that override the defaults; only a broker with origin `maven` takes them. */
  properties?: Record<string, string>;
  /** For benchmarks: compiled for throughput instead of a fast start. Only a broker with origin `maven` knows it. */
  isForLoad?: boolean;
}

/**
 * Returns the cluster that the environment variable `KAFKA_BROKERS` names (comma-separated host:port); otherwise starts a
 * container where Docker answers, or a broker from its own jars through Maven and Java 17. Rejects with a `TestServerError`
 * where none of them is available, or where the named cluster does not answer within a minute.
 */
export async function startKafka(options: KafkaOptions = {}): Promise<KafkaServer> {
  if (process.env.KAFKA_BROKERS) return useBrokers(process.env.KAFKA_BROKERS);

  const causes: Error[] = [];
  for (const start of [startFromContainer, startFromMaven]) {
    try {
      return await start(options);
    } catch (error) {
      causes.push(error as Error);
    }
  }
  const reasons = causes.map((cause) => `  - ${cause.message}`).join('\n');
  throw new TestServerError(
    'kafka_unavailable',
    `no Kafka for this test. Install Java 17 and Maven, or start Docker, or set KAFKA_BROKERS=host:port.\n${reasons}`,
    new AggregateError(causes),
  );
}

async function useBrokers(list: string): Promise<KafkaServer> {
  const brokers = list.split(',').map((address) => address.trim());
  await awaitKafka(brokers);
  return { brokers, origin: 'KAFKA_BROKERS', stop: async () => {} };
}

async function startFromContainer(): Promise<KafkaServer> {
  if (!(await dockerAnswers())) throw new TestServerError('kafka_unavailable', 'no Docker engine answers');
  const { KafkaContainer } = await import('@testcontainers/kafka');
  const container = await new KafkaContainer(KAFKA_IMAGE)
    .withEnvironment({
      KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR: '1',
      KAFKA_AUTO_CREATE_TOPICS_ENABLE: 'false',
    })
    .start();
  const brokers = [`${container.getHost()}:${container.getMappedPort(9093)}`];
  await awaitKafka(brokers);
  const stop = async () => {
    await container.stop();
  };
  return { brokers, origin: 'testcontainers', stop };
}

async function startFromMaven({ properties, isForLoad = false }: KafkaOptions): Promise<KafkaServer> {
  return { ...(await startKafkaBroker(await kafkaJars(), properties, [], { isForLoad })), origin: 'maven' };
}
