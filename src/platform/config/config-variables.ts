import type { DocumentFault, DocumentPath } from '../../formats/document-fault.ts';
import { suggestion } from '../../formats/nearest-word.ts';
import type { Setting } from './config-merge.ts';
import { bothMessage, renamedMessage } from './renamed-keys.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

type Kind = 'text' | 'list' | 'number' | 'boolean';

const PREFIX = 'ZERORATE_';

/** Environment variables that set a field of the configuration file. A list is written with commas. */
export const CONFIG_VARIABLES: Readonly<Record<string, { path: DocumentPath; kind: Kind }>> = {
  ZERORATE_CATALOGUE: { path: ['catalogue'], kind: 'text' },
  ZERORATE_RELOAD_INTERVAL_MS: { path: ['reload', 'intervalMs'], kind: 'number' },
  ZERORATE_SOURCE_FILES: { path: ['source', 'files'], kind: 'list' },
  ZERORATE_SOURCE_FORMAT: { path: ['source', 'format'], kind: 'text' },
  ZERORATE_SOURCE_FINAL: { path: ['source', 'final'], kind: 'boolean' },
  ZERORATE_SOURCE_REWRITTEN: { path: ['source', 'rewritten'], kind: 'boolean' },
  ZERORATE_SOURCE_SUBSCRIBERS: { path: ['source', 'cdr', 'subscribers'], kind: 'text' },
  ZERORATE_SOURCE_TERMINALS: { path: ['source', 'goflow2', 'terminals'], kind: 'text' },
  ZERORATE_KAFKA_BROKERS: { path: ['source', 'kafka', 'brokers'], kind: 'list' },
  ZERORATE_KAFKA_TOPIC: { path: ['source', 'kafka', 'topic'], kind: 'text' },
  ZERORATE_KAFKA_GROUP_ID: { path: ['source', 'kafka', 'groupId'], kind: 'text' },
  ZERORATE_KAFKA_START_FROM: { path: ['source', 'kafka', 'startFrom'], kind: 'text' },
  ZERORATE_KAFKA_CLIENT_ID: { path: ['source', 'kafka', 'clientId'], kind: 'text' },
  ZERORATE_KAFKA_VALUE_FORMAT: { path: ['source', 'kafka', 'valueFormat'], kind: 'text' },
  ZERORATE_KAFKA_TLS: { path: ['source', 'kafka', 'tls'], kind: 'boolean' },
  ZERORATE_KAFKA_SASL_MECHANISM: { path: ['source', 'kafka', 'sasl', 'mechanism'], kind: 'text' },
  ZERORATE_KAFKA_SASL_USERNAME: { path: ['source', 'kafka', 'sasl', 'username'], kind: 'text' },
  ZERORATE_KAFKA_SASL_PASSWORD_FILE: { path: ['source', 'kafka', 'sasl', 'passwordFile'], kind: 'text' },
  ZERORATE_KAFKA_SASL_TOKEN_URL: { path: ['source', 'kafka', 'sasl', 'tokenUrl'], kind: 'text' },
  ZERORATE_KAFKA_SASL_CLIENT_ID: { path: ['source', 'kafka', 'sasl', 'clientId'], kind: 'text' },
  ZERORATE_KAFKA_SASL_CLIENT_SECRET_FILE: { path: ['source', 'kafka', 'sasl', 'clientSecretFile'], kind: 'text' },
  ZERORATE_REGISTRY_URL: { path: ['source', 'kafka', 'avro', 'registry', 'url'], kind: 'text' },
  ZERORATE_REGISTRY_USERNAME: { path: ['source', 'kafka', 'avro', 'registry', 'username'], kind: 'text' },
  ZERORATE_REGISTRY_PASSWORD_FILE: { path: ['source', 'kafka', 'avro', 'registry', 'passwordFile'], kind: 'text' },
  ZERORATE_STORE_DIR: { path: ['store', 'dir'], kind: 'text' },
  ZERORATE_STORE_URL: { path: ['store', 'url'], kind: 'text' },
  ZERORATE_STORE_DATABASE: { path: ['store', 'database'], kind: 'text' },
  ZERORATE_STORE_USERNAME: { path: ['store', 'username'], kind: 'text' },
  ZERORATE_STORE_PASSWORD_FILE: { path: ['store', 'passwordFile'], kind: 'text' },
  ZERORATE_STORE_CLUSTER_NAME: { path: ['store', 'cluster', 'name'], kind: 'text' },
  ZERORATE_QUOTA_UPDATES_TOPIC: { path: ['quotaUpdates', 'topic'], kind: 'text' },
  ZERORATE_QUOTA_UPDATES_FILE: { path: ['quotaUpdates', 'file'], kind: 'text' },
  ZERORATE_QUOTA_UPDATES_MIN_INTERVAL_MS: { path: ['quotaUpdates', 'minIntervalMs'], kind: 'number' },
  ZERORATE_PSEUDONYM_KEY_FILE: { path: ['pseudonymKey', 'file'], kind: 'text' },
  ZERORATE_SIGNING_KEY_FILE: { path: ['signingKey', 'file'], kind: 'text' },
  ZERORATE_ENGINE_THREADS: { path: ['engine', 'threads'], kind: 'number' },
  ZERORATE_BATCH_MAX_RECORDS: { path: ['batch', 'maxRecords'], kind: 'number' },
  ZERORATE_BATCH_MAX_BYTES: { path: ['batch', 'maxBytes'], kind: 'number' },
  ZERORATE_BATCH_MAX_DELAY_MS: { path: ['batch', 'maxDelayMs'], kind: 'number' },
  ZERORATE_DUPLICATES_WINDOW_RECORDS: { path: ['duplicates', 'windowRecords'], kind: 'number' },
  ZERORATE_CREDIT_CHECK_INTERVAL_MS: { path: ['credit', 'checkIntervalMs'], kind: 'number' },
  ZERORATE_CLOSING_GRACE_DELAY_MS: { path: ['closing', 'graceDelayMs'], kind: 'number' },
  ZERORATE_LIMITS_MAX_RECORD_BYTES: { path: ['limits', 'maxRecordBytes'], kind: 'number' },
  ZERORATE_LIMITS_REJECTION_PAYLOAD_BYTES: { path: ['limits', 'rejectionPayloadBytes'], kind: 'number' },
  ZERORATE_LIMITS_MAX_FUTURE_SKEW_MS: { path: ['limits', 'maxFutureSkewMs'], kind: 'number' },
  ZERORATE_LEAKAGE_MAX_ROWS: { path: ['leakage', 'maxRows'], kind: 'number' },
  ZERORATE_MSISDN_ACCEPT_PLUS: { path: ['msisdn', 'acceptPlus'], kind: 'boolean' },
  ZERORATE_MSISDN_INTERNATIONAL_PREFIX: { path: ['msisdn', 'internationalPrefix'], kind: 'text' },
  ZERORATE_HEALTH_PORT: { path: ['health', 'port'], kind: 'number' },
  ZERORATE_HEALTH_HOST: { path: ['health', 'host'], kind: 'text' },
  ZERORATE_HEALTH_EXIT_DELAY_MS: { path: ['health', 'exitDelayMs'], kind: 'number' },
  ZERORATE_SEQUENCES_CHECK_INTERVAL_MS: { path: ['sequences', 'checkIntervalMs'], kind: 'number' },
  ZERORATE_TRACING_OTLP_URL: { path: ['tracing', 'otlpUrl'], kind: 'text' },
  ZERORATE_LOG_LEVEL: { path: ['log', 'level'], kind: 'text' },
  ZERORATE_LOG_FORMAT: { path: ['log', 'format'], kind: 'text' },
};

