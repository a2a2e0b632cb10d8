import avro from 'avsc';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { varintEnd, varintLong, varintValue } from '../../formats/varint.ts';
import { datumEnd as datumEndOf } from './avro-datum.ts';
import { parseAvroSchema } from './avro-schema.ts';

const datumEnd = (schema: unknown) => datumEndOf(parseAvroSchema(schema));

const schema: avro.Schema = {
  type: 'record',
  name: 'EveryKind',
  fields: [
    { name: 'nothing', type: 'null' },
    { name: 'flag', type: 'boolean' },
    { name: 'count', type: 'int' },
    { name: 'octets', type: 'long' },
    { name: 'ratio', type: 'float' },
    { name: 'exact', type: 'double' },
    { name: 'raw', type: 'bytes' },
    { name: 'name', type: 'string' },
    { name: 'kind', type: { type: 'enum', name: 'Kind', symbols: ['A', 'B'] } },
    { name: 'hash', type: { type: 'fixed', name: 'Hash', size: 4 } },
    { name: 'maybe', type: ['null', 'string', 'long'] },
    { name: 'list', type: { type: 'array', items: ['null', 'long'] } },
    { name: 'map', type: { type: 'map', values: 'string' } },
    { name: 'inner', type: ['null', 'EveryKind'] },
  ],
};
const everyKind = avro.Type.forSchema(schema);
const end = datumEnd(schema);

/** What avsc can write. */
const long = fc.integer({ min: -(2 ** 52), max: 2 ** 52 });

/** Values of every kind, some of them within each other. */
const { value } = fc.letrec((tie) => ({
  value: fc.record({
    nothing: fc.constant(null),
    flag: fc.boolean(),
    count: fc.integer(),
    octets: long,
    ratio: fc.float({ noNaN: true }),
    exact: fc.double({ noNaN: true }),
    raw: fc.uint8Array().map((octets) => Buffer.from(octets)),
    name: fc.string({ unit: 'grapheme' }),
    kind: fc.constantFrom('A', 'B'),
    hash: fc.uint8Array({ minLength: 4, maxLength: 4 }).map((octets) => Buffer.from(octets)),
    maybe: fc.oneof(fc.constant(null), fc.string(), long),
    list: fc.array(fc.option(long)),
    map: fc.dictionary(fc.string(), fc.string()),
    inner: fc.option(tie('value'), { depthSize: 'small' }),
  }),
}));

test('ends where avsc ends, for every kind of type', () => {
  fc.assert(
    fc.property(value, (each) => {
      const datum = everyKind.toBuffer(each);
      expect(end(Buffer.concat([Buffer.from('before'), datum, Buffer.from('after')]), 6)).toBe(6 + datum.length);
      expect(end(datum.subarray(0, -1), 0)).toBe(-1);
    }),
    { numRuns: 300 },
  );
});

test('walks a block of an array that names its size', () => {
  // Block of -2 items in 2 octets, then the end.
  const octets = Buffer.from([0x03, 0x04, 0x02, 0x04, 0x00]);
  expect(datumEnd({ type: 'array', items: 'long' })(octets, 0)).toBe(5);
});

test.each([
  ['a text longer than what is left', 'string', [0x08, 0x61]],
  ['a negative length', 'bytes', [0x01]],
  ['a length of 2^62', 'string', [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]],
  ['a varint without an end', 'long', Array(20).fill(0xff)],
  ['a union branch that is not there', ['null', 'long'], [0x04]],
  ['a negative union branch', ['null', 'long'], [0x01]],
  [
    'an array of 2^60 nulls',
    { type: 'array', items: 'null' },
    [0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x1f, 0],
  ],
])('refuses %s', (_case, schema, octets) => {
  expect(datumEnd(schema)(Buffer.from(octets), 0)).toBe(-1);
});

test('refuses a nesting deeper than the stack', () => {
  const list = { type: 'record', name: 'List', fields: [{ name: 'next', type: ['null', 'List'] }] };
  expect(datumEnd(list)(Buffer.alloc(1_000_000, 0x02), 0)).toBe(-1);
  expect(datumEnd(list)(Buffer.from([0x02, 0x02, 0x00]), 0)).toBe(3);
});

test('reads every long: exact up to 2^53, near beyond', () => {
  const long = avro.Type.forSchema('long');
  fc.assert(
    fc.property(fc.integer({ min: -(2 ** 52), max: 2 ** 53 - 2 }), (value) => {
      const octets = long.toBuffer(value);
      expect(varintEnd(octets, 0)).toBe(octets.length);
      expect(varintValue(octets, 0, octets.length)).toBe(value);
      expect(varintLong(octets, 0, octets.length)).toBe(BigInt(value));
    }),
  );
  const lowest = Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]);
  expect(varintValue(lowest, 0, 10)).toBe(-(2 ** 63));
});

test('never throws', () => {
  fc.assert(
    fc.property(fc.uint8Array(), (octets) => {
      expect(end(octets, 0)).toBeLessThanOrEqual(octets.length);
    }),
  );
});
