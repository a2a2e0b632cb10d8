import { readFileSync } from 'node:fs';
import type { Kafka } from 'kafkajs';
import type { AvroSchema } from '../billing/decode-avro.ts';
import type { FlowFileFormat } from '../billing/flow-file-format.ts';
import type { Config, FilesConfig, KafkaConfig } from '../platform/config.ts';
import { ConfigError } from '../platform/config-error.ts';
import type { Logger } from '../platform/logger.ts';
import { packagePath } from '../platform/package-paths.ts';
import type { ProgressState } from '../platform/progress.ts';
import type { Store } from '../platform/store.ts';
import type { QuotaPublisher } from '../quota-updates/quota-publisher.ts';
import { fileQuotaPublisher } from '../quota-updates/quota-publisher-file.ts';
import { threadedQuotaPublisher } from '../quota-updates/quota-publisher-thread.ts';
import type { CdrMapping } from '../sources/cdr-mapping.ts';
import { type FileSourceOptions, fileSource } from '../sources/file-source.ts';
import { listFlowFiles } from '../sources/flow-file.ts';
import { kafkaSource } from '../sources/kafka-source.ts';
import type { KafkaSourceOptions } from '../sources/kafka-source-options.ts';
import type { Source } from '../sources/source.ts';
import { Subscribers } from '../sources/subscribers.ts';
import { Terminals } from '../sources/terminals.ts';
import { decodingForBooking, type FlowDecoding, readSchema } from './flow-decoder.ts';
import { clientOptions, connect } from './kafka-connection.ts';
import type { ConfigOptions } from './read-config.ts';

export interface AssembledSource {
  source: Source;
  publisher: QuotaPublisher;
}

const RECORDS_PER_CHUNK = 10_000;

/** Are the configured files there, and of a known kind? Rejects with a SourceError that names the one that is not. */
export async function checkSource({ source }: Config): Promise<void> {
  if (source.files !== undefined) await listFlowFiles(source.files, source.format);
}

/** What a source is assembled with. */
export interface Surroundings {
  store: Store;
  logger: Logger;
  onProgress: (state: ProgressState) => void;
  onProblem: (part: 'source' | 'registry', problem: string | null) => void;
}

/** The configured source, and where its quota updates go. */
export function assembleSource(config: Config, surroundings: Surroundings): AssembledSource {
  if (config.source.files !== undefined) return filesOf(config, config.source, surroundings.onProgress);
  return kafkaOf(config, config.source.kafka, surroundings);
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
export function plainFiles({
  terminals,
  subscribers,
}: Pick<ConfigOptions, 'terminals' | 'subscribers'>): Pick<Config, 'limits' | 'source'> {
  const cdr: FilesConfig['cdr'] = {
    contentTypes: { serviceIdentifiers: {}, ratingGroups: {} },
    msisdnFormat: 'address-string',
    ...(subscribers !== undefined && { subscribers }),
  };
  return {
    limits: { maxRecordOctets: 65_536, rejectionPayloadOctets: 4096 },
    source: {
      files: [],
      ...(terminals === undefined ? {} : { goflow2: { terminals } }),
      cdr,
    },
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
    ...(cdr === undefined ? {} : { cdr: cdrMapping(cdr) }),
    ...(goflow2 === undefined
      ? {}
      : { terminals: parsedFile(goflow2.terminals, 'terminals', (text) => Terminals.parse(text)) }),
  };
}

function cdrMapping({ subscribers, ...mapping }: NonNullable<FilesConfig['cdr']>): CdrMapping {
  if (subscribers === undefined) return mapping;
  return { ...mapping, subscribers: parsedFile(subscribers, 'subscribers', (text) => Subscribers.parse(text)) };
}

/** What the file holds. Throws a ConfigError with a line for each fault. */
function parsedFile<T>(path: string, what: string, parse: (text: string) => T | string[]): T {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new ConfigError(`${path}: cannot be read (${(error as Error).message}); name a CSV file of ${what}`);
  }
  const parsed = parse(text);
  if (!Array.isArray(parsed)) return parsed;
  throw new ConfigError(parsed.map((fault) => `${path}:${fault}`));
}

export function quotaFile({ quotaUpdates: { file } }: Config): string {
  if (file === undefined) throw new ConfigError('quotaUpdates: name a file for the updates of files');
  return file;
}

function kafkaOf(
  config: Config,
  kafkaConfig: KafkaConfig,
  { store, logger, onProgress, onProblem }: Surroundings,
): AssembledSource {
  const kafka = connect(kafkaConfig, logger);
  const onRegistryProblem = (problem: string | null) => onProblem('registry', problem);
  const decoding = decodingForBooking(kafkaConfig, { store, logger, onProblem: onRegistryProblem });
  const positions = new Map<number, { first: number; offset: number; lag: number }>();
  const source = kafkaSource({
    ...kafkaOptions(config, kafkaConfig, kafka, decoding, logger),
    onProblem: (problem) => onProblem('source', problem),
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
  decoding: FlowDecoding,
  logger: Logger,
): KafkaSourceOptions {
  return {
    kafka,
    ...decoding,
    topic: kafkaConfig.topic,
    groupId: kafkaConfig.groupId,
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
