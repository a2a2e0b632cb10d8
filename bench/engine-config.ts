import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { BookedBatch } from '../src/engine/book-batch.ts';
import { FLOW_RECORD_SCHEMA } from '../src/generator/encode-avro.ts';
import { packagePath } from '../src/platform/package-paths.ts';
import type { Command } from './child.ts';
import { catalogueYaml, SCHEMA_ID, TOPIC } from './throughput/dataset.ts';

export interface EngineSettings {
  broker: string;
  group: string;
  /** By default an embedded one of its own. */
  store?: { dir: string } | { url: string; database: string };
  /** 100 by default. */
  maxDelayMs?: number;
  /** Of the one process; 1 by default. */
  threads?: number;
  /** The Node.js that runs it; by default this one. */
  node?: string;
}

/** How the engine of the benchmarks fetches. */
export const FETCH = { maxBytesPerPartition: 8 * 2 ** 20, fetchWaitTimeoutMs: 100 };

/** An engine that reads the dataset's topic and says of each batch when it is booked. */
export async function engineCommand(settings: EngineSettings): Promise<Command> {
  const { broker, group, store, maxDelayMs = 100, threads = 1, node = process.execPath } = settings;
  const folder = await mkdtemp(join(tmpdir(), 'zerorate-bench-'));
  await writeFile(join(folder, 'catalogue.yaml'), catalogueYaml());
  await writeFile(join(folder, 'flow-record.avsc'), FLOW_RECORD_SCHEMA);
  const config = join(folder, 'zerorate.yaml');
  const kafka = {
    brokers: [broker],
    topic: TOPIC,
    groupId: group,
    ...FETCH,
    avro: { schemas: { [SCHEMA_ID]: 'flow-record.avsc' } },
  };
  await writeFile(
    config,
    stringify({
      catalogue: 'catalogue.yaml',
      source: { kafka },
      store: store ?? { dir: 'store' },
      // Larger batches than by default: an engine that is behind books the more at once the faster it gets on.
      batch: { maxRecords: 200_000, maxDelayMs },
      engine: { threads },
      quotaUpdates: { topic: `${group}-quota` },
    }),
  );
  return {
    command: node,
    args: [packagePath('dist/main.js'), 'run', '--config', config],
    env: { ZERORATE_LOG_LEVEL: 'debug', ZERORATE_PSEUDONYM_KEY: '5a'.repeat(32) },
  };
}

/** A batch as the engine's log has it, once it is booked and its quota updates are published. */
export interface BookedLine {
  time: string;
  partition: number;
  lastOffset: number;
  records: Record<'charged' | 'not_sponsored' | 'duplicate' | 'rejected', number>;
  durationMs: BookedBatch['durationMs'];
  waitedMs: BookedBatch['waitedMs'];
}

export function readBooked(line: string): BookedLine | null {
  return line.includes('"msg":"booked"') ? JSON.parse(line) : null;
}

export function countOf({ records }: BookedLine): number {
  return Object.values(records).reduce((sum, count) => sum + count, 0);
}
