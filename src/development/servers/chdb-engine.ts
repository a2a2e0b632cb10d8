import { randomUUID } from 'node:crypto';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type ChdbResult, drainPending, Session } from 'chdb';
import type { ClickHouseRequest } from '../../platform/clickhouse/clickhouse-request.ts';
import { literal } from '../../platform/clickhouse/store.ts';
import { readFromFile } from './staged-insert.ts';

/** ClickHouse in this process, used like a server: every request has its own session. */
export interface ChdbEngine {
  version: string;
  timezone: string;
  execute(request: ClickHouseRequest): Promise<ChdbResult>;
  /** Call it when no request is running. */
  stop(): Promise<void>;
}

/** Opens the data directory at `path`. A process can open only one, and a directory belongs to one process at a time. */
export async function openChdbEngine(path: string, configFile?: string): Promise<ChdbEngine> {
  // The engine runs while a session is open: this one keeps it running between requests.
  const anchor = new Session(path, { connectionArgs: configFile === undefined ? [] : [`--config-file=${configFile}`] });
  const staging = join(path, 'http-staging');
  await mkdir(staging, { recursive: true });
  const facts = await anchor.queryAsync('SELECT version(), timezone()', { format: 'TabSeparated' });
  const [version = '', timezone = ''] = facts.text().trim().split('\t');

  async function stop(): Promise<void> {
    anchor.close();
    await drainPending();
    await rm(staging, { recursive: true, force: true });
  }
  return { version, timezone, execute: (request) => executeAlone(path, staging, request), stop };
}

// chdb keeps the effects of SET and USE for the life of a session. A session costs about two milliseconds, so every request
// gets a new one: no effect leaks into the next request, and requests run concurrently as on a server.
async function executeAlone(path: string, staging: string, request: ClickHouseRequest): Promise<ChdbResult> {
  const session = new Session(path);
  const file = join(staging, randomUUID());
  try {
    if (request.database !== null) await session.queryAsync(`USE ${quoteName(request.database)}`);
    for (const [name, value] of request.settings)
      await session.queryAsync(`SET ${quoteName(name)} = ${literal(value)}`);
    const sql = await stage(request, file);
    return await session.queryAsync(sql, { format: request.defaultFormat });
  } finally {
    session.close();
    await rm(file, { force: true });
  }
}

/** Writes the data to a file: statements as text cannot carry binary data to chdb. */
async function stage({ sql, data }: ClickHouseRequest, file: string): Promise<string> {
  const staged = data.length === 0 ? null : readFromFile(sql, file);
  if (staged === null) return data.length === 0 ? sql : `${sql}\n${data.toString('utf8')}`;
  await writeFile(file, data);
  return staged;
}

function quoteName(name: string): string {
  return `\`${name.replaceAll('\\', '\\\\').replaceAll('`', '\\`')}\``;
}
