import { readFileSync } from 'node:fs';
import avro from 'avsc';
import { describe, expect, test } from 'vitest';
import { rabinFingerprint } from './decode/avro-canonical-form.ts';
import { parseAvroSchema } from './decode/avro-schema.ts';
import { type AvroDecoderOptions, type AvroSchema, avroDecoder, NO_ID, rejectUnknownSchema } from './decode-avro.ts';
import { isReadByKernel } from './kernel/kernel.fixture.ts';
import { testRecord } from './traffic.fixture.ts';

const flowSchema = JSON.parse(readFileSync('schemas/flow-record.avsc', 'utf8')) as avro.schema.RecordType;
const readerSchema = flowSchema as AvroSchema;
const flowType = avro.Type.forSchema(readerSchema);
const sample = testRecord();
const decoder = (options: Partial<AvroDecoderOptions> = {}) =>
  avroDecoder({ readerSchema, schemas: new Map([[1, readerSchema]]), header: 'auto', ...options });
const withFields = (fields: avro.schema.RecordType['fields']): AvroSchema => ({ ...flowSchema, fields });

function withHeader(id: number, datum: Uint8Array): Buffer {
  const header = Buffer.alloc(5);
  header.writeUInt32BE(id, 1);
  return Buffer.concat([header, datum]);
}

describe('other headers', () => {
  const datum = flowType.toBuffer(sample);
  const other = withFields([...flowSchema.fields, { name: 'apn', type: 'string' }]);
  const otherDatum = avro.Type.forSchema(other).toBuffer({ ...sample, apn: 'ims' });
  const single = (schema: AvroSchema, value: Buffer) =>
    Buffer.concat([Buffer.from([0xc3, 0x01]), Buffer.from(rabinFingerprint(parseAvroSchema(schema)), 'hex'), value]);
  const withLongId = (id: bigint, value: Buffer) => {
    const header = Buffer.alloc(9);
    header.writeBigUInt64BE(id, 1);
    return Buffer.concat([header, value]);
  };

  test.each(['auto', 'single-object'] as const)('single objects of the configured schemas are read (%s)', (header) => {
    const decode = decoder({ header, schemas: new Map([[4, other]]) });
    for (const [schema, value] of [
      [readerSchema, datum],
      [other, otherDatum],
    ] as const) {
      const octets = single(schema, value);
      expect({ ...decode(octets).candidate }).toEqual(sample);
      expect(decode.unknownIdOf(octets, 0, octets.length)).toBe(NO_ID);
      expect(isReadByKernel(decode, octets)).toBe(false);
      expect(decode(octets.subarray(0, 9)).fault?.reason).toBe('malformed');
    }
    const unknown = single(withFields(flowSchema.fields.filter(({ name }) => name !== 'servedImsi')), datum);
    expect(decode(unknown).fault).toMatchObject({
      reason: 'unknown_schema',
      detail: expect.stringContaining('fingerprint'),
    });
    expect(rejectUnknownSchema(unknown)).toEqual(decode(unknown));
  });

  test('ids of 8 octets are read, and named where 4 are expected', () => {
    const decode = decoder({
      header: 'confluent',
      idBytes: 8,
      schemas: new Map([
        [1, readerSchema],
        [7, other],
      ]),
    });
    const value = withLongId(1n, datum);
    expect({ ...decode(value).candidate }).toEqual(sample);
    expect(isReadByKernel(decode, value)).toBe(true);
    expect({ ...decode(withLongId(7n, otherDatum)).candidate }).toEqual(sample);
    expect(decode.unknownIdOf(withLongId(9n, datum), 0, value.length)).toBe(9);
    expect(decode.unknownIdOf(withLongId(2n ** 40n, datum), 0, value.length)).toBe(NO_ID);
    expect(decode(withLongId(2n ** 40n, datum)).fault?.reason).toBe('unknown_schema');
    expect(decoder()(value).fault?.detail).toMatch(
      /id 0 is known; with ids of 8 octets, as Apicurio .* avro.idBytes: 8/,
    );
  });

  test.each([
    [Buffer.from('{"nodeId":"x"}'), /it looks like JSON, see valueFormat/],
    [Buffer.alloc(0), /no value: a tombstone/],
    [datum, /__value_schema_id/],
  ])('what has no header is named', (value, detail) => {
    expect(decoder({ header: 'confluent' })(value).fault).toMatchObject({
      reason: 'malformed',
      detail: expect.stringMatching(detail),
    });
  });

  test('a bare record that begins with 0 is distinguished from a header by the ids that are known', () => {
    const nullable = withFields(
      flowSchema.fields.map((field) => (field.name === 'nodeId' ? { ...field, type: ['string', 'null'] } : field)),
    );
    const bareDatum = avro.Type.forSchema(nullable).toBuffer(sample);
    expect(bareDatum[0]).toBe(0);
    const decode = decoder({ bareSchema: nullable });
    expect(decode.distinguishesHeaders).toBe(false);
    expect({ ...decode(bareDatum).candidate }).toEqual(sample);
    expect({ ...decode(withHeader(1, datum)).candidate }).toEqual(sample);
    expect({ ...decode(single(nullable, bareDatum)).candidate }).toEqual(sample);
    expect(decode.unknownIdOf(bareDatum, 0, bareDatum.length)).toBe(NO_ID);
    expect(decoder().distinguishesHeaders).toBe(true);
  });
});
