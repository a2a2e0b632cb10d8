import { readFileSync } from 'node:fs';
import type { Kafka } from 'kafkajs';
import { readBatchesOfLog, readBookedLogs } from '../../journal/booked-logs.ts';
import type { QuotaPublisher } from '../../journal/journal.ts';
import { threadedQuotaPublisher } from '../../journal/quota-publisher.ts';
import { fileQuotaPublisher } from '../../journal/quota-publisher-file.ts';
import type { Store } from '../../platform/clickhouse/store.ts';
import type { Config, FilesConfig, KafkaConfig } from '../../platform/config/config.ts';
import { ConfigError } from '../../platform/config/config-error.ts';
import { goflow2Schema } from '../../platform/config/config-source-schema.ts';
import { packagePath } from '../../platform/package-paths.ts';
import type { Logger } from '../../platform/telemetry/logger.ts';
import type { ProgressState } from '../../platform/telemetry/terminal-output.ts';
import type { AvroSchema } from '../../rating/decode-avro.ts';
import type { FlowFileFormat } from '../../rating/record/flow-file-format.ts';
import { type MsisdnForms, NORMAL_FORM_ONLY } from '../../rating/record/msisdn.ts';
import { Subscribers } from '../../sources/addresses/imsi-subscribers.ts';
import { Terminals } from '../../sources/addresses/terminals.ts';
import type { CdrMapping } from '../../sources/cdr/cdr-mapping.ts';
import { checkBeginnings } from '../../sources/files/file-beginning.ts';
import { FILES_LANE, type FileNotice, type FileSourceOptions, fileSource } from '../../sources/files/file-source.ts';
import { listFlowFiles } from '../../sources/files/flow-file.ts';
import type { BookedLogs } from '../../sources/files/identify-files.ts';
import type { Goflow2Mapping } from '../../sources/goflow2/goflow2.ts';
import { sampledExporters } from '../../sources/goflow2/sampled-exporters.ts';
import { kafkaLog } from '../../sources/kafka/kafka-assignment.ts';
import type { KafkaProgress, KafkaSourceOptions } from '../../sources/kafka/kafka-feed.ts';
import { countPartitions, fetchLogBounds, fetchOffsetsAt } from '../../sources/kafka/kafka-log.ts';
import { kafkaSource } from '../../sources/kafka/kafka-source.ts';
import type { Source } from '../../sources/source.ts';
import type { StartPosition } from '../start-position.ts';
import { decodingForBooking, type FlowDecoding, readSchema } from './flow-decoder.ts';
import { clientOptions, connect, requireBrokers } from './kafka-connection.ts';
import type { ConfigOptions } from './read-config.ts';
import { requireSeparatePaths } from './separate-paths.ts';

export interface AssembledSource {
  source: Source;
  startPosition?: StartPosition;
  publisher: QuotaPublisher;
}

const RECORDS_PER_CHUNK = 10_000;

/**
 * Resolves when the configured files are there and are what they are read as, or the brokers take this client. Rejects with a
 * SourceError that says what is wrong with which.
 */
export async function checkSource(config: Config, logger: Logger, isStopped?: () => boolean): Promise<void> {
  const { source } = config;
  if (source.files === undefined) return requireBrokers(source.kafka, source.kafka.topic, isStopped);
  await requireSeparatePaths(config);
  const files = await listFlowFiles(source.files, source.format);
  await checkBeginnings(files, source.final ?? false);
  for (const { path, totalOctets } of files) {
    if (totalOctets === 0) logger.warn({ path }, 'the file is empty: it holds no record');
  }
}

/** What a source is assembled with. */
export interface SourceDependencies {
  store: Store;
  logger: Logger;
  /** The progress of files. */
  onProgress: (state: ProgressState) => void;
  /** The progress of a partition. */
  onRead: (progress: KafkaProgress) => void;
  onProblem: (part: 'source' | 'registry', problem: string | null) => void;
  /** Called whenever a broker has answered the source. */
  onBrokerAnswer: () => void;
}

