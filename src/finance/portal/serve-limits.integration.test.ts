import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { drainPending } from 'chdb';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bookTwoMonths } from '../../../test/cli/booked-store.fixture.ts';
import { migrate } from '../../journal/migrate.ts';
import { openEmbeddedStore } from '../../platform/clickhouse/embedded-store.ts';
import { packagePath } from '../../platform/package-paths.ts';
import { HOSTILE_STATEMENTS } from './hostile-statements.fixture.ts';
import { type ServedStore, serveStore } from './portal-server.ts';
import { defaultLimits, type QueryLimits, residentLimitBytes } from './query-limits.ts';
import { HIDDEN_SYSTEM_TABLES, isDeniedCall, TABLE_FUNCTIONS } from './statement-rules.ts';

const GIB = 2 ** 30;
const SECRET = 'beyond-the-store';
const AT_ONCE = 6;
const FAULT = /Code: \d+\. DB::Exception: .+\(version [\d.]+ /s;

/** The default limits of a machine of 4 GiB, with a shorter time-out. */
const LIMITS: QueryLimits = { ...defaultLimits(4 * GIB), maxThreads: 2, executionTimeoutMs: 4000 };

const SHOWN_SYSTEM_TABLES = (
  'aggregate_function_combinators build_options codecs collations columns completions constraints contributors ' +
  'current_roles data_skipping_index_types data_skipping_indices data_type_families database_engines databases ' +
  'dictionaries dictionary_layouts dictionary_sources disk_types documentation enabled_roles formats functions ' +
  'grants graphite_retentions keywords licenses numbers numbers_mt one parts parts_columns primes privileges ' +
  'projection_parts projection_parts_columns projections settings settings_changes table_engines table_functions ' +
  'tables time_zones tokenizers unicode zeros zeros_mt'
).split(' ');

let directory: string;
let served: ServedStore;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'zerorate-hostile-'));
  const store = await openEmbeddedStore(directory, { create: true });
  await migrate(store, packagePath('schemas/clickhouse'));
  await bookTwoMonths(store);
  await store.close();
  await drainPending();
  await writeFile(join(directory, 'secret.txt'), SECRET);
  served = await serveStore(directory, 0, LIMITS);
});
afterAll(async () => {
  await served?.stop();
  await rm(directory, { recursive: true, force: true });
});

const post = (sql: string, parameters: Record<string, string> = {}, signal?: AbortSignal) =>
  fetch(`${served.url}/?${new URLSearchParams(parameters)}`, { method: 'POST', body: sql, ...(signal && { signal }) });
const one = async (sql: string) => (await (await post(sql)).text()).trim();

/** Returns the engine's processes: children of this one that have the store open. */
function engines(): string[] {
  const children = readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').trim().split(' ');
  return children.filter((pid) => /engine-process-main/.test(readFileSync(`/proc/${pid}/cmdline`, 'utf8')));
}

interface Answered {
  sql: string;
  may: 'refused' | 'bounded';
  status: number;
  /** The last part that arrived. */
  end: string;
  octets: number;
  isWhole: boolean;
}

/** Includes the bytes that arrive before a connection breaks, which fetch drops. */
function answerOf(sql: string, may: Answered['may']): Promise<Answered> {
  const text = sql.replaceAll('@secret', join(directory, 'secret.txt')).replaceAll('@out', join(directory, 'out'));
  return new Promise((resolve, reject) => {
    const asked = request(served.url, { method: 'POST' }, (response) => {
      let end = '';
      let octets = 0;
      response.on('data', (part: Buffer) => {
        octets += part.length;
        end = (end + part.toString('latin1')).slice(-20_000);
      });
      response.on('error', () => {});
      response.on('close', () =>
        resolve({ sql, may, status: response.statusCode ?? 0, end, octets, isWhole: response.complete }),
      );
    });
    asked.on('error', reject).end(text);
  });
}

test('hostile statements, six at a time, are refused or bounded, with a clear error, and the store is as it was', async () => {
  const before = await one('SELECT count(), sum(number) FROM account_entries');
  const waiting = [...HOSTILE_STATEMENTS];
  const answers: Answered[] = [];
  let peakBytes = 0;
  const watch = setInterval(() => {
    for (const pid of engines()) {
      const kib = Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
      peakBytes = Math.max(peakBytes, kib * 1024);
    }
  }, 100);
  const ask = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) answers.push(await answerOf(...next));
  };
  await Promise.all(Array.from({ length: AT_ONCE }, ask)).finally(() => clearInterval(watch));

  expect(answers).toHaveLength(HOSTILE_STATEMENTS.length);
  const open = answers.filter(({ may, status, end }) => may === 'refused' && (status < 400 || !FAULT.test(end)));
  expect(open.map(({ sql }) => sql)).toEqual([]);
  const unclear = answers.filter(({ status, end, isWhole }) => (status >= 400 || !isWhole) && !FAULT.test(end));
  expect(unclear.map(({ sql, end }) => [sql, end.slice(-300)])).toEqual([]);
  const unbounded = answers.find(({ sql }) => sql === 'SELECT number FROM system.numbers');
  expect(unbounded?.end).toMatch(/Limit for result exceeded|Timeout exceeded/);
  expect(answers.filter(({ end }) => end.includes(SECRET))).toEqual([]);
  expect(Math.max(...answers.map(({ octets }) => octets))).toBeLessThan(LIMITS.maxResultBytes * 1.1);

  expect(await one('SELECT count(), sum(number) FROM account_entries')).toBe(before);
  expect([await readFile(join(directory, 'secret.txt'), 'utf8'), existsSync(join(directory, 'out'))]).toEqual([
    SECRET,
    false,
  ]);
  // It did not crash, and was never ended for its memory: what ended queries have freed is not added to what others take. On a busy
  // machine it may have taken too long over a cancelled query.
  const ends = answers.flatMap(({ end }) => /The engine (.+?); it is being restarted/.exec(end)?.[1] ?? []);
  expect(ends.filter((why) => why !== 'did not cancel a query and was ended')).toEqual([]);
  expect(peakBytes).toBeLessThan(residentLimitBytes(LIMITS) * 0.9);
}, 170_000);

