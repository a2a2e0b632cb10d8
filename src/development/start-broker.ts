import { ConfigError } from '../platform/config/config-error.ts';
import { type KafkaBroker, kafkaJars, startKafkaBroker } from './servers/kafka-broker.ts';
import { TestServerError } from './servers/test-server-error.ts';

/** Of one machine: a broker that was killed is back at once. */
const PROPERTIES = { 'broker.session.timeout.ms': '2000', 'broker.heartbeat.interval.ms': '500' };

/**
 * Starts a Kafka broker that keeps its log in the folder, from the jars that Maven downloads once. Rejects with a ConfigError that says
 * what to install, or how to name a broker that runs already, where Java or Maven is missing.
 */
export async function startOwnBroker(folder: string, port: number): Promise<KafkaBroker> {
  try {
    return await startKafkaBroker(await kafkaJars(), PROPERTIES, [], { folder, port });
  } catch (error) {
    if (!(error instanceof TestServerError)) throw error;
    throw new ConfigError(
      `no Kafka broker: ${error.message}\n` +
        'Install Java 17 or newer and Maven (Debian: apt-get install openjdk-17-jre-headless maven; Maven is needed once, for the download), ' +
        'or name a broker that runs already: zerorate dev --brokers HOST:PORT',
    );
  }
}
