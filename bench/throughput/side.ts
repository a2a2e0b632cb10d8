import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { FLOW_RECORD_SCHEMA } from '../../src/generator/encode-avro.ts';
import { packagePath } from '../../src/platform/package-paths.ts';
import { catalogueYaml, SCHEMA_ID, TOPIC } from './dataset.ts';

/** What all sides are given. */
export interface Place {
  broker: string;
  registry: string;
  /** Where the Streams side's classes and jars are. */
  streamsClassPath: string;
}

/** What a side has done so far; fields that it does not count are absent. */
export interface SideTotals {
  records: number;
  /** Octets of all records. */
  octets?: number;
  /** Records that a sponsor pays for. */
  charged?: number;
}

/** A process that reads the whole topic as a member of `group` and says on its standard output how far it is. */
export interface Side {
  name: string;
  what: string;
  command(place: Place, group: string): Promise<{ command: string; args: string[]; env?: Record<string, string> }>;
  /** Adds what a line of its output says; null for a line that says nothing. */
  read(line: string, before: SideTotals): SideTotals | null;
}

export const SIDES: readonly Side[] = [
  {
    name: 'kafkajs',
    what: 'kafkajs, eachBatch that does nothing',
    command: async ({ broker }, group) => script('kafkajs-side.ts', [broker, group, 'nothing']),
    read: readTotals,
  },
  {
    name: 'kafkajs-avsc',
    what: 'kafkajs, every record decoded with avsc',
    command: async ({ broker }, group) => script('kafkajs-side.ts', [broker, group, 'decode']),
    read: readTotals,
  },
  {
    name: 'zerorate',
    what: 'the engine, whole, with an embedded store',
    command: async ({ broker }, group) => ({
      command: process.execPath,
      args: [packagePath('dist/main.js'), 'run', '--config', await engineConfig(broker, group)],
      env: { ZERORATE_LOG_LEVEL: 'debug' },
    }),
    read: readBooked,
  },
  {
    name: 'clickhouse',
    what: "ClickHouse's Kafka engine with dictionaries and a view; no quota, not exactly once",
    command: async ({ broker, registry }, group) => script('clickhouse-side.ts', [broker, group, registry]),
    read: readTotals,
  },
  {
    name: 'streams',
    what: 'Kafka Streams, exactly_once_v2, quota in its state store, result to a topic',
    command: async ({ broker, streamsClassPath }, group) => ({
      command: 'java',
      args: [
        '-Xmx2g',
        '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn',
        '-cp',
        streamsClassPath,
        'Rate',
        broker,
        group,
        TOPIC,
      ],
      env: { FLOW_RECORD_SCHEMA },
    }),
    read: readTotals,
  },
];

function script(file: string, args: string[]): { command: string; args: string[] } {
  return {
    command: process.execPath,
    args: ['--import', 'tsx', fileURLToPath(new URL(file, import.meta.url)), ...args],
  };
}

function readTotals(line: string): SideTotals | null {
  if (!line.startsWith('{')) return null;
  const totals = JSON.parse(line) as Record<string, string | number>;
  return Object.fromEntries(
    Object.entries(totals).map(([name, value]) => [name, Number(value)]),
  ) as unknown as SideTotals;
}

/** The engine's log: one line for every batch that is booked and whose quota updates are published. */
function readBooked(line: string, before: SideTotals): SideTotals | null {
  if (!line.includes('"msg":"booked"')) return null;
  const { records } = JSON.parse(line) as { records: Record<string, number> };
  return {
    records: before.records + Object.values(records).reduce((sum, count) => sum + count, 0),
    charged: (before.charged ?? 0) + records.charged,
  };
}

/** Larger batches than by default: an engine that is behind books the more at once the faster it gets on. */
async function engineConfig(broker: string, group: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'zerorate-bench-'));
  await writeFile(join(folder, 'catalogue.yaml'), catalogueYaml());
  await writeFile(join(folder, 'flow-record.avsc'), FLOW_RECORD_SCHEMA);
  const config = join(folder, 'zerorate.yaml');
  await writeFile(
    config,
    `catalogue: catalogue.yaml
source:
  kafka:
    brokers: ["${broker}"]
    topic: ${TOPIC}
    groupId: ${group}
    maxOctetsPerPartition: 8388608
    maxWaitMs: 100
    avro: { schemas: { "${SCHEMA_ID}": flow-record.avsc } }
store: { dir: store }
batch: { maxRecords: 200000, maxDelayMs: 100 }
quotaUpdates: { topic: ${group}-quota }
`,
  );
  return config;
}
