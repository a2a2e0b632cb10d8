import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { readRecord } from '../pipeline.ts';
import { testRecord } from '../traffic.fixture.ts';
import { decodeJsonValue } from './decode-json-value.ts';

const record = testRecord();
const json = (value: unknown) => Buffer.from(JSON.stringify(value));
const headed = (octets: number, value: Buffer) => Buffer.concat([Buffer.alloc(octets - 1), Buffer.from([7]), value]);
const read = (value: Buffer) => readRecord({ value, oversizedOctets: 0 }, decodeJsonValue);
const connectSchema = (type: string) => ({
  type: 'struct',
  fields: [
    { type, field: 'nodeId', optional: false },
    { type: 'bytes', field: 'raw', optional: true },
  ],
});

test.each([
  ['an object', json(record)],
  ["the header of JSON Schema's serializer", headed(5, json(record))],
  ['a header with an id of 8 octets', headed(9, json(record))],
  ["Connect's envelope", json({ schema: connectSchema('string'), payload: record })],
  ["Connect's envelope without a schema", json({ schema: null, payload: record })],
])('%s is read', (_, value) => {
  expect(read(value)).toEqual(record);
});

test.each([
  ['a tombstone', Buffer.alloc(0), 'malformed', /no value: a tombstone/],
  [
    'Avro',
    headed(5, Buffer.from('xyz')),
    'malformed',
    /no JSON after it: Avro needs valueFormat: avro; Protobuf is not read/,
  ],
  ['a header alone', headed(5, Buffer.alloc(0)), 'malformed', /no JSON after it/],
  ['an envelope of nothing', json({ schema: null, payload: null }), 'malformed', /payload is no object/],
  [
    'octets in base64',
    json({ schema: connectSchema('bytes'), payload: record }),
    'invalid_field',
    /nodeId is of the type bytes in the envelope's schema/,
  ],
  [
    'a change event',
    json({ schema: {}, payload: { before: null, after: record, op: 'c' } }),
    'malformed',
    /change event of Debezium; unwrap it/,
  ],
  ['no JSON', Buffer.from('{'), 'malformed', /not JSON/],
])('%s is named', (_, value, reason, detail) => {
  expect(read(value)).toMatchObject({ reason, detail: expect.stringMatching(detail) });
});

test('fields of its own called schema and payload leave a record as it is', () => {
  expect(read(json({ ...record, schema: 1, payload: 2 }))).toMatchObject({ ...record });
});

test('the example of docs/reference/kafka.md is a flow record', () => {
  const [, example = ''] = /```json\n(.*?)```/s.exec(readFileSync('docs/reference/kafka.md', 'utf8')) ?? [];
  expect(read(Buffer.from(example))).toMatchObject({ nodeId: 'pgw-1', sponsorIdentity: null });
});
