import { stringify } from 'yaml';
import type { Store } from '../../src/platform/clickhouse/store.ts';

const HEAD = `# The store's tables and views as dbt sources. Its descriptions are the store's comments; a test compares them.
# https://docs.getdbt.com/reference/source-properties
`;

interface Table {
  name: string;
  description: string;
  columns: { name: string; data_type: string; description: string }[];
}

/** The dbt source file that a store's schema gives. */
export async function dbtSources(store: Store): Promise<string> {
  const tables = await store.query<Table>(
    'SELECT columns.table AS name, any(tables.comment) AS description, ' +
      "arraySort(column -> column.position, groupArray(CAST((columns.name, type, columns.comment, position), 'Tuple(name String, data_type String, description String, position UInt64)'))) AS columns " +
      'FROM system.columns AS columns INNER JOIN system.tables AS tables ON tables.database = columns.database AND tables.name = columns.table ' +
      "WHERE columns.database = currentDatabase() AND columns.table != 'schema_migrations' GROUP BY name ORDER BY name",
  );
  const source = {
    name: 'zerorate',
    description:
      'Sponsored data: what was charged, to whom and why. Money is in micro-units, octets are as the gateway metered them.',
    schema: "{{ env_var('ZERORATE_DATABASE', 'default' if target.name == 'serve' else 'zerorate') }}",
    tables: tables.map(({ name, description, columns }) => ({
      name,
      description,
      columns: columns.map(({ name, data_type, description }) => ({ name, data_type, description })),
    })),
  };
  return `${HEAD}${stringify({ version: 2, sources: [source] }, { lineWidth: 0 })}`;
}
