import avro from 'avsc';
import { expect, test } from 'vitest';
import { canonicalForm, haveSameMeaning, rabinFingerprint } from './avro-canonical-form.ts';
import { parseAvroSchema } from './avro-schema.ts';

const SCHEMA = {
  type: 'record',
  name: 'Flow',
  namespace: 'net.flows',
  doc: 'a flow',
  fields: [
    { name: 'startTime', type: { type: 'long', logicalType: 'timestamp-millis' }, doc: 'when', default: 0 },
    { name: 'kind', type: { type: 'enum', name: 'Kind', symbols: ['A', 'B'] }, aliases: ['sort'] },
    { name: 'hash', type: { type: 'fixed', name: 'other.Hash', size: 4 } },
    { name: 'more', type: ['null', { type: 'array', items: 'Kind' }, { type: 'map', values: 'other.Hash' }] },
    { name: 'inner', type: ['null', 'Flow'], default: null },
  ],
} as const;

// share/test/data/schema-tests.txt of Avro, in hexadecimal.
test.each([
  ['null', '63dd24e7cc258f8a'],
  ['boolean', '9f42fc78a4d4f764'],
  ['int', '7275d51a3f395c8f'],
  ['long', 'd054e14493f41db7'],
  ['float', '4d7c02cb3ea8d790'],
  ['double', '8e7535c032ab957e'],
  ['bytes', '4fc016dac3201965'],
  ['string', '8f014872634503c7'],
])('the fingerprint of %s is Avro’s', (schema, fingerprint) => {
  expect(
    Buffer.from(rabinFingerprint(parseAvroSchema(schema)), 'hex')
      .reverse()
      .toString('hex'),
  ).toBe(fingerprint);
});

test('the canonical form is what avsc makes of a schema', () => {
  const form = JSON.parse(canonicalForm(parseAvroSchema(SCHEMA)));
  expect(form).toEqual(JSON.parse(JSON.stringify(avro.Type.forSchema(SCHEMA as unknown as avro.Schema).schema())));
});

test.each([
  ['docs, defaults and other attributes', { doc: 'another', 'connect.name': 'x' }, true],
  ['the name of the record', { name: 'topLevelRecord' }, false],
  ['a field that was renamed', { fields: SCHEMA.fields.map((f) => ({ ...f, aliases: ['x'] })) }, false],
  ['the order of fields', { fields: SCHEMA.fields.toReversed() }, false],
])('%s: whether the meaning stays', (_, change, stays) => {
  expect(haveSameMeaning(JSON.stringify(SCHEMA), JSON.stringify({ ...SCHEMA, ...change }))).toBe(stays);
});

test('what earlier versions kept, as avsc wrote it, means the same as what the registry has', () => {
  const kept = JSON.stringify(avro.Type.forSchema(SCHEMA as unknown as avro.Schema).schema({ exportAttrs: true }));
  expect(kept).not.toContain('logicalType');
  expect(haveSameMeaning(kept, JSON.stringify(SCHEMA))).toBe(true);
});

test('the unit of a time is part of the meaning; milliseconds need not be named', () => {
  const withUnit = (logicalType?: string) => {
    const [, ...rest] = SCHEMA.fields;
    return JSON.stringify({ ...SCHEMA, fields: [{ name: 'startTime', type: { type: 'long', logicalType } }, ...rest] });
  };
  expect(haveSameMeaning(withUnit(), withUnit('timestamp-millis'))).toBe(true);
  expect(haveSameMeaning(withUnit(), withUnit('timestamp-micros'))).toBe(false);
  expect(haveSameMeaning(withUnit(), 'no JSON')).toBe(false);
});