/** The configured source, and where its quota updates go. */
export function assembleSource(config: Config, dependencies: SourceDependencies): AssembledSource {
  if (config.source.files !== undefined) return filesOf(config, config.source, dependencies);
  return kafkaOf(config, config.source.kafka, dependencies);
}

function filesOf(
  config: Config,
  { files, format, final = false, rewritten = false }: FilesConfig,
  { store, logger, onProgress }: SourceDependencies,
): AssembledSource {
  const source = fileSource({
    ...fileOptions(config, files, format),
    booked: bookedLogsOf(store),
    isFinal: final,
    isRewritten: rewritten,
    onNotice: (notice) => logNotice(notice, logger),
    onProgress: ({ path, readOctets, totalOctets, records }) =>
      onProgress({ label: 'reading', records, fraction: totalOctets === 0 ? 1 : readOctets / totalOctets, note: path }),
  });
  return { source, publisher: fileQuotaPublisher({ path: quotaFile(config) }) };
}

/** What the store's journal knows of files. */
export function bookedLogsOf(store: Store): BookedLogs {
  return {
    all: () => readBookedLogs(store, FILES_LANE),
    batchesOf: (topic) => readBatchesOfLog(store, FILES_LANE, topic),
  };
}

function logNotice(notice: FileNotice, logger: Logger): void {
  const { kind, path, ...fields } = notice;
  switch (kind) {
    case 'booked_under_another_name':
      logger.info({ path, ...fields }, `${path}: what it begins with is booked already, from a file of another name`);
      return;
    case 'unproven':
      logger.warn(
        { path, ...fields },
        `${path}: was booked by a version that kept no digest of it; its first records are passed over by their number`,
      );
      return;
    case 'namesake':
      logger.warn(
        { path, ...fields },
        `${path}: begins otherwise than the file of this name that is booked (${notice.namesake}), and is booked as another file; if ` +
          'it is that file, rewritten, run with --rewritten: without it, records that have left the window of duplicates are charged again',
      );
      return;
    case 'held_back':
      logger.warn(
        { path, ...fields },
        `${path}: ends with ${notice.what}: it is not read; run again once it is whole, or with --final if nothing follows`,
      );
  }
}

/** How files are read where no configuration says. */
export function plainFiles({
  terminals,
  subscribers,
}: Pick<ConfigOptions, 'terminals' | 'subscribers'> = {}): Pick<Config, 'limits' | 'msisdn' | 'source'> {
  const cdr: FilesConfig['cdr'] = {
    contentTypes: { serviceIdentifiers: {}, ratingGroups: {} },
    msisdnFormat: 'address-string',
    ...(subscribers !== undefined && { subscribers }),
  };
  const goflow2 = terminals === undefined ? {} : { goflow2: goflow2Schema.parse({ terminals }) };
  return {
    limits: { maxRecordBytes: 65_536, rejectionPayloadBytes: 4096, maxFutureSkewMs: 86_400_000 },
    msisdn: NORMAL_FORM_ONLY,
    source: { files: [], ...goflow2, cdr },
  };
}

/** How files are read, by an engine or an audit. */
export function fileOptions(
  { limits, msisdn, source }: Pick<Config, 'limits' | 'msisdn' | 'source'>,
  paths: readonly string[],
  format?: FlowFileFormat,
): FileSourceOptions {
  return {
    paths,
    ...(format === undefined ? {} : { format }),
    ...(source.files === undefined ? {} : mappingsOf(source, paths, msisdn)),
    maxRecordBytes: limits.maxRecordBytes,
    chunkRecords: RECORDS_PER_CHUNK,
    readerSchema: readSchema(packagePath('schemas/flow-record.avsc')),
  };
}

type Mappings = Pick<FileSourceOptions, 'cdr' | 'goflow2'>;

/** What turns records of others into flow records. */
function mappingsOf({ files, cdr, goflow2 }: FilesConfig, paths: readonly string[], msisdn: MsisdnForms): Mappings {
  return {
    ...(cdr === undefined ? {} : { cdr: cdrMapping(cdr, msisdn) }),
    ...(goflow2 === undefined ? {} : { goflow2: goflow2Mapping(goflow2, [...new Set([...files, ...paths])], msisdn) }),
  };
}

