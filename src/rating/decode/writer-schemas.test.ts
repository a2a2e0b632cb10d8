import { readdirSync, readFileSync } from 'node:fs';
import avro from 'avsc';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type AvroSchema, avroDecoder } from '../decode-avro.ts';
import { FLOW_RECORD_FIELDS, type FlowRecord } from '../flow-record.ts';
import { isReadByKernel } from '../kernel/kernel.fixture.ts';
import { readRecord } from '../pipeline.ts';
import { testRecord } from '../traffic.fixture.ts';

interface Field {
  name: string;
  type: unknown;
  [attribute: string]: unknown;
}
interface RecordSchema {
  type: string;
  name: string;
  namespace?: string;
  fields: Field[];
}

const own: RecordSchema = JSON.parse(readFileSync('schemas/flow-record.avsc', 'utf8'));
const readerSchema = own as unknown as AvroSchema;
const asSchema = (schema: unknown) => schema as AvroSchema;
const bare = (schema: unknown) =>
  avroDecoder({ readerSchema, schemas: new Map(), bareSchema: asSchema(schema), header: 'bare' });
const changed = (name: string, change: Partial<Field>): RecordSchema => ({
  ...own,
  fields: own.fields.map((field) => (field.name === name ? { ...field, ...change } : field)),
});
const read = (schema: unknown, octets: Buffer) => {
  const { plainDatum: _, ...decode } = bare(schema);
  return readRecord(
    { value: octets, oversizedOctets: 0 },
    Object.assign((value: Uint8Array) => bare(schema)(value), decode),
  );
};

/** A writer that knows of no rule but Avro's encoding: of a field's type it takes the branch that it is given. */
class Writer {
  readonly #parts: Buffer[] = [];

