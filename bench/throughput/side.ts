import { FLOW_RECORD_SCHEMA } from '../../src/generator/encode-avro.ts';
import { type Command, script } from '../child.ts';
import { countOf, engineCommand, readBooked } from '../engine-config.ts';
import { TOPIC } from './dataset.ts';

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
  command(place: Place, group: string): Promise<Command>;
  /** Adds what a line of its output says; null for a line that says nothing. */
  read(line: string, before: SideTotals): SideTotals | null;
}

export const SIDES: readonly Side[] = [
  {
    name: 'kafkajs',
    what: 'kafkajs, eachBatch that does nothing',
    command: async ({ broker }, group) => beside('kafkajs-side.ts', [broker, group, 'nothing']),
    read: readTotals,
  },
  {
    name: 'kafkajs-avsc',
    what: 'kafkajs, every record decoded with avsc',
    command: async ({ broker }, group) => beside('kafkajs-side.ts', [broker, group, 'decode']),
    read: readTotals,
  },
  {
    name: 'zerorate',
    what: 'the engine, whole, with an embedded store',
    command: ({ broker }, group) => engineCommand({ broker, group }),
    read: (line, before) => {
      const booked = readBooked(line);
      if (booked === null) return null;
      return {
        records: before.records + countOf(booked),
        charged: (before.charged ?? 0) + booked.records.charged,
      };
    },
  },
  {
    name: 'clickhouse',
    what: "ClickHouse's Kafka engine with dictionaries and a view; no quota, not exactly once",
    command: async ({ broker, registry }, group) => beside('clickhouse-side.ts', [broker, group, registry]),
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

function beside(file: string, args: string[]): Command {
  return script(new URL(file, import.meta.url), args);
}

function readTotals(line: string): SideTotals | null {
  if (!line.startsWith('{')) return null;
  const totals = JSON.parse(line) as Record<string, string | number>;
  return Object.fromEntries(
    Object.entries(totals).map(([name, value]) => [name, Number(value)]),
  ) as unknown as SideTotals;
}
