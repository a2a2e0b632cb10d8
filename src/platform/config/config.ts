import { join } from 'node:path';
import type { ClusterOptions } from '../clickhouse/server-cluster.ts';
import type { ConfigDocument } from './config-schema.ts';
import type { ConfigSecrets } from './config-secrets.ts';
import type { Secret } from './secret.ts';
import type { TlsFiles } from './tls-schema.ts';

type KafkaDocument = NonNullable<ConfigDocument['source']['kafka']>;

/** What the engine runs with. Paths are absolute; secrets do not print. */
export interface Config
  extends Pick<
    ConfigDocument,
    | 'catalogue'
    | 'reload'
    | 'engine'
    | 'batch'
    | 'duplicates'
    | 'credit'
    | 'closing'
    | 'limits'
    | 'leakage'
    | 'msisdn'
    | 'sequences'
    | 'tracing'
    | 'log'
  > {
  /** Null: neither readiness nor metrics are served. */
  health: { host: string; port: number; exitDelayMs: number } | null;
  source: FilesConfig | { kafka: KafkaConfig; files?: undefined };
  store: EmbeddedStoreConfig | ServerStoreConfig;
  quotaUpdates: { minIntervalMs: number } & ({ topic: string; file?: undefined } | { file: string; topic?: undefined });
  /** As its file or its variable has it. Null with an embedded store that makes a development key. */
  pseudonymKey: Secret | null;
  /** The key's file; null where the key is from a variable, or made. */
  pseudonymKeyFile: string | null;
  /** The key file for statements; null: they are not signed. */
  signingKeyFile: string | null;
}

export interface FilesConfig {
  files: readonly string[];
  format?: NonNullable<ConfigDocument['source']['format']>;
  final?: boolean;
  rewritten?: boolean;
  cdr?: NonNullable<ConfigDocument['source']['cdr']>;
  goflow2?: NonNullable<ConfigDocument['source']['goflow2']>;
  kafka?: undefined;
}

export interface KafkaConfig extends Omit<KafkaDocument, 'sasl' | 'avro'> {
  sasl: PasswordSasl | TokenSasl | null;
  avro: Omit<KafkaDocument['avro'], 'registry'> & { registry: RegistryConfig | null };
}

export interface PasswordSasl {
  mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512';
  username: string;
  password: Secret;
}

interface TokenSasl {
  mechanism: 'oauthbearer';
  tokenUrl: string;
  clientId: string;
  clientSecret: Secret;
  scope?: string | undefined;
  tls?: TlsFiles | undefined;
}

export interface RegistryConfig {
  url: string;
  username?: string | undefined;
  /** Null: no login. */
  password: Secret | null;
  tls?: TlsFiles | undefined;
}

interface EmbeddedStoreConfig {
  dir: string;
  url?: undefined;
}

export interface ServerStoreConfig {
  url: string;
  database: string;
  username: string;
  /** Null: the user has none. */
  password: Secret | null;
  /** Null: one server. */
  cluster: ClusterOptions | null;
  tls?: TlsFiles | undefined;
  dir?: undefined;
}

/** A configuration as it may be shown. */
export function redacted(config: Config): unknown {
  // A Secret makes itself `[redacted]` in JSON.
  return JSON.parse(JSON.stringify(config));
}

/** Fills in what depends on other fields. The document has passed `configRuleFaults`, its paths are absolute. */
export function completeConfig(document: ConfigDocument, secrets: ConfigSecrets): Config {
  const { catalogue, reload, engine, batch, duplicates, credit, closing, limits } = document;
  const { leakage, msisdn, sequences, tracing, log } = document;
  const source = sourceConfig(document, secrets);
  const store = storeConfig(document, secrets.storePassword);
  const quotaUpdates = quotaUpdatesConfig(document);
  const { pseudonymKey, pseudonymKeyFile } = secrets;
  const health = document.health ?? null;
  return {
    catalogue,
    reload,
    source,
    store,
    quotaUpdates,
    pseudonymKey,
    pseudonymKeyFile,
    signingKeyFile: document.signingKey?.file ?? null,
    engine,
    batch,
    duplicates,
    credit,
    closing,
    limits,
    leakage,
    msisdn,
    health,
    sequences,
    tracing,
    log,
  };
}

function sourceConfig({ source }: ConfigDocument, secrets: ConfigSecrets): Config['source'] {
  const { files = [], format, final, rewritten, cdr, goflow2, kafka } = source;
  if (kafka === undefined) {
    return {
      files,
      ...(format && { format }),
      ...(final && { final }),
      ...(rewritten && { rewritten }),
      ...(cdr && { cdr }),
      ...(goflow2 && { goflow2 }),
    };
  }
  const { sasl, avro, ...rest } = kafka;
  const registry =
    avro.registry === undefined
      ? null
      : { ...without(avro.registry, 'passwordFile'), password: secrets.registryPassword };
  return {
    kafka: { ...rest, avro: { ...avro, registry }, sasl: sasl === undefined ? null : saslConfig(sasl, secrets) },
  };
}

function saslConfig(
  { mechanism, username = '', tokenUrl = '', clientId = '', scope, tls }: NonNullable<KafkaDocument['sasl']>,
  { saslPassword, clientSecret }: ConfigSecrets,
): KafkaConfig['sasl'] {
  if (mechanism !== 'oauthbearer') return saslPassword && { mechanism, username, password: saslPassword };
  return clientSecret && { mechanism, tokenUrl, clientId, clientSecret, scope, tls };
}

function without<T extends object, K extends keyof T>(whole: T, key: K): Omit<T, K> {
  const { [key]: _, ...rest } = whole;
  return rest;
}

function storeConfig({ store }: ConfigDocument, password: Secret | null): Config['store'] {
  if (store.dir !== undefined) return { dir: store.dir };
  const { url = '', database = 'zerorate', username = 'default', cluster = null, tls } = store;
  return { url, database, username, password, cluster, ...(tls && { tls }) };
}

function quotaUpdatesConfig({ quotaUpdates, source, store }: ConfigDocument): Config['quotaUpdates'] {
  const minIntervalMs = quotaUpdates?.minIntervalMs ?? 0;
  if (quotaUpdates?.file !== undefined) return { minIntervalMs, file: quotaUpdates.file };
  if (source.kafka !== undefined) return { minIntervalMs, topic: quotaUpdates?.topic ?? 'quota-updates' };
  return { minIntervalMs, file: join(store.dir ?? '', 'quota-updates.ndjson') };
}
