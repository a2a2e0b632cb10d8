import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { limitSettings, type QueryLimits, STATEMENT_BOUNDS } from './query-limits.ts';
import { KEPT_SETTINGS } from './statement-rules.ts';

/**
 * Settings with which one question would pass by the limits of all: memory that is not counted, signals, sleep that cannot
 * be cancelled, log lines. They keep their values.
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

/** Tables of `system` that drivers, dbt and BI tools read; no other one, as many name paths, keys or other users. */
export const SYSTEM_TABLES = [
  'aggregate_function_combinators',
  'collations',
  'constraints',
  'contributors',
  'current_roles',
  'data_type_families',
  'data_skipping_indices',
  'database_engines',
  'enabled_roles',
  'formats',
  'functions',
  'keywords',
  'licenses',
  'numbers',
  'numbers_mt',
  'one',
  'primes',
  'projections',
  'settings',
  'table_engines',
  'table_functions',
  'time_zones',
  'unicode',
  'zeros',
  'zeros_mt',
];

/** Of these, the columns that name no path. */
const SYSTEM_COLUMNS: Readonly<Record<string, string>> = {
  columns: '*',
  databases: 'name, engine, uuid, comment, engine_full, database',
  parts:
    'database, table, engine, name, partition, partition_id, active, rows, marks, bytes_on_disk, data_compressed_bytes, ' +
    'data_uncompressed_bytes, primary_key_bytes_in_memory, modification_time, min_block_number, max_block_number, level, ' +
    'min_date, max_date, min_time, max_time, part_type',
  tables:
    'database, name, uuid, engine, is_temporary, metadata_modification_time, dependencies_database, dependencies_table, ' +
    'create_table_query, engine_full, as_select, partition_key, sorting_key, primary_key, sampling_key, storage_policy, ' +
    'total_rows, total_bytes, total_bytes_uncompressed, parts, active_parts, total_marks, lifetime_rows, lifetime_bytes, ' +
    'comment, has_own_data, loading_dependencies_database, loading_dependencies_table, loading_dependent_database, ' +
    'loading_dependent_table, table',
};

/** All that the one user may. No right to a source: file(), url(), s3() and their like are refused by ClickHouse itself. */
const GRANTS = [
  'GRANT SELECT, SHOW ON default.*',
  'GRANT SHOW ON system.*',
  ...SYSTEM_TABLES.map((table) => `GRANT SELECT ON system.${table}`),
  ...Object.entries(SYSTEM_COLUMNS).map(
    ([table, columns]) => `GRANT SELECT${columns === '*' ? '' : `(${columns})`} ON system.${table}`,
  ),
  'GRANT SELECT, SHOW ON information_schema.*',
  'GRANT SELECT, SHOW ON INFORMATION_SCHEMA.*',
  'GRANT SHOW DATABASES ON *.*',
];

/**
 * Writes the configuration of an embedded ClickHouse whose user can only read the store, within `limits`, and returns its
 * directory, which the caller removes at the end; `config.xml` in it is what the engine is opened with. Paths in it are
 * absolute, as ClickHouse looks for others in the working directory.
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
  const grants = GRANTS.map((grant) => `<query>${grant}</query>`).join('');
  await writeFile(
    users,
    `<clickhouse>
  <profiles><default>${elements({ ...upper, ...FIXED_SETTINGS })}<constraints>${constraints.join('')}</constraints></default></profiles>
  <quotas><default/></quotas>
  <users><default>
    <password/><networks><ip>::/0</ip></networks><profile>default</profile><quota>default</quota>
    <grants>${grants}</grants>
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
