import { Readable } from 'node:stream';
import { rootCertificates } from 'node:tls';
import { createClient } from '@clickhouse/client';
import type { TlsCertificates } from '../network/tls-files.ts';
import { type ClusterOptions, clusterSettings, inTurn, onCluster } from './server-cluster.ts';
import {
  guarded,
  literal,
  QUIET,
  queryRows,
  type Row,
  runCommand,
  type Store,
  StoreError,
  type StoreMode,
  streamResult,
} from './store.ts';

type ClickHouseSettings = NonNullable<Parameters<typeof createClient>[0]>;

export interface ServerStoreOptions {
  url: string;
  database: string;
  username: string;
  password: string;
  /** Null: one server. */
  cluster?: ClusterOptions | null;
  tls?: TlsCertificates;
  requestTimeoutMs?: number;
}

/** Connects to a ClickHouse server; makes the database when it is missing and `create` allows it. */
export async function openServerStore(options: ServerStoreOptions, { create, readOnly }: StoreMode): Promise<Store> {
  const { url, database, username, password, cluster = null, tls, requestTimeoutMs = 60_000 } = options;
  const common = { url, username, password, request_timeout: requestTimeoutMs, log: QUIET, ...tlsSettings(tls) };
  const settings = { ...(cluster !== null && clusterSettings(cluster)), ...(readOnly && { readonly: '2' }) };
  if (create) await createDatabase({ ...common, clickhouse_settings: settings }, database, cluster);
  const client = createClient({ ...common, database, clickhouse_settings: settings });
  const insert = async (query: string, block: readonly Uint8Array[]) => {
    const answer = await guarded(() => client.exec({ query, values: Readable.from(block, { objectMode: false }) }));
    // The statement is done when its answer has been read to the end.
    await guarded(async () => {
      for await (const _ of answer.stream);
    });
  };
  const booked = cluster === null ? insert : inTurn(insert);
  return {
    access: 'http',
    ...(cluster !== null && { cluster: cluster.name }),
    query: <T = Row>(sql: string) => queryRows<T>(client, sql),
    stream: (sql, format) => streamResult(client, sql, format),
    command: (sql) => runCommand(client, sql),
    insertBlock: (statement, structure, block) =>
      booked(`${statement(`input(${literal(structure)})`)} FORMAT Native`, block),
    close: () => client.close(),
  };
}

/** The client wants authorities wherever it has a certificate of its own. */
function tlsSettings({ ca, cert, key }: TlsCertificates = {}): Pick<ClickHouseSettings, 'tls'> {
  const ca_cert = Buffer.from(ca ?? rootCertificates.join('\n'));
  if (cert !== undefined && key !== undefined)
    return { tls: { ca_cert, cert: Buffer.from(cert), key: Buffer.from(key) } };
  return ca === undefined ? {} : { tls: { ca_cert } };
}

async function createDatabase(
  common: ClickHouseSettings & { url: string },
  database: string,
  cluster: ClusterOptions | null,
): Promise<void> {
  const client = createClient(common);
  try {
    // Who may only book may look: a database that is there is left alone.
    const name = `\`${database.replaceAll('`', '')}\``;
    const [{ result: isThere }] = await queryRows<{ result: number }>(client, `EXISTS DATABASE ${name}`);
    if (Number(isThere) === 1) return;
    await runCommand(client, `CREATE DATABASE IF NOT EXISTS ${name}${cluster === null ? '' : onCluster(cluster.name)}`);
  } catch (cause) {
    const { code, message, canRetry } = cause as StoreError;
    if (code !== 'store_unreachable') throw cause;
    throw new StoreError(code, `${common.url}: ${message}; is the server up, and store.url right?`, {
      cause,
      canRetry,
    });
  } finally {
    await client.close();
  }
}
