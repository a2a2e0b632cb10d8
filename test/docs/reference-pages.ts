import { jsonSchemas } from '../../src/cli/development/write-json-schemas.ts';
import { CONFIG_VARIABLES } from '../../src/platform/config/config-variables.ts';
import { REASONS } from '../../src/rating/outcome.ts';
import { commandPage, GENERATED } from './command-page.ts';
import { metricPage } from './metric-page.ts';
import { fieldTable, type JsonSchema } from './schema-page.ts';
import { viewPage } from './view-page.ts';

const FIELDS =
  'Fields with \\* must be set. `[]` is an entry of a list, `<name>` a name of your own. Paths are relative to the file that names them.';

/** Resolves with the reference pages that the source gives, by their path in `docs/reference/`. */
export async function referencePages(): Promise<Record<string, string>> {
  const schemas = jsonSchemas();
  const read = (name: string) => fieldTable(JSON.parse(schemas[name]) as JsonSchema);
  return {
    'commands.md': await commandPage(),
    'configuration.md': configurationPage(read('zerorate.schema.json')),
    'catalogue.md': page('Catalogue', 'catalogue.yaml', read('catalogue.schema.json'), 'schemas/catalogue.schema.json'),
    'evidence-configuration.md': page(
      'Configuration of evidence feeds',
      'evidence.yaml',
      read('evidence.schema.json'),
      'schemas/evidence.schema.json',
    ),
    'dispatch-configuration.md': page(
      'Configuration of the dispatch server',
      'dispatch.yaml',
      read('dispatch.schema.json'),
      'schemas/dispatch.schema.json',
    ),
    'proxy-configuration.md': page(
      'Configuration of the proxy',
      'proxy.yaml',
      read('proxy.schema.json'),
      'schemas/proxy.schema.json',
    ),
    'gateway-configuration.md': page(
      'Configuration of the gateway simulator',
      'gateway.yaml',
      read('gateway.schema.json'),
      'schemas/gateway.schema.json',
    ),
    'metrics.md': await metricPage(),
    'reasons.md': reasonPage(),
    'views.md': viewPage(),
  };
}

function page(title: string, example: string, table: string, schema: string): string {
  return `# ${title}\n\n${GENERATED}\n\n\`fixtures/demo/${example}\` is a commented example. \`${schema}\` has the same for editors. ${FIELDS}\n\n${table}\n`;
}

function configurationPage(table: string): string {
  const variables = Object.entries(CONFIG_VARIABLES).map(
    ([name, { path, kind }]) =>
      `| \`${name}\` | \`${path.join('.')}\` | ${kind === 'list' ? 'list, with commas' : kind} |`,
  );
  return `${page('Configuration of the engine', 'zerorate.yaml', table, 'schemas/zerorate.schema.json')}
## Environment variables

Each overrides a field of the file. Secrets have variables of their own, which no file can hold: [secrets](../operate/security.md#secrets).

| variable | field | value |
|---|---|---|
${variables.join('\n')}
`;
}

function reasonPage(): string {
  const rows = REASONS.map(
    ({ reason, outcome, meaning }) => `| \`${reason}\` | ${outcome.replace('_', ' ')} | ${meaning} |`,
  );
  return `# Reasons

${GENERATED}

Every record has one outcome and one reason. The reasons are checked in this order; the first that applies is the record's. A *charged* record is
one that was rated under a plan and counts towards its quota: its charge may be 0, and some or all of its octets may be the subscriber's.

| reason | outcome | meaning |
|---|---|---|
${rows.join('\n')}

Once finance has closed a month, a plan's \`latePolicy\` decides whether its late records are adjustments or \`period_closed\`:
[late records](../finance/closing.md#late-records). Reasons of a proxy are in [its page](../operate/proxy.md#refusals), those of a dispatch server in
[its page](../operate/dispatch.md#reasons-for-a-refusal).
`;
}
