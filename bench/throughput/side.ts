import { FLOW_RECORD_SCHEMA } from '../../src/generator/encode-avro.ts';
import { type Command, script } from '../child.ts';
import { countOf, engineCommand, readBooked } from '../engine-config.ts';
import { TOPIC } from './dataset.ts';
import { peerApplications } from './go-side.ts';

/** What all sides are given. */
export interface Place {
  broker: string;
  registry: string;
  /** The Node.js that runs the sides written for it. */
  node: string;
  /** The Go side's program. */
  peer: string;
  /** Where the Streams side's classes and jars are. */
  streamsClassPath: string;
}

/** What a side has done so far; fields that it does not count are absent. */
export interface SideTotals {
  records: number;
  /** Octets of all records. */
  octets?: number;
  /** Of all messages' values. */
  valueBytes?: number;
  /** Records that a sponsor pays for. */
  charged?: number;
  /** What the sponsors pay for them. */
  chargeMicros?: number;
}

/** A process that reads the whole topic as a member of `group` and says on its standard output how far it is. */
export interface Side {
  name: string;
  what: string;
  /** What its figures leave out, beside those of the engine. */
  caveat?: string;
  /** It writes to a ClickHouse in a process of its own, whose CPU time is measured apart. */
  hasStoreServer?: true;
  /** Run there at the end: its row is the side's totals, instead of what the side has said. */
  totalsQuery?: string;
  /** `storeUrl` is empty without `hasStoreServer`. */
  command(place: Place, group: string, storeUrl: string): Promise<Command>;
  /** Adds what a line of its output says; null for a line that says nothing. */
  read(line: string, before: SideTotals): SideTotals | null;
}

export const SIDES: readonly Side[] = [
  {
    name: 'framing',
    what: "the engine's own fetch: every record is framed, and nothing is done with it",
    command: async ({ broker, node }, group) => beside('framing-side.ts', [broker, group], node),
    read: readTotals,
  },
  {
    name: 'kafkajs',
    what: 'kafkajs, eachBatch that does nothing',
    command: async ({ broker, node }, group) => beside('kafkajs-side.ts', [broker, group, 'nothing'], node),
    read: readTotals,
  },
  {
    name: 'kafkajs-avsc',
    what: 'kafkajs, every record decoded with avsc',
    command: async ({ broker, node }, group) => beside('kafkajs-side.ts', [broker, group, 'decode'], node),
    read: readTotals,
  },
  {
    name: 'zerorate',
    what: 'the engine, whole, with an embedded store',
    command: ({ broker, node }, group) => engineCommand({ broker, group, node }),
    read: addBooked,
  },
  {
    name: 'zerorate-http',
    what: 'the engine, whole, with its store in a process of its own, over HTTP',
    caveat: 'the store is the test fixture over chdb, under the Node.js of the benchmark itself',
    hasStoreServer: true,
    command: ({ broker, node }, group, storeUrl) =>
      engineCommand({ broker, group, node, store: { url: storeUrl, database: 'zerorate' } }),
    read: addBooked,
  },
  {
    name: 'go',
    what: 'the same work in Go with franz-go, Native blocks to a store in a process of its own; not exactly once',
    caveat:
      'compare it with zerorate-http, which has the same kind of store. It writes 11 columns a charge and one currency, reads one ' +
      'Avro schema without validating values, knows no conflicting or late records, plan versions, tiers, content types, ' +
      'or IPv6, has a plain HMAC as the pseudonym, recovers no counters, and sends quota updates without a ' +
      'transaction (the whole list: bench/throughput/go/main.go)',
    hasStoreServer: true,
    totalsQuery:
      "SELECT count() AS records, sum(octets) AS octets, countIf(application_id != '') AS charged, sum(charge_micros) AS chargeMicros FROM charges",
    command: async ({ broker, peer }, group, storeUrl) => ({
      command: peer,
      args: [broker, group, TOPIC, storeUrl],
      env: { APPLICATIONS: peerApplications() },
    }),
    read: readTotals,
  },
  {
    name: 'clickhouse',
    what: "ClickHouse's Kafka engine with dictionaries and a view; no quota, not exactly once",
    command: async ({ broker, registry, node }, group) => beside('clickhouse-side.ts', [broker, group, registry], node),
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

function beside(file: string, args: string[], node: string): Command {
  return script(new URL(file, import.meta.url), args, node);
}

function addBooked(line: string, before: SideTotals): SideTotals | null {
  const booked = readBooked(line);
  if (booked === null) return null;
  return { records: before.records + countOf(booked), charged: (before.charged ?? 0) + booked.records.charged };
}

export function readTotals(line: string): SideTotals | null {
  if (!line.startsWith('{')) return null;
  const totals = JSON.parse(line) as Record<string, string | number>;
  return Object.fromEntries(
    Object.entries(totals).map(([name, value]) => [name, Number(value)]),
  ) as unknown as SideTotals;
}
