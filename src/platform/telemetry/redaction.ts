import { stdSerializers } from 'pino';

/** Fields that name a subscriber or are credentials, at any depth. */
const HIDDEN_FIELDS = new Set([
  'servedMsisdn',
  'msisdn',
  'servedImsi',
  'imsi',
  'accountId',
  'terminalIp',
  'payload',
  'password',
  'pseudonymKey',
]);
const HIDDEN = '[redacted]';
/** What in a text has the length of an MSISDN or an IMSI. Digits of a hash are none. */
const NUMBER = /(?<![\da-f])\d{10,15}(?![\da-f])/gi;
const DEEPEST = 6;

/** A text without what may be a subscriber's number. */
export function withoutNumbers(text: string): string {
  return text.replace(NUMBER, HIDDEN);
}

/**
 * A value as it may be logged. Nothing is meant to log a subscriber's numbers or addresses: this is the net below. Octets are
 * replaced by their count, as a Kafka record's key is an MSISDN, and its value has all of it.
 */
export function redactedForLog(value: unknown, depth = 0): unknown {
  if (typeof value === 'string') return withoutNumbers(value);
  if (typeof value !== 'object' || value === null) return value;
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} octets]`;
  if (depth === DEEPEST) return '[deeper]';
  if (value instanceof Error) return redactedFields({ ...stdSerializers.err(value) }, depth);
  if (Array.isArray(value)) return value.map((item) => redactedForLog(item, depth + 1));
  // What has a form of its own for JSON, such as a date or a secret, keeps it.
  if ('toJSON' in value && typeof value.toJSON === 'function') return value;
  return redactedFields(value, depth);
}

function redactedFields(fields: object, depth: number): object {
  const shown = Object.entries(fields).map(([name, value]) => [
    name,
    HIDDEN_FIELDS.has(name) ? HIDDEN : redactedForLog(value, depth + 1),
  ]);
  return Object.fromEntries(shown);
}
