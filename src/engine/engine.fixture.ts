import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ClickHouseCluster, startClickHouseCluster } from '../../test/servers/clickhouse-cluster.ts';
import { startClickHouse } from '../../test/servers/clickhouse-server.ts';
import { ClickHouseJournal } from '../journal/clickhouse-journal.ts';
import type { QuotaPublisher } from '../journal/journal.ts';
import { migrate } from '../journal/migrate.ts';
import { openEmbeddedStore } from '../platform/clickhouse/embedded-store.ts';
import { onCluster } from '../platform/clickhouse/server-cluster.ts';
import { openServerStore } from '../platform/clickhouse/server-store.ts';
import type { Store } from '../platform/clickhouse/store.ts';
import { systemClock } from '../platform/clock.ts';
import { LogRecord, type ProveRecord } from '../platform/kafka/log-record.ts';
import { packagePath } from '../platform/package-paths.ts';
import type { Catalogue } from '../rating/catalogue.ts';
import { decodeJson } from '../rating/decode/decode-json.ts';
import type { FlowRecord } from '../rating/flow-record.ts';
import type { TopicPartition } from '../rating/lane.ts';
import { prepareCatalogue } from '../rating/prepared-catalogue.ts';
import type { QuotaUpdate } from '../rating/quota-updates.ts';
import { PLAIN_RULES } from '../rating/record/record-limits.ts';
import { PseudonymKey } from '../rating/subscribers.ts';
import type { Source } from '../sources/source.ts';
import type { WorkerSettings } from './book-batch.ts';
import { Engine, type EngineOptions, type RunTotals } from './engine.ts';

export const PSEUDONYM_KEY = PseudonymKey.ofRoot(Buffer.alloc(32, 7));

export interface OpenedStore {
  store: Store;
  close(): Promise<void>;
}

/** Both kinds of store, each of its own that is gone after `close`; and a cluster, which is behind the second of them. */
export const OPEN_STORE: Record<Store['access'] | 'cluster', () => Promise<OpenedStore>> = {
  async embedded() {
    const directory = await mkdtemp(join(tmpdir(), 'zerorate-store-'));
    const store = await openEmbeddedStore(directory, { create: true });
    await migrate(store, packagePath('schemas/clickhouse'));
    return {
      store,
      async close() {
        await store.close();
        await rm(directory, { recursive: true });
      },
    };
  },
  async http() {
    const server = await startClickHouse();
    const account = { url: server.url, username: 'default', password: '' };
    const database = `zerorate_test_${process.pid}`;
    const store = await openServerStore({ ...account, database }, { create: true });
    await migrate(store, packagePath('schemas/clickhouse'));
    return {
      store,
      async close() {
        await store.command(`DROP DATABASE ${database}`);
        await store.close();
        await server.stop();
      },
    };
  },
  async cluster() {
    const cluster = await startClickHouseCluster();
    const store = await openClusterStore(cluster, `zerorate_test_${process.pid}`);
    return {
      store,
      async close() {
        await store.close();
        await cluster.stop();
      },
    };
  },
};

/** Makes the database in the form that the cluster takes, and opens it at one of its servers. */
export async function openClusterStore(cluster: ClickHouseCluster, database: string, server = 0): Promise<Store> {
  const { name, username, password, urls, taken } = cluster;
  const account = { url: urls[server] ?? urls[0], username, password };
  const system = await openServerStore({ ...account, database: 'default' }, { create: false });
  await system.command(taken(`CREATE DATABASE IF NOT EXISTS ${database}${onCluster(name)}`));
  await system.close();
  const options = { ...account, database, cluster: { name, quorum: 'auto' as const } };
  const store = await openServerStore(options, { create: false });
  await migrate({ ...store, command: (sql) => store.command(taken(sql)) }, packagePath('schemas/clickhouse'));
  return store;
}

/** A source that hands over records from memory, from the offset that the engine asks for. */
export function memorySource(
  log: TopicPartition,
  records: readonly LogRecord[],
  chunkRecords = 7,
  prove?: ProveRecord,
): Source {
  return {
    async run(listener) {
      const next = await listener.assign(log, async () => null);
      const rest = records.filter(({ offset }) => offset >= next);
      for (let at = 0; at < rest.length; at += chunkRecords) {
        await listener.deliver(log, rest.slice(at, at + chunkRecords), decodeJson, prove);
      }
      await listener.flush(log);
      await listener.revoke(log);
    },
    stop: async () => {},
    reassign: () => {},
    acknowledge: () => {},
  };
}

/** Flow records as a Kafka topic has them: JSON, keyed by MSISDN. */
export function rawRecords(records: readonly FlowRecord[], timestampMs: number, firstOffset = 0): LogRecord[] {
  return records.map((record, index) =>
    LogRecord.of({
      offset: firstOffset + index,
      timestampMs: timestampMs + index,
      key: Buffer.from(record.servedMsisdn),
      value: Buffer.from(JSON.stringify(record)),
    }),
  );
}

/** The same record at another place of a log. */
export function recordAt({ timestampMs, key, value }: LogRecord, offset: number): LogRecord {
  return LogRecord.of({ offset, timestampMs, key, value });
}

export function memoryPublisher(published: QuotaUpdate[] = []): QuotaPublisher & { published: QuotaUpdate[] } {
  return {
    published,
    start: async () => {},
    claim: async () => {},
    publish: async (_lane, updates) => void published.push(...updates),
    stop: async () => {},
  };
}

/** What engines of tests work with. */
export const TEST_SETTINGS: WorkerSettings = {
  maxRecords: 50,
  maxBytes: 1 << 20,
  maxDelayMs: 10_000,
  rejectionPayloadBytes: 4096,
  recordRules: PLAIN_RULES,
  duplicateWindowRecords: 1000,
  pseudonymKey: PSEUDONYM_KEY,
  acceptGaps: false,
};

/** Runs an engine over a source until its end. */
export function runEngine(
  options: Pick<EngineOptions, 'source'> & {
    store: Store;
    catalogue: Catalogue;
    maxRecords?: number;
  } & Omit<Partial<EngineOptions>, 'catalogue'>,
): Promise<RunTotals> {
  return new Engine({
    journal: new ClickHouseJournal(options.store),
    publisher: memoryPublisher(),
    clock: systemClock,
    retry: { firstDelayMs: 10, maxDelayMs: 100, giveUpAfterMs: 5000 },
    settings: { ...TEST_SETTINGS, ...(options.maxRecords !== undefined && { maxRecords: options.maxRecords }) },
    ...options,
    catalogue: prepareCatalogue(options.catalogue),
  }).run();
}
