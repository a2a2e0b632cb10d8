import { Readable } from 'node:stream';
import { rootCertificates } from 'node:tls';
import { createClient } from '@clickhouse/client';
import { guarded, QUIET, queryRows, runCommand, streamResult } from './clickhouse-client.ts';
import { literal, type Row, type Store, type StoreMode } from './store.ts';
import { StoreError } from './store-error.ts';
import type { TlsCertificates } from './tls-files.ts';

type ClickHouseSettings = NonNullable<Parameters<typeof createClient>[0]>;

export interface ServerStoreOptions {
  url: string;
  database: string;
  username: string;
  password: string;
  tls?: TlsCertificates;
  requestTimeoutMs?: number;
}

/** Connects to a ClickHouse server; makes the database when it is missing and `create` allows it. */
export async function openServerStore(options: ServerStoreOptions, { create, readOnly }: StoreMode): Promise<Store> {
  const { url, database, username, password, tls, requestTimeoutMs = 60_000 } = options;
  const common = { url, username, password, request_timeout: requestTimeoutMs, log: QUIET, ...tlsSettings(tls) };
  if (create) await createDatabase(common, database);
  const client = createClient({ ...common, database, ...(readOnly && { clickhouse_settings: { readonly: '2' } }) });
  return {
    door: 'http',
    query: <T = Row>(sql: string) => queryRows<T>(client, sql),
    stream: (sql, format) => streamResult(client, sql, format),
    command: (sql) => runCommand(client, sql),
    async insertBlock(insert, structure, block) {
      const query = `${insert(`input(${literal(structure)})`)} FORMAT Native`;
      const answer = await guarded(() => client.exec({ query, values: Readable.from(block, { objectMode: false }) }));
      // The statement is done when its answer has been read to the end.
      await guarded(async () => {
        for await (const _ of answer.stream);
      });
    },
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

async function createDatabase(common: ClickHouseSettings & { url: string }, database: string) {
  const client = createClient(common);
  try {
    // Who may only book may look: a database that is there is left alone.
    const name = `\`${database.replaceAll('`', '')}\``;
    const [{ result: isThere }] = await queryRows<{ result: number }>(client, `EXISTS DATABASE ${name}`);
    if (Number(isThere) === 0) await runCommand(client, `CREATE DATABASE IF NOT EXISTS ${name}`);
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
