import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import * as z from 'zod';
import { jsonSchemas } from '../../src/cli/development/write-json-schemas.ts';
import { packagePath } from '../../src/platform/package-paths.ts';
import { gatewaySchema } from '../../src/sessions/gateway/gateway-config.ts';
import { fieldPaths, type JsonSchema } from './schema-page.ts';

const schemas = jsonSchemas();
const EXAMPLES: [string, JsonSchema][] = [
  ...['zerorate', 'catalogue', 'dispatch', 'proxy', 'evidence'].map((name): [string, JsonSchema] => [
    `${name}.yaml`,
    JSON.parse(schemas[`${name}.schema.json`]),
  ]),
  ['gateway.yaml', z.toJSONSchema(gatewaySchema, { io: 'input' }) as JsonSchema],
];

/** Returns whether the text has the word, not as a part of another one. */
function hasWord(text: string, word: string): boolean {
  return text.split(/[^\w<>]+/).includes(word);
}

test.each(EXAMPLES)('fixtures/demo/%s sets every field, or says that it leaves it out', (name, schema) => {
  const text = readFileSync(packagePath(`fixtures/demo/${name}`), 'utf8');
  const leftOut = /^# Left out here, with their defaults: ([\s\S]*?)docs\/reference\/[\w-]+\.md/m.exec(text)?.[1] ?? '';
  const groups = leftOut.replace(/\n# /g, ' ').split(/[\s,()]+/);
  const missing = fieldPaths(schema).filter((path) => {
    const last = path.replace(/\[\]$/, '').split('.').at(-1) ?? '';
    return last !== '<name>' && !hasWord(text, last) && !groups.some((group) => path.startsWith(`${group}.`));
  });
  expect(leftOut).not.toBe('');
  expect(missing).toEqual([]);
});
