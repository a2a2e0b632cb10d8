import type { Kafka } from 'kafkajs';
import type { KafkaConfig } from '../../platform/config/config.ts';
import { createKafka, type KafkaLogin, type KafkaOptions } from '../../platform/kafka/kafka.ts';
import { speaksKafka } from '../../platform/kafka/kafka-probe.ts';
import { readTlsFiles } from '../../platform/network/tls-files.ts';
import type { Logger } from '../../platform/telemetry/logger.ts';
import { requireKafka } from '../../sources/kafka/kafka-preflight.ts';
import { SourceError } from '../../sources/source-error.ts';

const FIELD = 'source.kafka';

/** What it takes to reach the brokers. */
type KafkaAccess = Pick<KafkaConfig, 'brokers' | 'clientId' | 'tls' | 'sasl'> &
  Partial<Pick<KafkaConfig, 'maxBatchBytes'>>;

/**
 * A client of the configured brokers. Without a logger nothing is logged of what it meets. Throws a ConfigError where
 * certificates are invalid.
 */
export function connect(kafkaConfig: KafkaAccess, logger?: Logger): Kafka {
  return createKafka({ ...clientOptions(kafkaConfig), ...(logger && { logger }) });
}

/**
 * Rejects within ten seconds with a SourceError where the brokers do not take this client, or have no such topic. `field`: the
 * configuration's that names the brokers.
 */
export async function requireBrokers(
  kafka: KafkaAccess,
  topic: string,
  isStopped?: () => boolean,
  field = FIELD,
): Promise<void> {
  try {
    await requireKafka(clientOptions(kafka), topic, isStopped);
  } catch (error) {
    if (!(error instanceof SourceError) || field === FIELD) throw error;
    const { code, message, path, canRetry } = error;
    throw new SourceError(code, message.replaceAll(FIELD, field), { path, canRetry, cause: error });
  }
}

const PROBE_TIMEOUT_MS = 3000;

/** Whether one of the bootstrap brokers answers within three seconds; a login is not needed for that. */
export async function isAnyBrokerThere(kafka: KafkaAccess): Promise<boolean> {
  const { brokers, ssl } = clientOptions(kafka);
  const certificates = ssl === true ? {} : ssl === false ? undefined : ssl;
  const answers = await Promise.all(brokers.map((address) => speaksKafka(address, PROBE_TIMEOUT_MS, certificates)));
  return answers.includes(true);
}

/** The same in plain values, with the secrets in them: never to be printed. */
export function clientOptions({
  brokers,
  clientId,
  tls,
  sasl,
  maxBatchBytes,
}: KafkaAccess): Omit<KafkaOptions, 'logger'> {
  const certificates = typeof tls === 'boolean' ? tls : readTlsFiles(tls, `${FIELD}.tls`);
  const limit = maxBatchBytes === undefined ? {} : { maxBatchBytes };
  return { brokers, clientId, ssl: certificates, sasl: loginOf(sasl), ...limit };
}

function loginOf(sasl: KafkaConfig['sasl']): KafkaLogin | null {
  if (sasl === null) return null;
  if (sasl.mechanism !== 'oauthbearer') return { ...sasl, password: sasl.password.reveal() };
  const { mechanism, tokenUrl, clientId, clientSecret, scope } = sasl;
  const tls = readTlsFiles(sasl.tls ?? {}, `${FIELD}.sasl.tls`);
  return { mechanism, tokenUrl, clientId, clientSecret: clientSecret.reveal(), scope, tls };
}