function goflow2Mapping(
  { terminals: path, ...given }: NonNullable<FilesConfig['goflow2']>,
  paths: readonly string[],
  msisdn: MsisdnForms,
): Goflow2Mapping {
  const terminals = parsedFile(path, 'terminals', (text) => Terminals.parse(text, msisdn));
  return { ...given, terminals, sampled: sampledExporters(paths) };
}

function cdrMapping({ subscribers, ...mapping }: NonNullable<FilesConfig['cdr']>, msisdn: MsisdnForms): CdrMapping {
  if (subscribers === undefined) return mapping;
  return { ...mapping, subscribers: parsedFile(subscribers, 'subscribers', (text) => Subscribers.parse(text, msisdn)) };
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

function quotaFile({ quotaUpdates: { file } }: Config): string {
  if (file === undefined) throw new ConfigError('quotaUpdates: name a file for the updates of files');
  return file;
}

function kafkaOf(
  config: Config,
  kafkaConfig: KafkaConfig,
  { store, logger, onRead, onProblem, onBrokerAnswer }: SourceDependencies,
): AssembledSource {
  const kafka = connect(kafkaConfig, logger);
  const onRegistryProblem = (problem: string | null) => onProblem('registry', problem);
  const decoding = decodingForBooking(kafkaConfig, { store, logger, onProblem: onRegistryProblem });
  const topicSource = kafkaSource({
    ...kafkaOptions(config, kafkaConfig, kafka, decoding, logger),
    onProblem: (problem) => onProblem('source', problem),
    onAnswer: onBrokerAnswer,
    onProgress: onRead,
  });
  const source: Source = {
    ...topicSource,
    async run(listener) {
      await decoding.keepConfigured();
      return topicSource.run(listener);
    },
  };
  const { topic, file } = config.quotaUpdates;
  const publisher =
    file === undefined
      ? threadedQuotaPublisher({ kafka: clientOptions(kafkaConfig), topic, schema: quotaUpdateSchema(), logger })
      : fileQuotaPublisher({ path: file });
  const startPosition = startPositionOf(kafkaConfig, kafka);
  return { source, publisher, ...(startPosition && { startPosition }) };
}

/** Absent: the topic is read from its beginning. */
function startPositionOf({ topic, startFrom }: KafkaConfig, kafka: Kafka): StartPosition | undefined {
  if (startFrom === 'earliest') return undefined;
  return {
    async logs() {
      const count = await countPartitions(kafka, topic);
      return Array.from({ length: count }, (_, partition) => kafkaLog(topic, partition));
    },
    async offsets() {
      if (startFrom !== 'latest') return fetchOffsetsAt(kafka, topic, Date.parse(startFrom));
      const bounds = await fetchLogBounds(kafka, topic);
      return new Map([...bounds].map(([partition, { endOffset }]) => [partition, endOffset]));
    },
  };
}

/** How the topic is read, by an engine or an audit. */
export function kafkaOptions(
  { limits }: Config,
  kafkaConfig: KafkaConfig,
  kafka: Kafka,
  decoding: FlowDecoding,
  logger: Logger,
): KafkaSourceOptions {
  const { decode, schemas } = decoding;
  return {
    kafka,
    decode,
    ...(schemas !== undefined && { schemas }),
    topic: kafkaConfig.topic,
    groupId: kafkaConfig.groupId,
    maxRecordBytes: limits.maxRecordBytes,
    sessionTimeoutMs: kafkaConfig.sessionTimeoutMs,
    heartbeatIntervalMs: kafkaConfig.heartbeatIntervalMs,
    rebalanceTimeoutMs: kafkaConfig.rebalanceTimeoutMs,
    maxBytesPerPartition: kafkaConfig.maxBytesPerPartition,
    maxWaitTimeInMs: kafkaConfig.fetchWaitTimeoutMs,
    logger,
  };
}

export function quotaUpdateSchema(): AvroSchema {
  return readSchema(packagePath('schemas/quota-update.avsc'));
}
