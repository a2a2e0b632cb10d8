import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from '@clickhouse/client';
import { afterEach, expect, test } from 'vitest';
import { startClickHouseProcess } from '../../src/development/servers/clickhouse-process.ts';
import { startClickHouse } from './clickhouse-server.ts';

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function clientOf(url: string) {
  const client = createClient({ url });
  cleanups.push(() => client.close());
  return client;
}

test('a ClickHouse of any origin answers', async () => {
  const server = await startClickHouse();
  cleanups.push(server.stop);
  expect(await clientOf(server.url).ping({ select: true })).toMatchObject({ success: true });
});

test('a killed process comes back over its directory with all acknowledged rows', async () => {
  const path = await mkdtemp(join(tmpdir(), 'zerorate-test-'));
  cleanups.push(() => rm(path, { recursive: true, force: true }));
  const first = await startClickHouseProcess({ path });
  const client = clientOf(first.url);
  await client.command({ query: 'CREATE TABLE t (a UInt8) ENGINE = MergeTree ORDER BY a' });
  await client.insert({ table: 't', format: 'JSONEachRow', values: [{ a: 1 }, { a: 2 }] });
  await first.kill();

  const second = await startClickHouseProcess({ path });
  cleanups.push(second.stop);
  const result = await clientOf(second.url).query({ query: 'SELECT a FROM t ORDER BY a', format: 'JSONEachRow' });
  expect(await result.json()).toEqual([{ a: 1 }, { a: 2 }]);
});

test('a directory that is in use is refused', async () => {
  const path = await mkdtemp(join(tmpdir(), 'zerorate-test-'));
  cleanups.push(() => rm(path, { recursive: true, force: true }));
  const first = await startClickHouseProcess({ path });
  cleanups.push(first.stop);
  await expect(startClickHouseProcess({ path })).rejects.toMatchObject({ code: 'clickhouse_not_started' });
});
