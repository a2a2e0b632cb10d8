import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { openApiDocuments } from './openapi.ts';

const documents = Object.entries(await openApiDocuments());

test.each(documents)('schemas/%s is what the server says; `npm run schemas` writes it', (name, text) => {
  expect(readFileSync(new URL(`../../../schemas/${name}`, import.meta.url), 'utf8')).toBe(text);
});

interface Operation {
  responses: Record<string, { description?: string }>;
  security?: unknown[];
}

test.each(documents)('%s documents every refusal of HTTP on every path', (_, text) => {
  const paths: Record<string, Record<string, Operation>> = JSON.parse(text).paths;
  const operations = Object.values(paths).flatMap((methods) => Object.values(methods));
  expect(operations.length).toBeGreaterThan(4);
  for (const { responses, security } of operations) {
    const statuses = ['400', '404', '405', '408', '413', '414', '415', '429', '431', '500'];
    expect(Object.keys(responses)).toEqual(expect.arrayContaining(statuses));
    if (security !== undefined) expect(responses).toHaveProperty('401');
  }
});

test.each(documents)('%s has no text, number, list or map of a request or refusal without a bound', (_, text) => {
  expect(unboundedIn(requestsOf(JSON.parse(text)))).toEqual([]);
});

/** Parameters, bodies and refusals of all operations; answers are the server's own. */
function requestsOf({ paths }: { paths: Record<string, Record<string, never>> }): unknown {
  return Object.entries(paths).map(([path, methods]) =>
    Object.entries(methods).map(([method, { parameters, requestBody, responses }]) => ({
      [`${method} ${path}`]: { parameters, requestBody, refused: (responses as Record<string, unknown>)['400'] },
    })),
  );
}

function unboundedIn(node: unknown, place = ''): string[] {
  if (typeof node !== 'object' || node === null) return [];
  const schema = node as Record<string, unknown>;
  const inner = Object.entries(schema).flatMap(([name, value]) => unboundedIn(value, `${place}/${name}`));
  return isUnbounded(schema) ? [place, ...inner] : inner;
}

function isUnbounded(schema: Record<string, unknown>): boolean {
  if (schema.enum !== undefined || schema.const !== undefined) return false;
  const types = [schema.type].flat();
  if (types.includes('string')) return schema.maxLength === undefined && !isBoundedText(schema);
  if (types.includes('array')) return schema.maxItems === undefined;
  if (types.includes('integer') || types.includes('number')) {
    return schema.maximum === undefined || schema.minimum === undefined;
  }
  if (!types.includes('object')) return false;
  // A map has neither fields of its own nor names that are listed.
  const isMap = schema.properties === undefined && !(schema.propertyNames as { enum?: unknown } | undefined)?.enum;
  return isMap || (schema.properties !== undefined && schema.additionalProperties !== false);
}

/** An anchored pattern without an open repetition, or a UUID. */
function isBoundedText({ format, pattern }: Record<string, unknown>): boolean {
  return format === 'uuid' || (typeof pattern === 'string' && /^\^.*\$$/.test(pattern) && !/[*+]|,\}/.test(pattern));
}

test.each([
  ['text', { type: 'string' }],
  ['text of an open pattern', { type: 'string', pattern: '^a+$' }],
  ['number', { type: 'integer', minimum: 0 }],
  ['list', { type: 'array', items: { type: 'boolean' } }],
  ['map', { type: 'object', additionalProperties: { type: 'boolean' } }],
  ['object that takes any field', { type: 'object', properties: { a: { type: 'boolean' } } }],
])('an unbounded %s is found, however deep', (_, schema) => {
  expect(unboundedIn({ schema: { type: 'array', maxItems: 1, items: schema } })).toEqual(['/schema/items']);
});
