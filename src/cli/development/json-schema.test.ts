import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { jsonSchemas } from './write-json-schemas.ts';

test.each(Object.entries(jsonSchemas()))(
  'schemas/%s is what the source says; `npm run schemas` writes it',
  (name, text) => {
    expect(readFileSync(new URL(`../../../schemas/${name}`, import.meta.url), 'utf8')).toBe(text);
  },
);

test.each(Object.entries(jsonSchemas()))('%s describes every field and refuses unknown ones', (_name, text) => {
  const objects: Record<string, unknown>[] = [];
  JSON.parse(text, (_key, value) => {
    if (value?.type === 'object') objects.push(value);
    return value;
  });
  expect(objects.length).toBeGreaterThan(1);
  for (const { properties, additionalProperties } of objects.filter(({ properties }) => properties !== undefined)) {
    expect(additionalProperties).toBe(false);
    for (const [field, schema] of Object.entries(properties as object)) {
      // The content types of a plan are words, described together.
      if (!['text', 'voice', 'image', 'video', 'other', 'unknown'].includes(field))
        expect(schema, field).toHaveProperty('description');
    }
  }
});
