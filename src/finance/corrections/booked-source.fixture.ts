import { createHash } from 'node:crypto';
import { memorySource, PSEUDONYM_KEY } from '../../engine/engine.fixture.ts';
import { walkBatches } from '../../engine/read-again/walk-batches.ts';
import { ClickHouseEvidence } from '../../journal/evidence/clickhouse-evidence.ts';
import type { Store } from '../../platform/clickhouse/store.ts';
import { type LogRecord, sourceProof } from '../../platform/kafka/log-record.ts';
import type { TopicPartition } from '../../rating/lane.ts';
import { PLAIN_RULES } from '../../rating/record/record-limits.ts';
import type { Source } from '../../sources/source.ts';
import type { BookedSource } from './booked-source.ts';

/** A log, and the records that its source has. */
export interface SourceLog {
  log: TopicPartition;
  records: readonly LogRecord[];
}

/** Proves a record by its value. */
export function proveValue({ value }: LogRecord) {
  return sourceProof(value.length, createHash('sha256').update(value).digest('hex'));
}

/** What was booked of some logs, to be read again from memory, as much of all logs at once as a topic gives. */
export function bookedSource(
  store: Store,
  logs: readonly SourceLog[],
  overrides: Partial<BookedSource> = {},
): BookedSource {
  const topics = new Set(logs.map(({ log }) => log.topic));
  return {
    evidence: new ClickHouseEvidence(store),
    hasLane: () => true,
    readable: (batches) => batches.filter(({ topic }) => topics.has(topic)),
    walk: (batches, onMissing) =>
      walkBatches(
        batches,
        async (pass) => allOf(logs.filter(({ log }) => pass.some((batch) => isOf(batch, log)))),
        onMissing,
      ),
    pseudonymKey: PSEUDONYM_KEY,
    recordRules: PLAIN_RULES,
    ...overrides,
  };
}

function isOf(batch: { topic: string; partition: number }, log: TopicPartition): boolean {
  return batch.topic === log.topic && batch.partition === log.partition;
}

function allOf(logs: readonly SourceLog[]): Source {
  const sources = logs.map(({ log, records }) => memorySource(log, records, 7, proveValue));
  return {
    run: async (listener) => void (await Promise.all(sources.map((source) => source.run(listener)))),
    stop: async () => {},
    reassign: () => {},
    acknowledge: () => {},
  };
}