/** Variables that have another name since this version, by the former one. */
export const FORMER_VARIABLES: Readonly<Record<string, string>> = {
  ZERORATE_RELOAD_EVERY_MS: 'ZERORATE_RELOAD_INTERVAL_MS',
  ZERORATE_KAFKA_SSL: 'ZERORATE_KAFKA_TLS',
  ZERORATE_CREDIT_CHECK_EVERY_MS: 'ZERORATE_CREDIT_CHECK_INTERVAL_MS',
  ZERORATE_LIMITS_MAX_FUTURE_MS: 'ZERORATE_LIMITS_MAX_FUTURE_SKEW_MS',
  ZERORATE_BATCH_MAX_OCTETS: 'ZERORATE_BATCH_MAX_BYTES',
  ZERORATE_LIMITS_MAX_RECORD_OCTETS: 'ZERORATE_LIMITS_MAX_RECORD_BYTES',
  ZERORATE_LIMITS_REJECTION_PAYLOAD_OCTETS: 'ZERORATE_LIMITS_REJECTION_PAYLOAD_BYTES',
  ZERORATE_HEALTH_LINGER_MS: 'ZERORATE_HEALTH_EXIT_DELAY_MS',
  ZERORATE_SEQUENCES_LOOK_EVERY_MS: 'ZERORATE_SEQUENCES_CHECK_INTERVAL_MS',
};

