import type { Kafka } from 'kafkajs';
import type { Decoder } from '../billing/decoder.ts';
import type { KafkaLogger } from '../platform/kafka.ts';
import type { SchemaLearner } from './schema-learner.ts';

/** How far one partition was handed over. */
export interface KafkaProgress {
  topic: string;
  partition: number;
  /** The last one handed over. */
  offset: number;
  /** The offset after the last record that the partition had when it was fetched: lag = highWatermark - offset - 1. */
  highWatermark: number;
}

export interface KafkaSourceOptions {
  kafka: Kafka;
  topic: string;
  groupId: string;
  decode: Decoder;
  /** Teaches `decode` the schemas that it does not know yet. Absent: there are none to be learnt. */
  schemas?: Pick<SchemaLearner, 'missingIdOf' | 'learn'>;
  /** A larger value is cut. */
  maxRecordOctets: number;
  sessionTimeoutMs: number;
  /** Default: a third of the session, at most 3 s. */
  heartbeatIntervalMs?: number;
  rebalanceTimeoutMs: number;
  /** Octets of one fetch from one partition. */
  maxBytesPerPartition: number;
  maxWaitTimeInMs: number;
  /** Default: as many as the topic has partitions when the source starts. */
  partitionsConsumedConcurrently?: number;
  logger: KafkaLogger;
  onProgress?: (progress: KafkaProgress) => void;
  /** Called whenever a broker has answered this client. */
  onAnswer?: () => void;
  /** Told whenever it changes: what keeps records from being read; null when they are, or when other members read them. */
  onProblem?: (problem: string | null) => void;
}
