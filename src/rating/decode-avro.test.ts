import { readFileSync } from 'node:fs';
import avro from 'avsc';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type AvroDecoderOptions, type AvroSchema, avroDecoder, NO_ID, rejectUnknownSchema } from './decode-avro.ts';
import { CONTENT_TYPES, DETECTIONS, type FlowRecord } from './flow-record.ts';
import { isReadByKernel } from './kernel/kernel.fixture.ts';
import { validateFlowRecord } from './record/validate.ts';

interface Field {
  name: string;
  type: AvroSchema;
  default?: unknown;
  aliases?: string[];
}
interface FlowSchema {
  type: 'record';
  name: string;
  namespace: string;
  fields: Field[];
}

const path = new URL('../../schemas/flow-record.avsc', import.meta.url);
const flowSchema = JSON.parse(readFileSync(path, 'utf8')) as FlowSchema;
const readerSchema = flowSchema as AvroSchema;
const flowType = avro.Type.forSchema(readerSchema);

const sample: FlowRecord = {
  nodeId: 'pgw-1',
  localSequenceNumber: 7,
  chargingId: 540872755,
  recordSequenceNumber: 1,
  servedMsisdn: '999124351736',
  servedImsi: null,
  startTime: 1430069021959,
  endTime: 1430069022041,
  terminalIp: '10.24.82.188',
  terminalPort: 38448,
  remoteIp: '2001:db8::1',
  remotePort: 443,
  protocol: 6,
  zeroRatingTag: 'im',
  contentType: 'text',
  ratingGroup: null,
  serviceIdentifier: 5,
  uplinkOctets: 60,
  downlinkOctets: 98,
  sponsorIdentity: null,
  applicationServiceProviderIdentity: 'im.example',
  servingPlmn: '26201',
  ratType: 6,
  trackingArea: '26201-00af',
  detectedApplication: null,
  detectedBy: null,
  accountId: 'B-17',
};

// As far as avsc itself writes longs right.
const wholeNumber = fc.integer({ min: -(2 ** 52), max: 2 ** 53 - 2 });
const int = fc.integer();
const anyFlowRecord: fc.Arbitrary<FlowRecord> = fc.record({
  nodeId: fc.string({ unit: 'grapheme', minLength: 1 }),
  localSequenceNumber: wholeNumber,
  chargingId: wholeNumber,
  recordSequenceNumber: wholeNumber,
  servedMsisdn: fc.string(),
  servedImsi: fc.option(fc.string()),
  startTime: wholeNumber,
  endTime: wholeNumber,
  terminalIp: fc.string(),
  terminalPort: int,
  remoteIp: fc.string(),
  remotePort: int,
  protocol: int,
  zeroRatingTag: fc.option(fc.string({ unit: 'grapheme' })),
  contentType: fc.option(fc.constantFrom(...CONTENT_TYPES)),
  ratingGroup: fc.option(int),
  serviceIdentifier: fc.option(int),
  uplinkOctets: wholeNumber,
  downlinkOctets: wholeNumber,
  sponsorIdentity: fc.option(fc.string({ unit: 'grapheme' })),
  applicationServiceProviderIdentity: fc.option(fc.string()),
  servingPlmn: fc.option(fc.string()),
  ratType: fc.option(int),
  trackingArea: fc.option(fc.string()),
  detectedApplication: fc.option(fc.string({ unit: 'grapheme' })),
  detectedBy: fc.option(fc.constantFrom(...DETECTIONS)),
  accountId: fc.option(fc.string()),
});

const LONGS = new Set(
  flowSchema.fields.filter(({ type }) => JSON.stringify(type).includes('"long"')).map(({ name }) => name),
);

const bigLong = avro.types.LongType.__with({
  fromBuffer: (octets: Buffer) => octets.readBigInt64LE(),
  toBuffer: (value: bigint) => {
    const octets = Buffer.alloc(8);
    octets.writeBigInt64LE(value);
    return octets;
  },
  fromJSON: BigInt,
  toJSON: Number,
  isValid: (value: unknown) => typeof value === 'bigint',
  compare: (left: bigint, right: bigint) => Number(left - right),
});

function decoder(options: Partial<AvroDecoderOptions> = {}) {
  return avroDecoder({ readerSchema, schemas: new Map([[1, readerSchema]]), header: 'auto', ...options });
}

function withHeader(id: number, datum: Uint8Array): Buffer {
  const header = Buffer.alloc(5);
  header.writeUInt32BE(id, 1);
  return Buffer.concat([header, datum]);
}