/** Environment variables that hold a secret itself. */
const SECRET_VARIABLES = [
  'ZERORATE_STORE_PASSWORD',
  'ZERORATE_KAFKA_SASL_PASSWORD',
  'ZERORATE_KAFKA_OAUTH_CLIENT_SECRET',
  'ZERORATE_REGISTRY_PASSWORD',
  'ZERORATE_PSEUDONYM_KEY',
] as const;

/** Secrets of the companions: the engine does not read them, and does not mind them. A proxy's is named by its configuration. */
const COMPANION_VARIABLES = /^ZERORATE_(OPERATOR|PROXY(_\w+)?)_SECRET$/;

interface EnvironmentSettings {
  settings: Setting[];
  faults: DocumentFault[];
  /** One for each former variable that is set. */
  warnings: DocumentFault[];
}

/** The settings of the environment; a variable that is set to nothing is not set. */
export function environmentSettings(env: Environment): EnvironmentSettings {
  const known = [...Object.keys(CONFIG_VARIABLES), ...SECRET_VARIABLES];
  const isSet = (name: string) => env[name] !== undefined && env[name] !== '';
  const faults = Object.keys(env)
    .filter((name) => name.startsWith(PREFIX) && !known.includes(name) && !Object.hasOwn(FORMER_VARIABLES, name))
    .filter((name) => !COMPANION_VARIABLES.test(name))
    .map((name) => ofVariable(name, `unknown variable${suggestion(name, known)}`));
  const former = Object.entries(FORMER_VARIABLES).filter(([name]) => isSet(name));
  const names = [
    ...Object.keys(CONFIG_VARIABLES)
      .filter(isSet)
      .map((name) => [name, name]),
    ...former.filter(([, name]) => !isSet(name)),
  ];
  faults.push(...former.filter(([, name]) => isSet(name)).map(([old, name]) => ofVariable(old, bothMessage(name))));
  return {
    settings: names.map(([origin, name]) => {
      const { path, kind } = CONFIG_VARIABLES[name];
      return { path, value: parsedAs(env[origin] ?? '', kind), origin };
    }),
    faults,
    warnings: former.map(([old, name]) => ofVariable(old, renamedMessage(name))),
  };
}

function ofVariable(name: string, message: string): DocumentFault {
  return { file: name, line: null, path: '', message };
}

/** What is not of its kind stays text, for the schema to refuse. */
function parsedAs(text: string, kind: Kind): unknown {
  if (kind === 'list')
    return text
      .split(',')
      .map((part) => part.trim())
      .filter((part) => part !== '');
  if (kind === 'number' && /^\d+$/.test(text)) return Number(text);
  if (kind === 'boolean' && (text === 'true' || text === 'false')) return text === 'true';
  return text;
}