test('every table function is listed: it generates rows or reads the store, or is refused', async () => {
  const names = (await one('SELECT name FROM system.table_functions')).split('\n');
  const harmless = new Set<string>(TABLE_FUNCTIONS);
  expect(names.length).toBeGreaterThan(80);
  expect(names.filter((name) => isDeniedCall(name) === harmless.has(name))).toEqual([]);
});

test('tables of system about the machine are empty under every other name', async () => {
  expect(await one('SELECT * FROM disks').then((text) => text.includes('Code: 60.'))).toBe(true);
  for (const table of ['disks', 'processes', 'server_settings', 'stack_trace', 'clusters']) {
    expect(await (await post(`SELECT count() FROM ${table}`, { database: 'system' })).text()).toBe('0\n');
    expect(await one(`SELECT count() FROM merge('system', '^${table}$')`)).toBe('0');
    const named = await post('SELECT count() FROM system.{name:Identifier}', { param_name: table });
    expect(await named.text()).toBe('0\n');
  }
  // Every new one of a newer ClickHouse must be reviewed before a list grows.
  const names = await one("SELECT name FROM system.tables WHERE database = 'system'");
  expect(names.split('\n').filter((name) => !HIDDEN_SYSTEM_TABLES.includes(name))).toEqual(SHOWN_SYSTEM_TABLES);
});

test('the refused functions are those that reach beyond the store', async () => {
  const names = (await one('SELECT name FROM system.functions')).split('\n');
  expect(names.filter(isDeniedCall).sort()).toEqual([
    'addressToLine',
    'addressToLineWithInlines',
    'addressToSymbol',
    'aiClassify',
    'aiEmbed',
    'aiExtract',
    'aiGenerate',
    'aiTranslate',
    'catboostEvaluate',
    'demangle',
    'file',
    'filesystemAvailable',
    'filesystemCapacity',
    'filesystemUnreserved',
    'generateSerialID',
    'getClientHTTPHeader',
    'getMacro',
    'getServerSetting',
    'hasColumnInTable',
    'showCertificate',
  ]);
});

describe('one query among others', () => {
  const running = async () => Number(await one('SELECT 1')) === 1;

  test('a client that leaves cancels its query', async () => {
    const leaving = Array.from({ length: LIMITS.maxConcurrentQueries }, () => new AbortController());
    const asked = leaving.map(({ signal }) =>
      post('SELECT sum(sipHash64(number)) FROM numbers(100000000000)', {}, signal),
    );
    await sleep(300);
    for (const client of leaving) client.abort();
    await Promise.allSettled(asked);
    const from = performance.now();
    expect(await running()).toBe(true);
    // All slots were taken: it was answered before their time-out.
    expect(performance.now() - from).toBeLessThan(LIMITS.executionTimeoutMs * 0.6);
  });

  test('more queries than slots wait for their turn, and too many are refused', async () => {
    const asked = Array.from({ length: 130 }, () => post('SELECT sleep(0.2)'));
    const statuses = await Promise.all(asked.map(async (answer) => (await answer).text()));
    const refused = statuses.filter((text) => text.startsWith('Code: 202.'));
    expect(
      refused.some((text) => text.includes('4 queries are running and 100 are waiting, and the queue is full')),
    ).toBe(true);
    expect(statuses.filter((text) => text === '0\n').length).toBeGreaterThan(10);
    expect(await running()).toBe(true);
  });

  test('a client that reads nothing loses its answer at the time-out', async () => {
    const response = await post('SELECT number FROM system.numbers');
    await sleep(LIMITS.executionTimeoutMs + 3000);
    await expect(response.text()).rejects.toThrow();
    expect(await running()).toBe(true);
  });

  test('an answer that begins is sent while the rest is computed', async () => {
    const response = await post(
      "SELECT repeat('x', 2000) FROM numbers(1000000) WHERE sleepEachRow(0.0005) = 0 SETTINGS max_block_size = 1000",
    );
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    const { value } = await reader.read();
    expect(value?.length).toBeGreaterThan(1000);
    await reader.cancel();
  });

  test('a killed engine fails its queries with a clear error, and the next query is answered', async () => {
    const asked = post('SELECT sum(sipHash64(number)) FROM numbers(100000000000)');
    await sleep(300);
    const [pid] = engines();
    process.kill(Number(pid), 'SIGKILL');
    expect(await (await asked).text()).toMatch(
      /^Code: 236\. DB::Exception: The engine ended with SIGKILL; it is being restarted/,
    );
    expect(await running()).toBe(true);
    expect(engines()).not.toEqual([pid]);
  });
});