test('gives the fields that were encoded, bare and under a Confluent header', () => {
  const decode = decoder();
  fc.assert(
    fc.property(anyFlowRecord, (record) => {
      const datum = flowType.toBuffer(record);
      expect({ ...decode(datum).candidate }).toEqual(record);
      expect({ ...decode(withHeader(1, datum)).candidate }).toEqual(record);
    }),
  );
});

test('refuses every datum that is cut short or too long', () => {
  const decode = decoder({ header: 'bare' });
  fc.assert(
    fc.property(anyFlowRecord, fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }), (record, part) => {
      const datum = flowType.toBuffer(record);
      expect(decode(datum.subarray(0, Math.floor(datum.length * part))).fault?.reason).toBe('malformed');
      expect(decode(Buffer.concat([datum, Buffer.from([0])])).fault?.reason).toBe('malformed');
    }),
  );
});

test('never throws, whatever the octets', () => {
  const decoders = (['auto', 'confluent', 'bare'] as const).map((header) => decoder({ header }));
  const damaged = fc
    .tuple(anyFlowRecord, fc.nat(), fc.nat(255))
    .map(([record, at, octet]) => Uint8Array.from(flowType.toBuffer(record)).fill(octet, at % 90, (at % 90) + 3));
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array(), damaged), (value) => {
      for (const decode of decoders) {
        const { candidate, fault } = decode(value);
        expect(candidate === undefined).toBe(fault !== undefined);
      }
    }),
    { numRuns: 1000 },
  );
});

describe('header', () => {
  const datum = flowType.toBuffer(sample);
  test.each([
    [
      'an id that is not configured',
      'auto',
      withHeader(77, datum),
      'unknown_schema',
      'no schema with the id 77 is known',
    ],
    ['a cut header', 'auto', Buffer.from([0, 0, 0]), 'malformed', 'ends inside of the Confluent header'],
    ['no octets', 'auto', Buffer.alloc(0), 'malformed', 'ends early'],
    ['a bare record where a header must be', 'confluent', datum, 'malformed', 'no Confluent header'],
    [
      'a header where none must be',
      'bare',
      withHeader(1, datum),
      'malformed',
      'not a datum|ends early|after the datum',
    ],
    ['a trailing octet', 'auto', Buffer.concat([datum, Buffer.of(0)]), 'malformed', "1 octets after the datum's end"],
  ] as const)('refuses %s', (_case, header, value, reason, detail) => {
    const { fault } = decoder({ header })(value);
    expect(fault?.reason).toBe(reason);
    expect(fault?.detail).toMatch(new RegExp(detail));
  });
});

