import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer, text } from 'node:stream/consumers';
import { gunzipSync } from 'node:zlib';
import { type ClickHouseClient, ClickHouseLogLevel, createClient } from '@clickhouse/client';
import { drainPending } from 'chdb';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bookTwoMonths } from '../../../test/cli/booked-store.fixture.ts';
import { migrate } from '../../journal/migrate.ts';
import { openEmbeddedStore } from '../../platform/clickhouse/embedded-store.ts';
import { packagePath } from '../../platform/package-paths.ts';
import { type ServedStore, serveStore } from './portal-server.ts';
import { KEPT_SETTINGS } from './statement-rules.ts';

let directory: string;
let served: ServedStore;
let client: ClickHouseClient;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'zerorate-served-'));
  const store = await openEmbeddedStore(directory, { create: true });
  await migrate(store, packagePath('schemas/clickhouse'));
  await bookTwoMonths(store);
  await store.close();
  await drainPending();
  await writeFile(join(directory, 'secret.txt'), 'beyond-the-store');
  served = await serveStore(directory, 0);
  client = createClient({ url: served.url, log: { level: ClickHouseLogLevel.OFF } });
});
afterAll(async () => {
  await client?.close();
  await served?.stop();
  await rm(directory, { recursive: true });
});

const ask = (sql: string, parameters: Record<string, string> = {}) =>
  fetch(`${served.url}/?${new URLSearchParams(parameters)}`, { method: 'POST', body: sql });

interface Sent {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: string;
}

/** Sends a raw request, with headers that fetch would not send. */
function send(path: string, headers: Record<string, string>): Promise<Sent> {
  return new Promise((resolve, reject) => {
    request(`${served.url}${path}`, { headers }, async (response) => {
      resolve({ status: response.statusCode ?? 0, headers: response.headers, body: await text(response) });
    })
      .on('error', reject)
      .end();
  });
}

describe("ClickHouse's HTTP interface", () => {
  test('its client pings and asks, with parameters and settings of one query', async () => {
    expect(await client.ping()).toEqual({ success: true });
    const result = await client.query({
      query: 'SELECT sponsor_id, {n:UInt8} AS n FROM account_balances WHERE sponsor_id = {sponsor:String}',
      query_params: { sponsor: 'lumen', n: 7 },
      format: 'JSONEachRow',
      clickhouse_settings: { max_threads: 1 },
    });
    expect(await result.json()).toEqual([{ sponsor_id: 'lumen', n: 7 }]);
  });

  test.each<[string, () => Promise<Response>]>([
    ['GET', () => fetch(`${served.url}/?query=${encodeURIComponent('SELECT 1 AS one FORMAT CSVWithNames')}`)],
    ['POST', () => ask('SELECT 1 AS one', { default_format: 'CSVWithNames' })],
    [
      'a format in a header',
      () =>
        fetch(served.url, {
          method: 'POST',
          body: 'SELECT 1 AS one',
          headers: { 'X-ClickHouse-Format': 'CSVWithNames' },
        }),
    ],
    ['both', () => fetch(`${served.url}/?query=SELECT+1`, { method: 'POST', body: 'AS one FORMAT CSVWithNames' })],
  ])('%s', async (_, asked) => {
    const response = await asked();
    expect(await response.text()).toBe('"one"\n1\n');
    expect(response.headers.get('x-clickhouse-format')).toBe('CSVWithNames');
    expect(response.headers.get('content-type')).toBe('text/csv; charset=UTF-8');
    expect(JSON.parse(response.headers.get('x-clickhouse-summary') ?? '')).toHaveProperty('read_rows');
    expect(response.headers.get('x-clickhouse-timezone')).not.toBe('');
  });

  test.each([
    ['SELECT * FROM nowhere', 404, '60'],
    ['SELEC 1', 400, '62'],
    ['SELECT 1; SELECT 2', 400, '62'],
    ["SELECT throwIf(1, 'so')", 500, '395'],
    ['SELECT 1 SETTINGS no_such_setting = 1', 404, '115'],
  ])('%s fails with status %i and code %s', async (sql, status, code) => {
    const response = await ask(sql);
    expect([response.status, response.headers.get('x-clickhouse-exception-code')]).toEqual([status, code]);
    const body = await response.text();
    expect(body).toMatch(new RegExp(`^Code: ${code}\\. DB::Exception: .*\\(version [\\d.]+ `, 's'));
    expect(body).not.toContain('formatQuery');
  });

  test('another database, and an unknown one', async () => {
    expect(await (await ask('SELECT count() > 0 FROM tables', { database: 'system' })).text()).toBe('1\n');
    expect((await ask('SELECT 1', { database: 'missing' })).headers.get('x-clickhouse-exception-code')).toBe('81');
  });

  test.each(['gzip', 'br, gzip;q=0.5'])('an answer is compressed on request (%s)', async (encodings) => {
    const body = await new Promise<Buffer>((resolve) => {
      request(
        `${served.url}/?query=${encodeURIComponent('SELECT number FROM numbers(1000) FORMAT CSV')}`,
        { headers: { 'accept-encoding': `zstd, ${encodings}` } },
        async (response) => {
          expect(response.headers['content-encoding']).toBe('gzip');
          resolve(await buffer(response));
        },
      ).end();
    });
    expect(gunzipSync(body).toString().trim().split('\n')).toHaveLength(1000);
  });

  test('without encodings, and where they are switched off, it is uncompressed', async () => {
    const plain = await send('/?query=SELECT+1', {});
    const off = await send('/?query=SELECT+1&enable_http_compression=0', { 'accept-encoding': 'gzip' });
    const refused = await send('/?query=SELECT+1', { 'accept-encoding': 'br, gzip;q=0' });
    expect([plain, off, refused].map(({ body, headers }) => [body, headers['content-encoding']])).toEqual([
      ['1\n', undefined],
      ['1\n', undefined],
      ['1\n', undefined],
    ]);
  });

  test('Native for a client of a protocol version that the engine does not write is refused', async () => {
    const answerTo = (version: number) => send(`/?query=SELECT+1+FORMAT+Native&client_protocol_version=${version}`, {});
    // clickhouse-connect finds that its own is not written, and continues without.
    expect((await answerTo(54_405)).status).toBe(200);
    const { status, body } = await answerTo(54_460);
    expect([status, body]).toEqual([501, expect.stringMatching(/client_protocol_version 54460 is not supported/)]);
  });

  test('queries run concurrently', async () => {
    const answers = await Promise.all(
      Array.from({ length: 20 }, async (_, at) => (await ask(`SELECT ${at} + sleep(0.05)`)).text()),
    );
    expect(answers).toEqual(answers.map((_, at) => `${at}\n`));
  });
});

