/** First words of statements that only read, as ClickHouse spells them. */
export const READS = new Set(['SELECT', 'WITH', 'FROM', 'SHOW', 'DESCRIBE', 'DESC', 'EXISTS', 'EXPLAIN', '(']);

/**
 * Settings with which a statement that only reads would reach beyond the store: they name files that are read or written, an
 * address to connect to, another language, or a way to run text. No client may set them.
 */
export const KEPT_SETTINGS = [
  'allow_experimental_ai_functions',
  'allow_experimental_eval_table_function',
  'dialect',
  'format_avro_schema_registry_url',
  'format_schema',
  'format_schema_source',
  'format_template_resultset',
  'format_template_row',
  'input_format_record_errors_file_path',
  'into_outfile_create_parent_directories',
  'output_format_schema',
  'rename_files_after_processing',
  'url_base',
] as const;

/** Identifies the query to the engine, so that it can be cancelled: it has no other effect, and no client may set it. */
export const QUERY_SETTING = 'cluster_for_parallel_replicas';
/** Its value in the session that cancels queries, and sees them all. */
export const CANCELLER = 'canceller';

/**
 * Functions that read a file, load a library, connect to another host, show its certificate, or change a counter in Keeper.
 */
const DENIED_FUNCTIONS = [
  'addresstoline',
  'addresstolinewithinlines',
  'addresstosymbol',
  'catboostevaluate',
  'demangle',
  'file',
  'generateserialid',
  'getclienthttpheader',
  'getmacro',
  'getserversetting',
  'hascolumnintable',
  'showcertificate',
];

/** Table functions that generate rows, or read tables that the user may read; all others reach beyond the store. */
export const TABLE_FUNCTIONS = [
  'format',
  'fuzzJSON',
  'fuzzQuery',
  'generateRandom',
  'generateSeries',
  'generate_series',
  'loop',
  'merge',
  'null',
  'numbers',
  'numbers_mt',
  'primes',
  'SQLStandardValues',
  'values',
  'view',
  'viewExplain',
  'viewIfPermitted',
  'zeros',
  'zeros_mt',
] as const;

/** Names of the table functions that reach beyond the store, in lower case; families may grow. */
const DENIED_TABLE_FUNCTION = new RegExp(
  '^(' +
    '(s3|gcs|oss|cosn|hdfs|azure|hudi|iceberg(?!bucket|hash|truncate)|paimon|deltalake|cluster|remote|mergetree(?!partinfo)|prometheus|ytsaurus|arrowflight|' +
    'arrowstream|jdbc|odbc|sqlite|mysql|postgresql|mongodb|redis|executable|filesystem)\\w*' +
    '|(url|file)(cluster)?|timeseries(selector|metrics|tags|samples|data)|eval|input|dictionary' +
    ')$',
);

/** Returns whether no statement may call a function or table function, by its name as ClickHouse spells it. */
export function isDeniedCall(name: string): boolean {
  const lower = name.toLowerCase();
  if (DENIED_FUNCTIONS.includes(lower) || /^ai[A-Z]/.test(name)) return true;
  return DENIED_TABLE_FUNCTION.test(lower);
}

/**
 * Tables of `system` about the machine, its disks, caches and configuration, other queries and other users. All others
 * describe the store or ClickHouse itself, and drivers and BI tools read them.
 */
export const HIDDEN_SYSTEM_TABLES: readonly string[] = (
  'asynchronous_inserts asynchronous_loader azure_queue_metadata_cache azure_queue_settings background_schedule_pool ' +
  'backups certificates clusters dashboards database_replicas detached_parts detached_tables dimensional_metrics ' +
  'disks distributed_ddl_queue distribution_queue dns_cache dropped_tables dropped_tables_parts errors events ' +
  'fail_points filesystem_cache filesystem_cache_settings histogram_metrics hypothetical_indexes iceberg_files ' +
  'iceberg_history jemalloc_bins jemalloc_profile_text jemalloc_stats kafka_consumers macros masking_policies ' +
  'merge_tree_settings merges metrics models moves mutations named_collections part_moves_between_shards processes ' +
  'query_cache query_condition_cache quota_limits quota_usage quotas quotas_usage remote_data_paths replicas ' +
  'replicated_fetches replicated_merge_tree_settings replication_queue resources rocksdb role_grants roles ' +
  'row_policies s3_queue_settings s3queue_metadata_cache scheduler schema_inference_cache server_settings ' +
  'settings_profile_elements settings_profiles stack_trace storage_policies symbols user_defined_functions ' +
  'user_directories user_processes users view_refreshes warnings workloads'
).split(' ');
