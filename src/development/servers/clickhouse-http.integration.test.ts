import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { type ClickHouseClient, ClickHouseLogLevel, createClient } from '@clickhouse/client';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type ClickHouseHttp, startClickHouseHttp } from './clickhouse-http.ts';

let server: ClickHouseHttp;
let client: ClickHouseClient;
let table: string;
// These tests expect errors: the client need not log them.
const log = { level: ClickHouseLogLevel.OFF };

beforeAll(async () => {
  server = await startClickHouseHttp();
  client = createClient({ log, url: server.url });
});
afterAll(async () => {
  await client?.close();
  await server?.stop();
});
beforeEach(async () => {
  table = `t_${randomUUID().replaceAll('-', '')}`;
  await client.command({
    query: `CREATE TABLE ${table} (a UInt64, s String, d Date DEFAULT '2020-01-01') ENGINE = MergeTree ORDER BY a
      SETTINGS non_replicated_deduplication_window = 100`,
  });
});

async function rows<T>(query: string): Promise<T[]> {
  return (await client.query({ query, format: 'JSONEachRow' })).json<T>();
}

// Two columns, two rows: a UInt64 = 1, 2; s String = bytes that are no UTF-8, and a line end among them.
const NATIVE_BLOCK = Buffer.concat([
  Buffer.from([2, 2]),
  Buffer.from('\x01a\x06UInt64'),
  Buffer.from([1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0]),
  Buffer.from('\x01s\x06String'),
  Buffer.from([5, 0xff, 0xfe, 0x00, 0x0a, 0x80, 2, 0xc3, 0x28]),
]);

async function insertNative(settings = ''): Promise<void> {
  const { stream } = await client.exec({
    query: `INSERT INTO ${table} (a, s) SELECT a, s FROM input('a UInt64, s String') ORDER BY ALL ${settings} FORMAT Native`,
    values: Readable.from([NATIVE_BLOCK]),
  });
  stream.resume();
}

test('answers a ping and a query', async () => {
  expect(await client.ping()).toEqual({ success: true });
  expect(await client.ping({ select: true })).toMatchObject({ success: true });
  expect(await rows('SELECT toUInt8(number) AS n FROM numbers(3)')).toEqual([{ n: 0 }, { n: 1 }, { n: 2 }]);
});

test('inserts rows as JSON, with defaults and text beyond ASCII', async () => {
  const result = await client.insert({
    table,
    format: 'JSONEachRow',
    values: [
      { a: 1, s: 'é;\n' },
      { s: "it's", a: 2 },
    ],
  });
  expect(result.query_id).toMatch(/^[0-9a-f-]{36}$/);
  expect(await rows(`SELECT a::String AS a, s, d FROM ${table} ORDER BY a`)).toEqual([
    { a: '1', s: 'é;\n', d: '2020-01-01' },
    { a: '2', s: "it's", d: '2020-01-01' },
  ]);
});

test('a Native body keeps bytes that are no UTF-8, in and out', async () => {
  await insertNative();
  expect(await rows(`SELECT hex(s) AS s FROM ${table} ORDER BY a`)).toEqual([{ s: 'FFFE000A80' }, { s: 'C328' }]);
  const { stream } = await client.exec({ query: `SELECT a, s FROM ${table} ORDER BY a FORMAT Native` });
  expect(await buffer(stream)).toEqual(NATIVE_BLOCK);
});

test('a Native body after a plain insert, and compressed', async () => {
  const url = `${server.url}/?query=${encodeURIComponent(`INSERT INTO ${table} (a, s) FORMAT Native`)}`;
  const plain = await fetch(url, { method: 'POST', body: NATIVE_BLOCK });
  const headers = { 'Content-Encoding': 'gzip' };
  const gzipped = await fetch(url, { method: 'POST', headers, body: gzipSync(NATIVE_BLOCK) });
  expect([plain.status, gzipped.status]).toEqual([200, 200]);
  // The second block is the first again: a table with a deduplication window takes it once.
  expect(await rows(`SELECT hex(s) AS s FROM ${table} ORDER BY a`)).toEqual([{ s: 'FFFE000A80' }, { s: 'C328' }]);
});

test('the statement in the body, its binary data after it', async () => {
  const body = Buffer.concat([Buffer.from(`INSERT INTO ${table} (a, s) FORMAT Native\n`), NATIVE_BLOCK]);
  expect((await fetch(server.url, { method: 'POST', body })).status).toBe(200);
  expect(await rows(`SELECT count()::String AS n FROM ${table}`)).toEqual([{ n: '2' }]);
});