describe('nothing is changed, and nothing beyond the store is reached', () => {
  const refusals = (file: string): string[] => [
    'INSERT INTO account_entries (number) SELECT 99',
    'TRUNCATE TABLE journal',
    'ALTER TABLE journal DELETE WHERE 1',
    'DROP VIEW charges',
    'CREATE TABLE mine (a UInt8) ENGINE = Memory',
    'CREATE TEMPORARY TABLE mine (a UInt8) ENGINE = Memory',
    'SET readonly = 0',
    'SELECT 1 SETTINGS readonly = 0',
    'SYSTEM FLUSH LOGS',
    'KILL QUERY WHERE 1',
    `SELECT * FROM file('${file}', LineAsString)`,
    `SELECT file('${file}')`,
    `SELECT \`file\`('${file}')`,
    `SELECT * APPLY(file) FROM (SELECT '${file}')`,
    `SELECT * FROM eval('SELECT file(''${file}'')') SETTINGS allow_experimental_eval_table_function = 1`,
    `SELECT 1 INTO OUTFILE '${file}.out'`,
    `SELECT 1 INTO OUTFILE '${file}' TRUNCATE`,
    `INSERT INTO FUNCTION file('${file}.out', CSV, 'a String') SELECT 'x'`,
    `SELECT 1 AS a FORMAT Template SETTINGS format_template_row = '${file}'`,
    `SELECT 1 AS a FORMAT Protobuf SETTINGS format_schema = '${file}:X'`,
    `SELECT * FROM format(CSV, 'a UInt8', 'x') SETTINGS input_format_record_errors_file_path = '${file}.out', input_format_allow_errors_num = 1`,
    `SELECT * FROM filesystem('${file}')`,
    `SELECT * FROM icebergLocal('${file}')`,
    `SELECT * FROM deltaLakeLocal('${file}')`,
    `SELECT * FROM sqlite('${file}', 't')`,
    `SELECT * FROM fileCluster('default', '${file}', LineAsString)`,
    "SELECT * FROM url('http://127.0.0.1:9/', LineAsString)",
    "SELECT * FROM s3('http://127.0.0.1:9/bucket/x', CSV, 'a String')",
    "SELECT * FROM azureBlobStorage('http://127.0.0.1:9', 'a', 'b', 'c', 'd', 'CSV', 'auto', 'a String')",
    "SELECT * FROM hdfs('hdfs://127.0.0.1:9/x', CSV, 'a String')",
    "SELECT * FROM remote('127.0.0.1', system.one)",
    "SELECT * FROM mysql('127.0.0.1:9', 'a', 'b', 'c', 'd')",
    "SELECT * FROM postgresql('127.0.0.1:9', 'a', 'b', 'c', 'd')",
    "SELECT * FROM mongodb('127.0.0.1:9', 'a', 'b', 'c', 'd', 'e String')",
    "SELECT * FROM redis('127.0.0.1:9', 'k', 'k String')",
    "SELECT * FROM odbc('DSN=x', 'a', 'b')",
    "SELECT * FROM executable('x.sh', TSV, 'a String')",
    "SELECT aiGenerate('x', 'y') SETTINGS allow_experimental_ai_functions = 1",
    'SELECT * FROM system.users',
    'SELECT addressToSymbol(1)',
  ];

  test.each(refusals('@secret'))('refused: %s', async (sql) => {
    const file = join(directory, 'secret.txt');
    const response = await ask(sql.replaceAll('@secret', file));
    expect(response.status).toBeGreaterThanOrEqual(400);
    const body = await response.text();
    expect(body).toMatch(/^Code: \d+\. DB::Exception/);
    expect(body).not.toContain('beyond-the-store');
    expect(existsSync(`${file}.out`)).toBe(false);
  });

  test.each(KEPT_SETTINGS)('%s cannot be set, in the statement and beside it', async (name) => {
    const value = name === 'dialect' ? 'kusto' : '1';
    const codes = [await ask(`SELECT 1 SETTINGS ${name} = '${value}'`), await ask('SELECT 1', { [name]: value })].map(
      (response) => response.headers.get('x-clickhouse-exception-code'),
    );
    expect(codes).toEqual(['452', '452']);
  });

  /** Every new one of a newer ClickHouse must be reviewed before the lists here grow. */
  test('no setting names a file or an address but the fixed ones and harmless ones', async () => {
    const harmless = new Set([
      // They name what only tables or functions use that the user has no right to, or a cache.
      's3queue_default_zookeeper_path',
      'filesystem_cache_name',
      'distributed_cache_file_cache_name',
      'file_like_engine_default_partition_strategy',
      'local_filesystem_read_method',
      'remote_filesystem_read_method',
      'storage_file_read_method',
      'temporary_files_codec',
      'trace_profile_events_list',
      'jemalloc_profile_text_output_format',
      // Inline texts.
      'column_names_for_schema_inference',
      'schema_inference_hints',
      'schema_inference_mode',
      'format_schema_message_name',
      'format_template_row_format',
      'format_template_resultset_format',
      'format_template_rows_between_delimiter',
    ]);
    const sql =
      "SELECT name FROM system.settings WHERE match(name, 'path|file|template|schema|url|directory|socket|command') " +
      "AND type NOT IN ('Bool', 'UInt64', 'Int64', 'Float', 'Seconds', 'Milliseconds', 'NonZeroUInt64', 'MaxThreads', 'BoolAuto', 'UInt64Auto') AND NOT is_obsolete";
    const names = (await (await ask(sql)).text()).trim().split('\n');
    const kept = new Set<string>(KEPT_SETTINGS);
    expect(names.filter((name) => !kept.has(name) && !harmless.has(name))).toEqual([]);
  });

  test('the user has only the right to read', async () => {
    const grants = (await (await ask('SHOW GRANTS')).text()).trim().split('\n');
    for (const grant of grants)
      expect(grant).toMatch(/^GRANT (SHOW \w+|SELECT(\([^()]+\))?)(, (SHOW \w+|SELECT))* ON /);
    expect(await (await ask("SELECT getSetting('readonly')")).text()).toBe('2\n');
  });

  test('nothing was changed, and a taken port leaves no configuration folder behind', async () => {
    expect(await (await ask('SELECT count() FROM account_entries')).text()).toBe('4\n');
    const before = (await readdir(tmpdir())).filter((name) => name.startsWith('zerorate-serve-'));
    const port = Number(new URL(served.url).port);
    await expect(serveStore(directory, port)).rejects.toThrow(`port ${port} cannot be listened on`);
    expect((await readdir(tmpdir())).filter((name) => name.startsWith('zerorate-serve-'))).toEqual(before);
  });
});

describe('only this machine has access, and no page of another site', () => {
  test.each<[string, Record<string, string>]>([
    ['a host of another name', { host: 'evil.example' }],
    ['another origin', { origin: 'http://evil.example' }],
    ['another site', { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' }],
  ])('%s is refused', async (_, headers) => {
    for (const path of ['/?query=SELECT+1', '/', '/ping', '/sponsors/lumen']) {
      const { status, headers: answered } = await send(path, headers);
      expect(status).toBe(403);
      expect(answered['access-control-allow-origin']).toBeUndefined();
    }
  });

  test('no other method, and no preflight', async () => {
    for (const method of ['OPTIONS', 'PUT', 'DELETE']) {
      expect((await fetch(served.url, { method })).status).toBe(405);
    }
  });

  test('it listens on the loopback interface only', () => {
    expect(served.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
  });
});