describe('schema evolution', () => {
  const { servedImsi: _imsi, ...withoutImsi } = sample;
  const cases: [string, FlowSchema, Record<string, unknown>, Partial<FlowRecord>][] = [
    ['a field the writer did not know', without(flowSchema, 'servedImsi'), withoutImsi, { servedImsi: null }],
    [
      'a field the reader does not know',
      plus(flowSchema, { name: 'apn', type: 'string' }),
      { ...sample, apn: 'ims' },
      {},
    ],
    [
      'a list the reader does not know',
      plus(flowSchema, { name: 'cells', type: { type: 'array', items: 'int' } }),
      { ...sample, cells: [1, 2, 3] },
      {},
    ],
    ['another order', { ...flowSchema, fields: flowSchema.fields.toReversed() }, { ...sample }, {}],
    ['another namespace', { ...flowSchema, namespace: 'carrier.cdr' }, { ...sample }, {}],
    [
      'a number promoted from int',
      changed(flowSchema, 'uplinkOctets', (field) => ({ ...field, type: 'int' })),
      { ...sample },
      {},
    ],
    [
      'a text promoted from octets',
      changed(flowSchema, 'nodeId', (field) => ({ ...field, type: 'bytes' })),
      { ...sample, nodeId: Buffer.from('pgw-1') },
      {},
    ],
    [
      'a field that is optional now',
      changed(flowSchema, 'zeroRatingTag', ({ name }) => ({ name, type: 'string' })),
      { ...sample },
      {},
    ],
  ];
  test.each(cases)('reads %s', (_case, writerSchema, written, difference) => {
    const value = avro.Type.forSchema(writerSchema as AvroSchema).toBuffer(written);
    const expected = { ...sample, ...difference };
    const decode = decoder({ schemas: new Map([[9, writerSchema as AvroSchema]]) });
    expect({ ...decode(withHeader(9, value)).candidate }).toEqual(expected);
    const bare = decoder({ bareSchema: writerSchema as AvroSchema, header: 'bare' });
    expect({ ...bare(value).candidate }).toEqual(expected);
  });

  test('reads a field renamed by an alias of the reader', () => {
    const renamed = changed(flowSchema, 'servedMsisdn', (field) => ({ ...field, aliases: ['msisdn'] }));
    const old = changed(flowSchema, 'servedMsisdn', (field) => ({ ...field, name: 'msisdn' }));
    const { servedMsisdn: msisdn, ...rest } = sample;
    const value = avro.Type.forSchema(old as AvroSchema).toBuffer({ ...rest, msisdn });
    const decode = decoder({ readerSchema: renamed as AvroSchema, bareSchema: old as AvroSchema });
    expect({ ...decode(value).candidate }).toEqual(sample);
  });

  test('reads a field that the writer renamed, with an alias that says from what', () => {
    const renamed = changed(flowSchema, 'servedMsisdn', (field) => ({
      ...field,
      name: 'msisdn',
      aliases: ['isdn', 'servedMsisdn'],
    }));
    const { servedMsisdn: msisdn, ...rest } = sample;
    const value = avro.Type.forSchema(renamed as AvroSchema).toBuffer({ ...rest, msisdn });
    const decode = decoder({ schemas: new Map([[9, renamed as AvroSchema]]) });
    expect({ ...decode(withHeader(9, value)).candidate }).toEqual(sample);
    // The short way too: a datum holds no names.
    expect(isReadByKernel(decode, withHeader(9, value))).toBe(true);
  });

  test('takes an alias for a field only where the writer has none of that name', () => {
    const both = plus(flowSchema, { name: 'payer', type: 'string', aliases: ['servedMsisdn'] });
    const value = avro.Type.forSchema(both as AvroSchema).toBuffer({ ...sample, payer: '999000000000' });
    expect({ ...decoder({ bareSchema: both as AvroSchema })(value).candidate }).toEqual(sample);
  });

  test.each([
    ['lacks a field without a default', without(flowSchema, 'uplinkOctets')],
    ['has text for a number', changed(flowSchema, 'uplinkOctets', (field) => ({ ...field, type: 'string' }))],
    ['is no schema', { type: 'recrod' }],
    ['is no record', ['null', 'string']],
  ])('refuses, when it is made, a schema that %s', (_case, schema) => {
    const make = () => decoder({ schemas: new Map([[12, schema as AvroSchema]]) });
    expect(make).toThrow(/^schema 12 cannot be read as a flow record: /);
  });
});

describe('a schema that is learnt later', () => {
  const datum = flowType.toBuffer(sample);
  const idOf = (decode: ReturnType<typeof decoder>, value: Buffer) => decode.unknownIdOf(value, 0, value.length);

  test('is asked for by the id of the header, once', () => {
    const decode = decoder({ header: 'confluent' });
    const value = withHeader(2 ** 32 - 1, datum);
    expect(idOf(decode, value)).toBe(2 ** 32 - 1);
    expect(decode(value).fault?.reason).toBe('unknown_schema');
    decode.learn(2 ** 32 - 1, readerSchema);
    expect(idOf(decode, value)).toBe(NO_ID);
    expect({ ...decode(value).candidate }).toEqual(sample);
    expect(isReadByKernel(decode, value)).toBe(true);
    expect(idOf(decode, withHeader(3, datum))).toBe(3);
  });

  test('is read by its own layout', () => {
    const writerSchema = plus(flowSchema, { name: 'apn', type: 'string', default: '' }) as AvroSchema;
    const decode = decoder();
    decode.learn(8, writerSchema);
    const value = withHeader(8, avro.Type.forSchema(writerSchema).toBuffer({ ...sample, apn: 'ims' }));
    expect(isReadByKernel(decode, value)).toBe(false);
    expect({ ...decode(value).candidate }).toEqual(sample);
  });

  test.each([
    ['lacks a field without a default', without(flowSchema, 'uplinkOctets') as AvroSchema],
    ['is no schema', { type: 'recrod' } as unknown as AvroSchema],
  ])('that %s rejects its records, and nothing else', (_case, schema) => {
    const decode = decoder();
    decode.learn(8, schema);
    const value = withHeader(8, datum);
    expect(idOf(decode, value)).toBe(NO_ID);
    expect(decode(value).fault?.reason).toBe('incompatible_schema');
    expect(decode(value).fault?.detail).toMatch(/^schema 8 cannot be read as a flow record: /);
    expect(isReadByKernel(decode, value)).toBe(false);
    expect({ ...decode(datum).candidate }).toEqual(sample);
  });

  test.each([
    ['a bare record', datum, 'auto'],
    ['a record too short for a header', Buffer.from([0, 0, 0, 1]), 'auto'],
    ['a tombstone', Buffer.alloc(0), 'confluent'],
    ['what never has a header', withHeader(9, datum), 'bare'],
  ] as const)('is not asked for by %s', (_case, value, header) => {
    expect(idOf(decoder({ header }), value)).toBe(NO_ID);
  });

  test('was unknown then: the record is rejected as it was, whatever is known now', () => {
    expect(rejectUnknownSchema(withHeader(77, datum))).toEqual(decoder()(withHeader(77, datum)));
    const readable = decoder({ schemas: new Map([[77, readerSchema]]) });
    expect(readable(withHeader(77, datum)).fault).toBeUndefined();
  });
});