  long(value: number | bigint): this {
    let zigzag = BigInt.asUintN(64, (BigInt(value) << 1n) ^ (BigInt(value) >> 63n));
    const octets: number[] = [];
    for (; zigzag >= 128n; zigzag >>= 7n) octets.push(Number(zigzag & 127n) | 128);
    return this.raw(Buffer.from([...octets, Number(zigzag)]));
  }
  text(value: string | Buffer): this {
    const octets = Buffer.from(value as string);
    return this.long(octets.length).raw(octets);
  }
  raw(octets: Buffer): this {
    this.#parts.push(octets);
    return this;
  }
  get octets(): Buffer {
    return Buffer.concat(this.#parts);
  }
}

const TIMES = new Set(['startTime', 'endTime']);
const isText = (name: string) => typeof testRecord()[name as keyof FlowRecord] === 'string' || NULL_TEXTS.has(name);
const NULL_TEXTS = new Set([
  'servedImsi',
  'zeroRatingTag',
  'contentType',
  'sponsorIdentity',
  'applicationServiceProviderIdentity',
  'servingPlmn',
  'trackingArea',
  'detectedApplication',
  'detectedBy',
  'accountId',
]);
const NULLABLE = new Set([...NULL_TEXTS, 'ratingGroup', 'serviceIdentifier', 'ratType']);

/** One way in which a writer may have a value: its type in the schema, and the value in its octets. */
interface Way {
  type: unknown;
  write(writer: Writer, value: string | number): void;
}
const long = (type: unknown): Way => ({ type, write: (writer, value) => writer.long(value as number) });
const text = (type: unknown): Way => ({ type, write: (writer, value) => writer.text(value as string) });
const ofScale = (times: bigint, logicalType: string): Way => ({
  type: { type: 'long', logicalType },
  write: (writer, value) => writer.long(BigInt(value) * times + times / 3n),
});
function decimalOctets(value: number): Buffer {
  const octets = Buffer.alloc(9);
  octets.writeBigInt64BE(BigInt(value), 1);
  return octets;
}
const WHOLE_WAYS: Way[] = [
  long('long'),
  long({ type: 'long', 'connect.version': 1 }),
  {
    type: { type: 'bytes', logicalType: 'decimal', precision: 20, scale: 0 },
    write: (writer, value) => writer.text(decimalOctets(value as number)),
  },
  {
    type: { type: 'fixed', name: 'Number20', size: 9, logicalType: 'decimal', precision: 20 },
    write: (writer, value) => writer.raw(decimalOctets(value as number)),
  },
];
const TIME_WAYS: Way[] = [
  long('long'),
  long({ type: 'long', logicalType: 'timestamp-millis' }),
  long({ type: 'long', 'connect.name': 'org.apache.kafka.connect.data.Timestamp' }),
  ofScale(1000n, 'timestamp-micros'),
  ofScale(1_000_000n, 'timestamp-nanos'),
  {
    type: { type: 'long', 'connect.name': 'io.debezium.time.MicroTimestamp' },
    write: (writer, value) => writer.long(BigInt(value) * 1000n),
  },
];
const TEXT_WAYS: Way[] = [
  text('string'),
  text({ type: 'string', 'avro.java.string': 'String' }),
  text({ type: 'string', logicalType: 'uuid' }),
  text('bytes'),
];
const enumOf = (value: string): Way => ({
  type: { type: 'enum', name: `Kind${Math.abs(value.length * 7)}`, symbols: ['nothing', value] },
  write: (writer) => writer.long(1),
});

/** How a field is written: which way, between which other branches of a union, if any. */
const shape = fc.record({
  way: fc.nat(20),
  isEnum: fc.boolean(),
  others: fc.option(fc.shuffledSubarray(['null', 'boolean', 'double'], { minLength: 0 })),
  place: fc.nat(3),
});
const spelling = fc.constantFrom<(name: string) => string>(
  (name) => name,
  (name) => name.toUpperCase(),
  (name) => name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
);
const drawn = fc.record({
  shapes: fc.array(shape, { minLength: FLOW_RECORD_FIELDS.length }),
  order: fc.shuffledSubarray([...FLOW_RECORD_FIELDS], { minLength: FLOW_RECORD_FIELDS.length }),
  spell: spelling,
  name: fc.constantFrom('topLevelRecord', 'KsqlDataSourceSchema', 'ConnectDefault', 'flow-record', 'a.b.C'),
  record: fc.record({
    localSequenceNumber: fc.nat(),
    servedMsisdn: fc.constantFrom('999000000001', '4917012345'),
    servedImsi: fc.option(fc.string({ maxLength: 9 })),
    zeroRatingTag: fc.option(fc.string({ unit: 'grapheme', maxLength: 9 })),
    contentType: fc.option(fc.constantFrom('text', 'video')),
    ratingGroup: fc.option(fc.nat(2 ** 31 - 1)),
    servingPlmn: fc.option(fc.constantFrom('26201', '310410')),
    ratType: fc.option(fc.nat(255)),
    trackingArea: fc.option(fc.constantFrom('26201-00af', '310410-00af01')),
    detectedApplication: fc.option(fc.string({ maxLength: 9 })),
    detectedBy: fc.option(fc.constantFrom('sni', 'dns', 'dpi')),
    accountId: fc.option(fc.constantFrom('B-17', '999000000001')),
    uplinkOctets: fc.nat(2 ** 47),
    startTime: fc.nat(2 ** 31).map((s) => Date.UTC(2026, 0, 1) + s),
  }),
  nulls: fc.array(fc.constantFrom(...FLOW_RECORD_FIELDS), { maxLength: 1 }),
});

test('reads what writers of other tools write: any name, order, spelling, union and type that holds the same', () => {
  fc.assert(
    fc.property(drawn, ({ shapes, order, spell, name, record: parts, nulls }) => {
      const record = testRecord({ ...parts, endTime: parts.startTime + 5 } as Partial<FlowRecord>);
      const writer = new Writer();
      const expected: Record<string, unknown> = { ...record };
      const fields = order.map((field, at): Field => {
        const { way: pick, isEnum, others, place } = shapes[at] as (typeof shapes)[number];
        let value = record[field];
        if (nulls.includes(field)) value = null;
        const ways = TIMES.has(field) ? TIME_WAYS : isText(field) ? TEXT_WAYS : WHOLE_WAYS;
        const canBeEnum = isEnum && isText(field) && typeof value === 'string' && /^\w+$/.test(value);
        const way = canBeEnum ? enumOf(value as string) : (ways[pick % ways.length] as Way);
        expected[field] = value;
        const around = value === null ? ['null', ...(others ?? []).filter((other) => other !== 'null')] : others;
        if (around === null) {
          way.write(writer, value as string | number);
          return { name: spell(field), type: way.type };
        }
        const branches = around.toSpliced(place, 0, way.type as never);
        writer.long(value === null ? branches.indexOf('null' as never) : branches.indexOf(way.type as never));
        if (value !== null) way.write(writer, value);
        return { name: spell(field), type: branches };
      });
      const decoded = read({ type: 'record', name, fields }, writer.octets);
      const missing = FLOW_RECORD_FIELDS.find((field) => nulls.includes(field) && !NULLABLE.has(field));
      if (missing === undefined) expect({ ...decoded }).toEqual(expected);
      else expect(decoded).toMatchObject({ reason: 'missing_field', detail: expect.stringContaining(missing) });
    }),
    { numRuns: 200 },
  );
});

describe('the cases of fixtures/cases/avro', () => {
  const folder = 'fixtures/cases/avro';
  const cases = readdirSync(folder).filter((name) => name.endsWith('.avsc'));
  expect(cases.length).toBeGreaterThan(2);
  test.each(cases)('%s is read, and a null where a value must be is missing_field', (file) => {
    const schema: RecordSchema = JSON.parse(readFileSync(`${folder}/${file}`, 'utf8'));
    const types = { ...schema, fields: schema.fields.map(({ default: _, ...field }) => field) };
    const type = avro.Type.forSchema(asSchema(types));
    const record = testRecord({ contentType: 'video' });
    const octets = type.toBuffer({ ...record, apn: null });
    expect({ ...read(schema, octets) }).toEqual(record);
    const headed = Buffer.concat([Buffer.from([0, 0, 0, 0, 9]), octets]);
    const decode = avroDecoder({ readerSchema, schemas: new Map([[9, asSchema(schema)]]), header: 'auto' });
    expect({ ...decode(headed).candidate }).toEqual(record);
    if (!Array.isArray(schema.fields[0]?.type)) return;
    for (const name of ['nodeId', 'startTime', 'uplinkOctets']) {
      const without = type.toBuffer({ ...record, apn: null, [name]: null });
      expect(read(schema, without)).toEqual({ reason: 'missing_field', detail: `${name} is missing` });
    }
  });
});

test.each([
  ['local-timestamp-millis', changed('startTime', { type: { type: 'long', logicalType: 'local-timestamp-millis' } })],
  ['int', changed('startTime', { type: 'int' })],
  ['string', changed('startTime', { type: 'string' })],
  ['double', changed('uplinkOctets', { type: ['null', 'double'] })],
  [
    'with scale 2',
    changed('uplinkOctets', { type: { type: 'bytes', logicalType: 'decimal', precision: 9, scale: 2 } }),
  ],
  ['long', changed('servedMsisdn', { type: 'long' })],
  ['bytes (decimal)', changed('nodeId', { type: { type: 'bytes', logicalType: 'decimal', precision: 9 } })],
  [
    'record or array',
    changed('contentType', {
      type: ['null', { type: 'record', name: 'C', fields: [] }, { type: 'array', items: 'int' }],
    }),
  ],
])('refuses a schema whose field can hold no such value (%s), and names the field', (what, schema) => {
  const field = own.fields.find(({ name, type }) => schema.fields.find((f) => f.name === name)?.type !== type)?.name;
  const message = new RegExp(`cannot be read as a flow record: its field ${field} is .*a flow record has`);
  expect(() => bare(schema)).toThrow(message);
  expect(() => bare(schema)).toThrow(what);
});

test.each([
  ['contentTyp', 'contentType', /its field contentTyp is none of a flow record; did you mean contentType\?/],
  ['ratingGruop', 'ratingGroup', /did you mean ratingGroup\?/],
  ['octetsUp', 'uplinkOctets', /record FlowRecord has no field uplinkOctets; add it, or give the right field an alias/],
])('refuses a schema with a field %s in place of %s', (name, field, message) => {
  expect(() => bare({ ...changed(field, { name }), namespace: undefined })).toThrow(message);
});

test('refuses two fields that can each be one of a flow record, and takes the one that has its very name', () => {
  const twice = (first: string, second: string) => ({
    ...own,
    fields: own.fields.flatMap((field) =>
      field.name === 'nodeId'
        ? [
            { ...field, name: first },
            { ...field, name: second },
          ]
        : [field],
    ),
  });
  expect(() => bare(twice('NODEID', 'node_id'))).toThrow(/NODEID, node_id can each be its field nodeId/);
  const { nodeId: _, ...rest } = testRecord();
  const type = avro.Type.forSchema(asSchema(twice('NODEID', 'nodeId')));
  expect(read(twice('NODEID', 'nodeId'), type.toBuffer({ ...rest, NODEID: 'x', nodeId: 'y' }))).toMatchObject({
    nodeId: 'y',
  });
});

test.each([
  ['a change event of Debezium', ['before', 'after', 'op'], /change event of Debezium; unwrap it/],
  ['an envelope', ['schema', 'payload'], /envelope; write its payload alone/],
])('names %s', (_, names, message) => {
  const inner = { ...own, name: 'Value' };
  const fields = names.map((name, at) => ({ name, type: at === 0 ? ['null', inner] : ['null', 'string'] }));
  expect(() => bare({ type: 'record', name: 'Envelope', fields })).toThrow(message);
});

describe('what Java takes and others do not', () => {
  const record = testRecord();
  const octets = avro.Type.forSchema(readerSchema).toBuffer(record);
  test.each([
    ['a namespace with hyphens', { ...own, namespace: 'my-carrier.flows' }],
    ['no name', { ...own, name: '' }],
    ['a union of one branch', changed('nodeId', { type: 'string' })],
    ['a default of another type', changed('nodeId', { default: 7 })],
    ['a default of another branch', changed('servedImsi', { default: 'none' })],
  ])('%s is read', (_, schema) => {
    expect({ ...read(schema, octets) }).toEqual(record);
  });

  test('the same name of two nested records, and a record at the top of a union', () => {
    const cell = (type: string) => ({ type: 'record', name: 'ConnectDefault', fields: [{ name: 'id', type }] });
    const more = [
      { name: 'from', type: cell('long') },
      { name: 'to', type: ['null', cell('string')] },
    ];
    const schema = ['null', { ...own, fields: [...own.fields, ...more] }, cell('int')];
    const value = new Writer().long(1).raw(octets).long(7).long(1).text('x').octets;
    expect({ ...read(schema, value) }).toEqual(record);
    expect(read(schema, new Writer().long(0).octets)).toMatchObject({ reason: 'missing_field' });
    const other = [own, { ...own, name: 'Other', fields: own.fields.slice(1) }];
    expect(read(other, new Writer().long(1).raw(octets).octets)).toMatchObject({
      reason: 'incompatible_schema',
      detail: expect.stringMatching(/record zerorate.Other of .* has no field nodeId/),
    });
  });

  test('a value of a branch that a field cannot be is invalid_field for that record alone', () => {
    const schema = changed('contentType', { type: ['null', 'string', 'long'] });
    const type = avro.Type.forSchema(asSchema(schema));
    expect({ ...read(schema, type.toBuffer({ ...record, contentType: 'text' })) }).toEqual({
      ...record,
      contentType: 'text',
    });
    const detail = 'contentType is not text';
    expect(read(schema, type.toBuffer({ ...record, contentType: 5 }))).toEqual({ reason: 'invalid_field', detail });
  });

  test('a long where an int is expected is read where it fits, and text must be UTF-8', () => {
    const schema = changed('ratingGroup', { type: ['null', 'long'] });
    const type = avro.Type.forSchema(asSchema(schema));
    expect(read(schema, type.toBuffer({ ...record, ratingGroup: 7 }))).toMatchObject({ ratingGroup: 7 });
    const tooLarge = read(schema, type.toBuffer({ ...record, ratingGroup: 2 ** 31 }));
    expect(tooLarge).toMatchObject({ reason: 'invalid_field', detail: expect.stringContaining('ratingGroup') });
    const damaged = Buffer.from(octets);
    damaged[1] = 0xff;
    expect(read(own, damaged)).toMatchObject({ reason: 'invalid_field', detail: 'nodeId is not text' });
  });
});

test('upper-case names in the flow record’s layout take the short way', () => {
  const upper = { ...own, fields: own.fields.map((field) => ({ ...field, name: field.name.toUpperCase() })) };
  const octets = avro.Type.forSchema(readerSchema).toBuffer(testRecord());
  expect(isReadByKernel(bare(upper), octets)).toBe(true);
  const micros = changed('startTime', { type: { type: 'long', logicalType: 'timestamp-micros' } });
  expect(isReadByKernel(bare(micros), octets)).toBe(false);
});
