import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * Settings with which a query that only reads would reach beyond the store: they name files that are read or written, an
 * address that is asked, another language, or a way to run text. Nobody may set them.
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

/** All that the one user may. No right to a source: file(), url(), s3() and their like are refused by ClickHouse itself. */
const GRANTS = [
  'GRANT SELECT, SHOW ON default.*',
  'GRANT SELECT, SHOW ON system.*',
  'GRANT SELECT, SHOW ON information_schema.*',
  'GRANT SELECT, SHOW ON INFORMATION_SCHEMA.*',
  'GRANT SHOW DATABASES ON *.*',
];

/**
 * Writes the configuration of an embedded ClickHouse whose user can only read the store, and gives its folder: whoever opens
 * the engine with `config.xml` removes it at the end. Paths in it are absolute, for ClickHouse looks for others in the
 * working directory.
 */
export async function writeReadOnlyUser(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'zerorate-serve-'));
  const users = join(directory, 'users.xml');
  await writeFile(join(directory, 'config.xml'), `<clickhouse><users_config>${users}</users_config></clickhouse>\n`);
  const constraints = KEPT_SETTINGS.map((name) => `<${name}><const/></${name}>`).join('');
  const grants = GRANTS.map((grant) => `<query>${grant}</query>`).join('');
  await writeFile(
    users,
    `<clickhouse>
  <profiles><default><readonly>2</readonly><constraints>${constraints}</constraints></default></profiles>
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
