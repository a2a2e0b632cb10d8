import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { limitSettings, type QueryLimits, STATEMENT_BOUNDS } from './query-limits.ts';
import { CANCELLER, HIDDEN_SYSTEM_TABLES, KEPT_SETTINGS, QUERY_SETTING } from './statement-rules.ts';

/**
 * Settings with which one query could evade the limits: uncounted memory, signals, sleep that cannot be cancelled, log
 * lines. Their values are fixed.
 */
const FIXED_SETTINGS: Readonly<Record<string, number | string>> = {
  max_untracked_memory: 4_194_304,
  memory_profiler_step: 4_194_304,
  query_profiler_real_time_period_ns: 0,
  query_profiler_cpu_time_period_ns: 0,
  function_sleep_max_microseconds_per_block: 3_000_000,
  allow_introspection_functions: 0,
  send_logs_level: 'fatal',
};

/**
 * All rights of the one user. It has no right to a source: ClickHouse itself refuses file(), url(), s3() and similar
 * functions.
 */
const GRANTS = [
  'GRANT SELECT, SHOW ON default.*',
  'GRANT SELECT, SHOW ON system.*',
  'GRANT SELECT, SHOW ON information_schema.*',
  'GRANT SELECT, SHOW ON INFORMATION_SCHEMA.*',
  'GRANT SHOW DATABASES ON *.*',
];

/**
 * Writes the configuration of an embedded ClickHouse whose user can only read the store, within `limits`. Returns its
 * directory, which the caller removes at the end; open the engine with `config.xml` in it. Its paths are absolute, as
 * ClickHouse resolves relative ones in the working directory.
 */
export async function writeReadOnlyUser(limits: QueryLimits): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'zerorate-serve-'));
  const users = join(directory, 'users.xml');
  const caches = Math.floor(limits.maxMemoryBytes / 8);
  const server: Readonly<Record<string, number | string>> = {
    users_config: users,
    max_server_memory_usage: limits.maxMemoryBytes,
    mark_cache_size: caches,
    uncompressed_cache_size: caches,
    index_mark_cache_size: caches,
    query_cache: '<max_size_in_bytes>16777216</max_size_in_bytes>',
  };
  await writeFile(join(directory, 'config.xml'), `<clickhouse>${elements(server)}</clickhouse>\n`);

  const upper = { ...limitSettings(limits), ...STATEMENT_BOUNDS };
  const constraints = [
    ...Object.entries(upper).map(([name, max]) => `<${name}><min>1</min><max>${max}</max></${name}>`),
    ...[...Object.keys(FIXED_SETTINGS), ...KEPT_SETTINGS].map((name) => `<${name}><const/></${name}>`),
  ];
  // Grants do not govern tables of `system` in an embedded ClickHouse; row policies do.
  const canceller = `getSetting('${QUERY_SETTING}') = '${CANCELLER}'`;
  const filters = HIDDEN_SYSTEM_TABLES.map((table) => [table, table === 'processes' ? canceller : '0'] as const);
  const hidden = elements(Object.fromEntries(filters.map(([table, filter]) => [table, `<filter>${filter}</filter>`])));
  const grants = GRANTS.map((grant) => `<query>${grant}</query>`).join('');
  await writeFile(
    users,
    `<clickhouse>
  <profiles><default>${elements({ ...upper, ...FIXED_SETTINGS })}<constraints>${constraints.join('')}</constraints></default></profiles>
  <quotas><default/></quotas>
  <users><default>
    <password/><networks><ip>::/0</ip></networks><profile>default</profile><quota>default</quota>
    <grants>${grants}</grants>
    <databases><system>${hidden}</system></databases>
  </default></users>
</clickhouse>
`,
  );
  return directory;
}

function elements(values: Readonly<Record<string, number | string>>): string {
  return Object.entries(values)
    .map(([name, value]) => `<${name}>${value}</${name}>`)
    .join('');
}
