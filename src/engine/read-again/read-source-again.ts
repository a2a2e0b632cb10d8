import { randomUUID } from 'node:crypto';
import type { Kafka } from 'kafkajs';
import type { BatchRow } from '../../journal/evidence/evidence.ts';
import type { Store } from '../../platform/clickhouse/store.ts';
import type { Config, KafkaConfig } from '../../platform/config/config.ts';
import type { Logger } from '../../platform/telemetry/logger.ts';
import { RECYCLED } from '../../rating/lane.ts';
import type { FlowFileFormat } from '../../rating/record/flow-file-format.ts';
import { FILES_LANE, type FileSourceOptions, fileSource } from '../../sources/files/file-source.ts';
import { listFlowFiles } from '../../sources/files/flow-file.ts';
import { flowFileName } from '../../sources/files/flow-file-topic.ts';
import { identifyFile } from '../../sources/files/identify-files.ts';
import { kafkaLog } from '../../sources/kafka/kafka-assignment.ts';
import { countPartitions } from '../../sources/kafka/kafka-log.ts';
import { kafkaSource } from '../../sources/kafka/kafka-source.ts';
import { SourceError } from '../../sources/source-error.ts';
import { bookedLogsOf, fileOptions, kafkaOptions } from '../assembly/assemble-source.ts';
import { decodingAsBooked } from '../assembly/flow-decoder.ts';
import { connect, requireBrokers } from '../assembly/kafka-connection.ts';
import { requireSeparatePaths } from '../assembly/separate-paths.ts';
import type { OpenSource } from './walk-batches.ts';

/** A source to read once more, beside the engine that reads it for booking. */
export interface SourceAgain {
  open: OpenSource;
  /** Whether the lane's records come from this source, and not from another topic, or from files. */
  hasLane(lane: string): boolean;
  /** Of these batches the ones whose records the source may still have. */
  readable(batches: readonly BatchRow[]): BatchRow[];
  close(): Promise<void>;
}

export async function readSourceAgain(config: Config, store: Store, logger: Logger): Promise<SourceAgain> {
  const { source } = config;
  if (source.files === undefined) {
    await requireBrokers(source.kafka, source.kafka.topic);
    const kafka = connect(source.kafka, logger);
    const partitions = await countPartitions(kafka, source.kafka.topic);
    return topicAgain(config, source.kafka, { kafka, partitions, store, logger });
  }
  await requireSeparatePaths(config);
  return filesAgain(config, source.files, source.format, store);
}

async function filesAgain(
  config: Config,
  files: readonly string[],
  format: FlowFileFormat | undefined,
  store: Store,
): Promise<SourceAgain> {
  // As for booking, but nothing is held back: what is booked may be all that there is. Of a packed file that is still written a run
  // has booked what is whole.
  const options = { ...fileOptions(config, files, format), isFinal: true, mayBeCut: true, isRewritten: false };
  const booked = bookedLogsOf(store);
  const openings = new Map<string, FileSourceOptions>();
  for (const file of await listFlowFiles(files, format)) {
    const opening = { ...options, paths: [file.path] };
    try {
      const { log } = await identifyFile(file, { ...options, booked });
      if (log !== null) openings.set(log.topic, { ...opening, booked });
    } catch (error) {
      if (!(error instanceof SourceError)) throw error;
      // A run has left it for later: it ends before its first record.
      if (error.code === 'file_unreadable' && (await flowFileName(file, false)) === null) continue;
      if (error.code !== 'source_changed') throw error;
      // A run refuses it; here what became of its records is the question, so that it is read under its name.
      const name = await flowFileName(file, true);
      if (name !== null) openings.set(name.topic, opening);
    }
  }
  return {
    async open([{ topic }]) {
      const opening = openings.get(topic);
      return opening === undefined ? null : fileSource(opening);
    },
    hasLane: (lane) => lane === FILES_LANE,
    readable: (batches) => batches.filter(({ topic }) => openings.has(topic)),
    close: async () => {},
  };
}

function topicAgain(
  config: Config,
  kafkaConfig: KafkaConfig,
  { kafka, partitions, store, logger }: { kafka: Kafka; partitions: number; store: Store; logger: Logger },
): SourceAgain {
  const { topic: name } = kafkaConfig;
  const lanes = new Set(Array.from({ length: partitions }, (_, partition) => kafkaLog(name, partition).lane));
  // A group of its own: the engine's must not notice.
  const groupId = `${kafkaConfig.groupId}.again.${randomUUID()}`;
  return {
    async open() {
      const decoding = await decodingAsBooked(kafkaConfig, store);
      return kafkaSource({ ...kafkaOptions(config, kafkaConfig, kafka, decoding, logger), groupId });
    },
    hasLane: (lane) => lane.startsWith(`${name}-`) && /^\d+$/.test(lane.slice(name.length + 1)),
    readable(batches) {
      // A lane of another topic, or of a partition that the topic no longer has, is never assigned.
      const ofTheTopic = batches.filter(({ lane, topic }) => lanes.has(lane) && !topic.startsWith(RECYCLED));
      // Once the topic was recreated, what was booked before is in no log any more.
      const newest = new Map(ofTheTopic.map(({ lane, topic }) => [lane, topic]));
      return ofTheTopic.filter(({ lane, topic }) => topic === newest.get(lane));
    },
    async close() {
      const admin = kafka.admin();
      try {
        await admin.connect();
        await admin.deleteGroups([groupId]);
      } catch (error) {
        // An empty group ends by itself, some days later.
        logger.debug({ err: error, groupId }, 'the group was not deleted');
      } finally {
        await admin.disconnect();
      }
    },
  };
}
