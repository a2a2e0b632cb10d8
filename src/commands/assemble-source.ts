import { readFileSync } from 'node:fs';
import type { Kafka } from 'kafkajs';
import { type AvroSchema, avroDecoder } from '../billing/decode-avro.ts';
import { decodeJson } from '../billing/decode-json.ts';
import type { Decoder } from '../billing/decoder.ts';
import type { FlowFileFormat } from '../billing/flow-file-format.ts';
import type { Config, FilesConfig, KafkaConfig } from '../platform/config.ts';
import { ConfigError } from '../platform/config-error.ts';
import { createKafka, type KafkaOptions } from '../platform/kafka.ts';
import type { Logger } from '../platform/logger.ts';
import { packagePath } from '../platform/package-paths.ts';
import type { ProgressState } from '../platform/progress.ts';
import type { QuotaPublisher } from '../quota-updates/quota-publisher.ts';
import { fileQuotaPublisher } from '../quota-updates/quota-publisher-file.ts';
import { threadedQuotaPublisher } from '../quota-updates/quota-publisher-thread.ts';
import { type FileSourceOptions, fileSource } from '../sources/file-source.ts';
import { listFlowFiles } from '../sources/flow-file.ts';
import { kafkaSource } from '../sources/kafka-source.ts';
import type { KafkaSourceOptions } from '../sources/kafka-source-options.ts';
import type { Source } from '../sources/source.ts';
import { Terminals } from '../sources/terminals.ts';

export interface AssembledSource {
  source: Source;
  publisher: QuotaPublisher;
}

const RECORDS_PER_CHUNK = 10_000;

/** Are the configured files there, and of a known kind? Rejects with a SourceError that names the one that is not. */
export async function checkSource({ source }: Config): Promise<void> {
  if (source.files !== undefined) await listFlowFiles(source.files, source.format);
}

/** The configured source, and where its quota updates go. */
export function assembleSource(
  config: Config,
  logger: Logger,
  onProgress: (state: ProgressState) => void,
  onProblem: (problem: string | null) => void,
): AssembledSource {
  if (config.source.files !== undefined) return filesOf(config, config.source, onProgress);
  return kafkaOf(config, config.source.kafka, logger, onProgress, onProblem);
}

function filesOf(
  config: Config,
  { files, format }: { files: readonly string[]; format?: FlowFileFormat },
  onProgress: (state: ProgressState) => void,
): AssembledSource {
  const source = fileSource({
    ...fileOptions(config, files, format),
    onProgress: ({ path, readOctets, totalOctets, records }) =>
      onProgress({ label: 'reading', records, fraction: totalOctets === 0 ? 1 : readOctets / totalOctets, note: path }),
  });
  return { source, publisher: fileQuotaPublisher({ path: quotaFile(config) }) };
}

/** How files are read where no configuration says. */
export function plainFiles(terminals?: string): Pick<Config, 'limits' | 'source'> {
  return {
    limits: { maxRecordOctets: 65_536, rejectionPayloadOctets: 4096 },
    source: { files: [], ...(terminals === undefined ? {} : { goflow2: { terminals } }) },
  };
}

/** How files are read, whoever reads them. */
export function fileOptions(
  { limits, source }: Pick<Config, 'limits' | 'source'>,
  paths: readonly string[],
  format?: FlowFileFormat,
): FileSourceOptions {
  return {
    paths,
    ...(format === undefined ? {} : { format }),
    ...(source.files === undefined ? {} : mappingsOf(source)),
    maxRecordOctets: limits.maxRecordOctets,
    chunkRecords: RECORDS_PER_CHUNK,
    readerSchema: readSchema(packagePath('schemas/flow-record.avsc')),
  };
}

/** What turns records of others into flow records. */
function mappingsOf({ cdr, goflow2 }: FilesConfig): Pick<FileSourceOptions, 'cdr' | 'terminals'> {
  return {
    ...(cdr === undefined ? {} : { cdr }),
    ...(goflow2 === undefined ? {} : { terminals: readTerminals(goflow2.terminals) }),
  };
}

function readTerminals(path: string): Terminals {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new ConfigError(`${path}: cannot be read (${(error as Error).message}); name a CSV file of terminals`);
  }
  const terminals = Terminals.parse(text);
  if (terminals instanceof Terminals) return terminals;
  throw new ConfigError(terminals.map((fault) => `${path}:${fault}`));
}

export function quotaFile({ quotaUpdates: { file } }: Config): string {
  if (file === undefined) throw new ConfigError('quotaUpdates: name a file for the updates of files');
  return file;
}

