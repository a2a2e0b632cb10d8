import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { finished } from 'node:stream/promises';
import { answerAsClickHouse, summaryOf } from '../../platform/clickhouse/clickhouse-answer.ts';
import { readRequest } from '../../platform/clickhouse/clickhouse-request.ts';
import { formatOf } from '../../platform/clickhouse/clickhouse-statement.ts';
import { type ChdbEngine, openChdbEngine } from './chdb-engine.ts';

/** ClickHouse's HTTP interface over the embedded engine. */
export interface ClickHouseHttp {
  /** For `createClient({ url })`. */
  url: string;
  /** Waits for the running statements. */
  stop(): Promise<void>;
}

export interface ClickHouseHttpOptions {
  /** Data directory; without it a temporary one, deleted at the end. No other process may have it open. */
  path?: string;
  /** 0 or absent: a free one. */
  port?: number;
  /** ClickHouse's own configuration (XML), for settings of a server: clusters, macros. */
  configFile?: string;
}

/**
 * Serves the part of the HTTP interface that `@clickhouse/client` uses, on the loopback interface, without a ClickHouse
 * server. Users and passwords are not checked; HTTP sessions, roles and compressed answers are missing; the summary of an
 * insert does not count the written rows. Runs in this process, which then can open no other data directory.
 */
export async function startClickHouseHttp(options: ClickHouseHttpOptions = {}): Promise<ClickHouseHttp> {
  const path = resolve(options.path ?? (await mkdtemp(join(tmpdir(), 'zerorate-clickhouse-'))));
  const engine = await openChdbEngine(path, options.configFile);
  const underWay = new Set<Promise<void>>();
  const server = createServer((request, response) => {
    const answered = answer(engine, request, response).finally(() => underWay.delete(answered));
    underWay.add(answered);
  });
  server.listen(options.port ?? 0, '127.0.0.1');
  await once(server, 'listening');

  async function stop(): Promise<void> {
    server.close();
    await Promise.all(underWay);
    server.closeAllConnections();
    await engine.stop();
    if (options.path === undefined) await rm(path, { recursive: true, force: true });
  }
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, stop };
}

async function answer(engine: ChdbEngine, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://localhost');
  if (url.pathname === '/ping') response.end('Ok.\n');
  else await answerAsClickHouse(engine, url, response, () => answerQuery(engine, request, url, response));
  // A disconnected client makes this reject; its statement is executed all the same, as on a server.
  await finished(response).catch(() => {});
}

async function answerQuery(
  engine: ChdbEngine,
  request: IncomingMessage,
  url: URL,
  response: ServerResponse,
): Promise<void> {
  const query = await readRequest(request, url);
  const result = await engine.execute(query);
  response.setHeader('X-ClickHouse-Format', formatOf(query.sql) ?? query.defaultFormat);
  response.setHeader('X-ClickHouse-Summary', summaryOf(result));
  response.end(result.bytes());
}
