import { setTimeout as pause } from 'node:timers/promises';
import { createKafka, type KafkaOptions } from '../../platform/kafka/kafka.ts';
import { causes, isTopicMissing, kafkaRefusalOf } from '../../platform/kafka/kafka-failure.ts';
import { speaksKafka, speaksTls } from '../../platform/kafka/kafka-probe.ts';
import { SourceError } from '../source-error.ts';
import { kafkaFault } from './kafka-fault.ts';

/** Brokers that cannot be reached are asked again for so long: with an attempt under way, below ten seconds in all. */
const RETRY_FOR_MS = 3000;
const RETRY_MS = 500;
const ANSWER_TIMEOUT_MS = 2500;

/**
 * Resolves when one of the bootstrap brokers takes this client and knows the topic. Rejects within ten seconds with a
 * SourceError that says by cause what is wrong with which broker, and what to do.
 */
export async function requireKafka(
  options: Omit<KafkaOptions, 'logger'>,
  topic: string,
  isStopped: () => boolean = () => false,
): Promise<void> {
  const giveUpAtMs = performance.now() + RETRY_FOR_MS;
  for (;;) {
    try {
      return await Promise.any(options.brokers.map((address) => ask(address, options, topic)));
    } catch (error) {
      const faults = (error as AggregateError).errors as SourceError[];
      // What only one broker says for certain is more than that others are away.
      const final = faults.find(({ canRetry }) => !canRetry);
      if (final !== undefined) throw final;
      if (isStopped()) return;
      if (performance.now() > giveUpAtMs) throw unreachable(faults);
    }
    await pause(RETRY_MS);
  }
}

function unreachable(faults: readonly SourceError[]): SourceError {
  const [first] = faults;
  const message = [...new Set(faults.map((fault) => fault.message))].join('; ');
  return new SourceError('kafka_unavailable', message, { path: null, cause: first?.cause, canRetry: true });
}

async function ask(address: string, options: Omit<KafkaOptions, 'logger'>, topic: string): Promise<void> {
  const timeouts = { connectionTimeoutMs: ANSWER_TIMEOUT_MS, requestTimeoutMs: ANSWER_TIMEOUT_MS };
  const admin = createKafka({ ...options, brokers: [address], retries: 0, ...timeouts }).admin();
  try {
    await within(
      2 * ANSWER_TIMEOUT_MS,
      admin.connect().then(() => admin.fetchTopicMetadata({ topics: [topic] })),
    );
  } catch (error) {
    throw await explained(error, address, options, topic);
  } finally {
    void admin.disconnect().catch(() => {});
  }
}

async function within(ms: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${ms / 1000} s`)), ms);
  });
  try {
    await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

async function explained(
  error: unknown,
  address: string,
  options: Omit<KafkaOptions, 'logger'>,
  topic: string,
): Promise<SourceError> {
  if (isTopicMissing(error)) return kafkaFault(error, topic);
  const refusal = loginFault(error, options) ?? kafkaRefusalOf(error) ?? (await protocolFault(error, address, options));
  if (refusal !== null) return new SourceError('kafka_refused', `${address}: ${refusal}`, { path: null, cause: error });
  const message = awayFault(error, address);
  return new SourceError('kafka_unavailable', message, { path: null, cause: error, canRetry: true });
}

/** The login as such does not fit the listener. */
function loginFault(error: unknown, { sasl }: Pick<KafkaOptions, 'sasl'>): string | null {
  const found = causes(error);
  const mechanism = sasl?.mechanism.toUpperCase();
  if (
    found.some(
      ({ type, message }) => type === 'UNSUPPORTED_SASL_MECHANISM' || /mechanism is not supported/.test(message),
    )
  ) {
    return `the listener does not offer SASL mechanism ${mechanism}; set source.kafka.sasl.mechanism to one that it has enabled`;
  }
  if (found.some(({ type }) => type === 'ILLEGAL_SASL_STATE')) {
    return 'the listener takes no login; remove source.kafka.sasl, or use the port of a SASL listener in source.kafka.brokers';
  }
  return null;
}

const NO_CONNECTION = /^(ENOTFOUND|EAI_AGAIN|ENODATA|ECONNREFUSED|EHOSTUNREACH|ENETUNREACH|ETIMEDOUT)$/;

/** A connection was made and ended: what the port speaks says why. */
async function protocolFault(
  error: unknown,
  address: string,
  { ssl, sasl }: Pick<KafkaOptions, 'ssl' | 'sasl'>,
): Promise<string | null> {
  if (NO_CONNECTION.test(codeOf(error)) || brokerOf(error, address) !== address) return null;
  const isTls = ssl !== undefined && ssl !== false;
  const speaksPlainly = await speaksKafka(address, ANSWER_TIMEOUT_MS / 2);
  if (isTls && speaksPlainly)
    return 'the port speaks no TLS; remove source.kafka.tls, or use the port of the TLS listener in source.kafka.brokers';
  if (!isTls && !speaksPlainly && (await speaksTls(address, ANSWER_TIMEOUT_MS / 2)))
    return 'the port speaks TLS; set source.kafka.tls to true, or to the certificates to use';
  const messages = causes(error)
    .map(({ message }) => message)
    .join(' ');
  const isClosed = sasl == null && /closed|ECONNRESET/i.test(messages);
  if (isClosed && (speaksPlainly || (isTls && (await speaksKafka(address, ANSWER_TIMEOUT_MS / 2, {})))))
    return 'the listener closes the connection of a client without a login; set source.kafka.sasl';
  return null;
}

function awayFault(error: unknown, address: string): string {
  const broker = brokerOf(error, address);
  const what = reachFault(codeOf(error), causes(error).at(0)?.message ?? String(error));
  if (broker === address) return `${address}: ${what} (source.kafka.brokers)`;
  return (
    `${address} answers, but says that the broker is to be found at ${broker}, and there: ${what}. ` +
    "Set the brokers' advertised.listeners to addresses that this host can reach"
  );
}

function reachFault(code: string, message: string): string {
  switch (code) {
    case 'ENOTFOUND':
    case 'ENODATA':
    case 'EAI_AGAIN':
      return `the host name does not resolve (${code}); correct it, or the name server`;
    case 'ECONNREFUSED':
      return 'nothing listens on the port (ECONNREFUSED); see that the broker runs, and the port';
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return `there is no route to the host (${code}); see the address and the network`;
    default:
      if (code === 'ETIMEDOUT' || /timeout|timed out|no answer/i.test(message))
        return 'no answer in time; see the address, the firewall between, and that the broker is not overloaded';
      return `Kafka is not available: ${message}; see that the broker runs`;
  }
}

function codeOf(error: unknown): string {
  for (const cause of causes(error)) if ('code' in cause && typeof cause.code === 'string') return cause.code;
  const named = /\b(E[A-Z_]{5,})\b/.exec(
    causes(error)
      .map(({ message }) => message)
      .join(' '),
  );
  return named?.[1] ?? '';
}

function brokerOf(error: unknown, otherwise: string): string {
  for (const cause of causes(error)) if ('broker' in cause && typeof cause.broker === 'string') return cause.broker;
  return otherwise;
}