function kafkaOf(
  config: Config,
  kafkaConfig: KafkaConfig,
  logger: Logger,
  onProgress: (state: ProgressState) => void,
  onProblem: (problem: string | null) => void,
): AssembledSource {
  const kafka = connect(kafkaConfig, logger);
  const positions = new Map<number, { first: number; offset: number; lag: number }>();
  const source = kafkaSource({
    ...kafkaOptions(config, kafkaConfig, kafka, logger),
    onProblem,
    onProgress: ({ partition, offset, highWatermark }) => {
      const first = positions.get(partition)?.first ?? offset;
      positions.set(partition, { first, offset, lag: Math.max(0, highWatermark - 1 - offset) });
      const sum = (of: (position: { first: number; offset: number; lag: number }) => number) =>
        [...positions.values()].reduce((total, position) => total + of(position), 0);
      const records = sum(({ first, offset }) => offset - first);
      onProgress({ label: 'reading', records, fraction: null, note: `lag ${sum(({ lag }) => lag)}` });
    },
  });
  const { topic, file } = config.quotaUpdates;
  const publisher =
    file === undefined
      ? threadedQuotaPublisher({ kafka: clientOptions(kafkaConfig), topic, schema: quotaUpdateSchema(), logger })
      : fileQuotaPublisher({ path: file });
  return { source, publisher };
}

/** How the topic is read, whoever reads it. */
export function kafkaOptions(
  { limits }: Config,
  kafkaConfig: KafkaConfig,
  kafka: Kafka,
  logger: Logger,
): KafkaSourceOptions {
  return {
    kafka,
    topic: kafkaConfig.topic,
    groupId: kafkaConfig.groupId,
    decode: kafkaDecoder(kafkaConfig),
    maxRecordOctets: limits.maxRecordOctets,
    sessionTimeoutMs: kafkaConfig.sessionTimeoutMs,
    heartbeatIntervalMs: kafkaConfig.heartbeatIntervalMs,
    rebalanceTimeoutMs: kafkaConfig.rebalanceTimeoutMs,
    maxBytesPerPartition: kafkaConfig.maxOctetsPerPartition,
    maxWaitTimeInMs: kafkaConfig.maxWaitMs,
    logger,
  };
}

export function quotaUpdateSchema(): AvroSchema {
  return readSchema(packagePath('schemas/quota-update.avsc'));
}

/** What it takes to reach the brokers. */
type KafkaAccess = Pick<KafkaConfig, 'brokers' | 'clientId' | 'ssl' | 'sasl'>;

/** Without a logger nothing is logged of what the client meets. */
export function connect(kafkaConfig: KafkaAccess, logger?: Logger): Kafka {
  return createKafka({ ...clientOptions(kafkaConfig), ...(logger && { logger }) });
}

function clientOptions({ brokers, clientId, ssl, sasl }: KafkaAccess): Omit<KafkaOptions, 'logger'> {
  return { brokers, clientId, ssl: readCertificates(ssl), sasl: readSasl(sasl) };
}

/** How a topic's values are decoded. Writers' schemas are read from files; the reader's is the flow record's own. */
export function kafkaDecoder({ valueFormat, avro }: Pick<KafkaConfig, 'valueFormat' | 'avro'>): Decoder {
  if (valueFormat === 'json') return decodeJson;
  const own = readSchema(packagePath('schemas/flow-record.avsc'));
  const schemas = Object.entries(avro.schemas).map(([id, path]): [number, AvroSchema] => [
    Number(id),
    readSchema(path),
  ]);
  try {
    return avroDecoder({
      readerSchema: own,
      schemas: new Map(schemas),
      bareSchema: avro.bareSchema === undefined ? own : readSchema(avro.bareSchema),
      header: avro.header,
    });
  } catch (error) {
    throw new ConfigError(`source.kafka.avro: ${(error as Error).message}`);
  }
}

function readSchema(path: string): AvroSchema {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new ConfigError(`${path}: cannot be read as an Avro schema: ${(error as Error).message}`);
  }
}

function readCertificates(ssl: KafkaConfig['ssl']) {
  if (typeof ssl === 'boolean') return ssl;
  const { ca, cert, key } = ssl;
  return {
    ...(ca === undefined ? {} : { ca: [readFileSync(ca, 'utf8')] }),
    ...(cert === undefined ? {} : { cert: readFileSync(cert, 'utf8') }),
    ...(key === undefined ? {} : { key: readFileSync(key, 'utf8') }),
  };
}

function readSasl(sasl: KafkaConfig['sasl']) {
  return sasl === null ? null : { ...sasl, password: sasl.password.reveal() };
}
