import type { ConnectionOptions } from 'node:tls';
import { Kafka, type LogEntry, logLevel, type SASLOptions } from 'kafkajs';
import { readAllCodecs } from './kafka-codecs.ts';
import type { TokenOptions } from './oauth-token.ts';
import { applyKafkajsPatches } from './patches/apply-kafkajs-patches.ts';
import { kafkaSocket } from './patches/patch-connection-answers.ts';

/** What a logger must have to take kafkajs's lines; pino's has it. */
export interface KafkaLogger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export type KafkaLogin =
  | { mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512'; username: string; password: string }
  | ({ mechanism: 'oauthbearer' } & TokenOptions);

/** Plain values only: they go from thread to thread. */
export interface KafkaOptions {
  /** Bootstrap brokers, host:port. */
  brokers: readonly string[];
  clientId: string;
  /** TLS: true, or the certificates to use. */
  ssl?: boolean | ConnectionOptions;
  sasl?: KafkaLogin | null;
  /** How often a call is tried again before it is given up; absent: for about half a minute. */
  retries?: number;
  /** Of a record batch, decompressed; for all clients of the process. */
  maxBatchBytes?: number;
  /** Of a connection; default 5 s. */
  connectionTimeoutMs?: number;
  /** Of an answer; default kafkajs's 30 s. */
  requestTimeoutMs?: number;
  /** Absent: nothing is logged. */
  logger?: KafkaLogger;
}

// A call is given up after about half a minute without a broker: a start that cannot work says so soon, and a broker that
// restarts is waited for. Consumers restart after that, however often.
const RETRY = { retries: 8, initialRetryTime: 300, maxRetryTime: 5000, multiplier: 2, factor: 0.2 };
// A warning about each idempotent producer that does not try for ever: its creator handles the failure.
const LIMITED_RETRIES = 'Limiting retries for the idempotent producer';
const CONNECTION_TIMEOUT_MS = 5000;

/**
 * Returns a Kafka client whose messages are whole record batches: `recordsOf` reads their records. Inert: its consumers, producers
 * and admins connect. Throws a KafkajsPatchError where another kafkajs than the patched one is installed.
 */
export function createKafka(options: KafkaOptions): Kafka {
  const { brokers, clientId, ssl, sasl, retries = RETRY.retries, maxBatchBytes, logger, requestTimeoutMs } = options;
  applyKafkajsPatches();
  readAllCodecs(maxBatchBytes);
  return new Kafka({
    brokers: [...brokers],
    clientId,
    retry: { ...RETRY, retries },
    connectionTimeout: options.connectionTimeoutMs ?? CONNECTION_TIMEOUT_MS,
    ...(requestTimeoutMs !== undefined && { requestTimeout: requestTimeoutMs }),
    socketFactory: kafkaSocket,
    ...(ssl !== undefined && { ssl }),
    ...(sasl != null && { sasl: loginOf(sasl) }),
    // kafkajs's own debug lines hold what brokers answer, and so subscribers' numbers.
    logLevel: logger === undefined ? logLevel.NOTHING : logLevel.INFO,
    logCreator: () => {
      const said = new Set<string>();
      return (entry) => {
        if (logger !== undefined) forward(entry, logger, said);
      };
    },
  });
}

function loginOf(login: KafkaLogin): SASLOptions {
  if (login.mechanism !== 'oauthbearer') return login as SASLOptions;
  // Loaded by those who log in so: an HTTP client takes as long to load as Kafka's.
  let provider: Promise<() => Promise<{ value: string }>> | undefined;
  return {
    mechanism: 'oauthbearer',
    oauthBearerProvider: async () => {
      provider ??= import('./oauth-token.ts').then(({ tokenProvider }) => tokenProvider(login));
      return (await provider)();
    },
  };
}

/** What is the matter while brokers are away or a group moves: this program says that itself, once. */
const KNOWN_TROUBLE =
  /^(Connection |Failed to connect|Response |Request |Broker |Closed connection|Crash: KafkaJS(Number|Connection|Request|Broker|Group|Metadata|Protocol)|Restarting|Stopped|Heartbeat|The group is rebalancing|The coordinator|There is no leader|This server|Metadata|Leader|Group coordinator|Failed to execute|SASL )/;

/** A line that says nothing new is detail: one of an outage, or one that was said before. */
function isNew(message: string, said: Set<string>): boolean {
  const kind = message.replaceAll(/\d+/g, '0');
  if (KNOWN_TROUBLE.test(message) || said.has(kind)) return false;
  said.add(kind);
  return true;
}

function forward({ namespace, level, log }: LogEntry, logger: KafkaLogger, said: Set<string>): void {
  const { message, logger: _name, timestamp: _timestamp, ...fields } = log;
  const line = { component: `kafkajs ${namespace}`, ...fields };
  const isWarning = level === logLevel.WARN && !message.startsWith(LIMITED_RETRIES);
  if (level === logLevel.ERROR && isNew(message, said)) logger.error(line, message);
  else if (isWarning && isNew(message, said)) logger.warn(line, message);
  // What a client library finds worth saying is detail to an operator.
  else logger.debug(line, message);
}