describe('longs beyond what avsc reads right', () => {
  const bigWriter = avro.Type.forSchema(readerSchema, {
    typeHook: (schema) => (schema === 'long' || (schema as { type?: unknown }).type === 'long' ? bigLong : undefined),
  });

  const bigSample = Object.fromEntries(
    Object.entries(sample).map(([name, value]) => [name, LONGS.has(name) ? BigInt(value ?? 0) : value]),
  );

  test.each([
    [2n ** 63n - 1n, 2 ** 63],
    [-(2n ** 63n), -(2 ** 63)],
    [2n ** 53n - 1n, 2 ** 53 - 1],
    [2n ** 53n, 2 ** 53],
    [2n ** 52n, 2 ** 52],
    [-(2n ** 52n) - 1n, -(2 ** 52) - 1],
    [-(2n ** 53n) + 1n, -(2 ** 53) + 1],
  ])('gives %s as the nearest double', (long, double) => {
    const value = bigWriter.toBuffer({ ...bigSample, uplinkOctets: long, startTime: long });
    expect({ ...decoder()(value).candidate }).toEqual({ ...sample, uplinkOctets: double, startTime: double });
    expect(decoder()(value.subarray(0, -1)).fault?.reason).toBe('malformed');
  });

  test.each([
    ['uplinkOctets', 2n ** 60n, 'octets_out_of_range'],
    ['downlinkOctets', -(2n ** 60n), 'negative_octets'],
    ['startTime', 2n ** 60n, 'time_out_of_range'],
    ['chargingId', 2n ** 60n, 'invalid_field'],
    ['localSequenceNumber', -(2n ** 52n) - 1n, 'invalid_field'],
  ])('leaves a %s of %s to the validation, which says %s', (field, long, reason) => {
    const { candidate } = decoder()(bigWriter.toBuffer({ ...bigSample, [field]: long }));
    expect(validateFlowRecord(candidate ?? {})).toMatchObject({ reason });
  });

  test('refuses a long of more than 64 bits', () => {
    const datum = flowType.toBuffer(sample);
    const tail = flowType.toBuffer({ ...sample, uplinkOctets: 0, downlinkOctets: 0 }).length - 2;
    const tooLong = Buffer.concat([datum.subarray(0, tail), Buffer.alloc(11, 0x80), Buffer.of(0x02, 0x00)]);
    expect(decoder()(tooLong).fault?.reason).toBe('malformed');
  });
});

test('refuses an array with a count of 2^60 at once', () => {
  const writerSchema = plus(flowSchema, { name: 'cells', type: { type: 'array', items: 'int' } }) as AvroSchema;
  const count = Buffer.from([0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x1f]);
  const value = Buffer.concat([flowType.toBuffer(sample), count]);
  expect(decoder({ bareSchema: writerSchema })(value).fault?.reason).toBe('malformed');
});

function without(schema: FlowSchema, name: string): FlowSchema {
  return { ...schema, fields: schema.fields.filter((field) => field.name !== name) };
}

function plus(schema: FlowSchema, field: Field): FlowSchema {
  return { ...schema, fields: [...schema.fields, field] };
}

function changed(schema: FlowSchema, name: string, change: (field: Field) => Field): FlowSchema {
  return { ...schema, fields: schema.fields.map((field) => (field.name === name ? change(field) : field)) };
}
