import { readFileSync } from 'node:fs';
import type { Kafka } from 'kafkajs';
import { type AvroSchema, avroDecoder } from '../billing/decode-avro.ts';
import { decodeJson } from '../billing/decode-json.ts';
import type { Decoder } from '../billing/decoder.ts';
import { fileSource } from '../engine/file-source.ts';
import { listFlowFiles } from '../engine/flow-file.ts';
import { kafkaSource } from '../engine/kafka-source.ts';
import type { QuotaPublisher, Source } from '../engine/ports.ts';
import { fileQuotaPublisher } from '../engine/quota-publisher-file.ts';
import { kafkaQuotaPublisher } from '../engine/quota-publisher-kafka.ts';
import type { Config, KafkaConfig } from '../platform/config.ts';
import { ConfigError } from '../platform/config-error.ts';
import { createKafka } from '../platform/kafka.ts';
import type { Logger } from '../platform/logger.ts';
import { packagePath } from '../platform/package-paths.ts';
import type { ProgressState } from '../platform/progress.ts';

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
): AssembledSource {
  if (config.source.files !== undefined) return filesOf(config, config.source, onProgress);
  return kafkaOf(config, config.source.kafka, logger, onProgress);
}

function filesOf(
  config: Config,
  { files, format }: { files: readonly string[]; format?: 'ndjson' | 'csv' | 'avro' },
  onProgress: (state: ProgressState) => void,
): AssembledSource {
  const source = fileSource({
    paths: files,
    ...(format === undefined ? {} : { format }),
    maxRecordOctets: config.limits.maxRecordOctets,
    chunkRecords: RECORDS_PER_CHUNK,
    readerSchema: readSchema(packagePath('schemas/flow-record.avsc')),
    onProgress: ({ path, readOctets, totalOctets, records }) =>
      onProgress({ label: 'reading', records, fraction: totalOctets === 0 ? 1 : readOctets / totalOctets, note: path }),
  });
  const { file } = config.quotaUpdates;
  if (file === undefined) throw new ConfigError('quotaUpdates: name a file for the updates of files');
  return { source, publisher: fileQuotaPublisher({ path: file }) };
}

function kafkaOf(
  config: Config,
  kafkaConfig: KafkaConfig,
  logger: Logger,
  onProgress: (state: ProgressState) => void,
): AssembledSource {
  const kafka = connect(kafkaConfig, logger);
  const positions = new Map<number, { first: number; offset: number; lag: number }>();
  const source = kafkaSource({
    kafka,
    topic: kafkaConfig.topic,
    groupId: kafkaConfig.groupId,
    decode: kafkaDecoder(kafkaConfig),
    maxRecordOctets: config.limits.maxRecordOctets,
    sessionTimeoutMs: kafkaConfig.sessionTimeoutMs,
    heartbeatIntervalMs: kafkaConfig.heartbeatIntervalMs,
    rebalanceTimeoutMs: kafkaConfig.rebalanceTimeoutMs,
    maxBytesPerPartition: kafkaConfig.maxOctetsPerPartition,
    maxWaitTimeInMs: kafkaConfig.maxWaitMs,
    logger,
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
      ? kafkaQuotaPublisher({ kafka, topic, schema: readSchema(packagePath('schemas/quota-update.avsc')), logger })
      : fileQuotaPublisher({ path: file });
  return { source, publisher };
}

export function connect({ brokers, clientId, ssl, sasl }: KafkaConfig, logger: Logger): Kafka {
  return createKafka({ brokers, clientId, ssl: readCertificates(ssl), sasl: readSasl(sasl), logger });
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
