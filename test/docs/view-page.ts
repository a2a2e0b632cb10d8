import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { packagePath } from '../../src/platform/package-paths.ts';
import { GENERATED } from './command-page.ts';
import { cell } from './schema-page.ts';

interface Table {
  name: string;
  description: string;
  columns: { name: string; data_type: string; description: string }[];
}

/**
 * Returns the page of the store's tables and views. Their descriptions are the store's comments, as the dbt project has them;
 * the test of the cookbook compares those with a store.
 */
export function viewPage(): string {
  const text = readFileSync(packagePath('docs/finance/dbt/models/sources.yml'), 'utf8');
  const [{ tables }] = (parse(text) as { sources: { tables: Table[] }[] }).sources;
  const list = tables.map(({ name, description }) => `| [\`${name}\`](#${name}) | ${cell(description)} |`);
  const sections = tables.map(
    ({ name, description, columns }) =>
      `## ${name}\n\n${cell(description)}\n\n| column | type | meaning |\n|---|---|---|\n${columns
        .map(
          (column) =>
            `| \`${column.name}\` | \`${column.data_type.replaceAll('|', '\\|')}\` | ${cell(column.description)} |`,
        )
        .join('\n')}`,
  );
  return [
    '# Tables and views',
    GENERATED,
    'What finance and operations may query, in any store. [Queries](../finance/queries.md) has examples. Money is in micro-units (millionths of a currency unit).',
    ['| table or view | what it has |', '|---|---|', ...list].join('\n'),
    ...sections,
    '',
  ]
    .join('\n\n')
    .trimEnd()
    .concat('\n');
}