test('a deduplication token inside the statement: the second insert is ignored', async () => {
  await insertNative("SETTINGS insert_deduplication_token = 'x-0-41'");
  await insertNative("SETTINGS insert_deduplication_token = 'x-0-41'");
  expect(await rows(`SELECT count()::String AS n FROM ${table}`)).toEqual([{ n: '2' }]);
  await insertNative("SETTINGS insert_deduplication_token = 'x-0-42'");
  expect(await rows(`SELECT count()::String AS n FROM ${table}`)).toEqual([{ n: '4' }]);
});

test.each([
  ["SELECT throwIf(1, 'behind')", 500, '395', 'FUNCTION_THROW_IF_VALUE_IS_NON_ZERO'],
  ['SELECT * FROM nowhere', 404, '60', 'UNKNOWN_TABLE'],
  ['SELEC 1', 400, '62', 'SYNTAX_ERROR'],
  ['SELECT 1; SELECT 2', 400, '62', 'SYNTAX_ERROR'],
])('%s fails with status %i, code %s, type %s', async (query, status, code, type) => {
  await expect(client.command({ query })).rejects.toMatchObject({ code, type });
  const response = await fetch(server.url, { method: 'POST', body: query });
  expect([response.status, response.headers.get('x-clickhouse-exception-code')]).toEqual([status, code]);
  expect(await response.text()).toMatch(new RegExp(`^Code: ${code}\\. DB::Exception: .*\\(${type}\\) \\(version `));
});

test('a guard that fails inserts nothing', async () => {
  const query = `INSERT INTO ${table} (a, s) SELECT a, s FROM input('a UInt64, s String')
    WHERE throwIf((SELECT count() FROM ${table}) != 1, 'behind') = 0 FORMAT Native`;
  const insert = client.exec({ query, values: Readable.from([NATIVE_BLOCK]) });
  await expect(insert).rejects.toMatchObject({ code: '395' });
  expect(await rows(`SELECT count()::String AS n FROM ${table}`)).toEqual([{ n: '0' }]);
});

test.each([
  ['String', "tab\t line\n quote' back\\slash é"],
  ['Array(String)', ["it's", 'a\\b\tc']],
  ['Nullable(String)', null],
  ['Date', '2024-02-29'],
])('a parameter of type %s comes back unchanged', async (type, value) => {
  const query = `SELECT {value:${type}} AS value`;
  const result = await client.query({ query, query_params: { value }, format: 'JSONEachRow' });
  expect(await result.json()).toEqual([{ value }]);
});

test('a setting applies to its own query alone', async () => {
  const query = "SELECT value FROM system.settings WHERE name = 'max_block_size'";
  const [before] = await rows(query);
  const changed = await client.query({ query, format: 'JSONEachRow', clickhouse_settings: { max_block_size: '123' } });
  expect(await changed.json()).toEqual([{ value: '123' }]);
  await client.command({ query: 'SET max_block_size = 456' });
  expect(await rows(query)).toEqual([before]);
  const unknown = client.command({ query: 'SELECT 1', clickhouse_settings: { no_such_setting: '1' } });
  await expect(unknown).rejects.toMatchObject({ code: '115', type: 'UNKNOWN_SETTING' });
});

test('another database', async () => {
  await client.command({ query: 'CREATE DATABASE IF NOT EXISTS billing' });
  const other = createClient({ log, url: server.url, database: 'billing', username: 'anyone', password: 'x' });
  const result = await other.query({ query: 'SELECT currentDatabase() AS name', format: 'JSONEachRow' });
  expect(await result.json()).toEqual([{ name: 'billing' }]);
  await other.close();
  const missing = createClient({ log, url: server.url, database: 'missing' });
  await expect(missing.query({ query: 'SELECT 1' })).rejects.toMatchObject({ code: '81', type: 'UNKNOWN_DATABASE' });
  await missing.close();
});

test('requests run concurrently', async () => {
  const values = Array.from({ length: 20 }, (_, a) => ({ a, s: `row ${a}` }));
  await Promise.all(values.map((row) => client.insert({ table, format: 'JSONEachRow', values: [row] })));
  expect(await rows(`SELECT count()::String AS n FROM ${table}`)).toEqual([{ n: '20' }]);
});

test('the headers of an answer', async () => {
  const response = await fetch(`${server.url}/?query_id=q-1&default_format=CSV`, { method: 'POST', body: 'SELECT 1' });
  const names = ['query-id', 'format', 'timezone'].map((name) => response.headers.get(`x-clickhouse-${name}`));
  expect(names).toEqual(['q-1', 'CSV', expect.stringMatching(/./)]);
  expect(JSON.parse(response.headers.get('x-clickhouse-summary') ?? '')).toHaveProperty('read_rows');
  expect(await response.text()).toBe('1\n');
});
