import { readFileSync } from 'node:fs';
import avro from 'avsc';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { admitted, drawn, LATEST_MS, seldom } from './admission.fixture.ts';
import { csvDecoder } from './decode/decode-csv.ts';
import { decodeJson } from './decode/decode-json.ts';
import { decodeJsonValue } from './decode/decode-json-value.ts';
import { avroDecoder } from './decode-avro.ts';
import { type Decoder, FLOW_RECORD_FIELDS, type FlowRecord, NULLABLE_FIELDS } from './flow-record.ts';
import { fuzzing, isReadByKernel } from './kernel/kernel.fixture.ts';
import { fingerprintOf } from './record/fingerprint.ts';
import { testRecord } from './traffic.fixture.ts';

const withoutKernel =
  (decode: Decoder): Decoder =>
  (value) =>
    decode(value);
const octetsOf = (line: string): Buffer => Buffer.from(line);
const numberOf = { min: 0, max: 400 };

/** Values as they are written, most of them of another kind than the field's. */
const oddValue = fc.constantFrom(
  ...['null', '""', '"\\u0041"', '"a\\"b"', '"é"', '"\x7f"', '"\t"', '"\\u00e9"', '"a,b"', '"a', 'a"', "'a'"],
  ...['0', '-0', '-1', '00', '01', '1.0', '1.5', '1e3', '1E+2', '+1', '0x10', '.5', '1.', '1_0', ' 1', '1 '],
  ...['281474976710655', '281474976710656', '999999999999999', '1000000000000000', '9007199254740991', '12345678'],
  ...['123456789', '9007199254740993', '9223372036854775807', '123456789012345678901234567890', 'NaN', 'nul', 'nulll'],
  ...['true', 'false', '[]', '{}', '[1]', '{"nodeId":"x"}', '', `"${'x'.repeat(256)}"`, `"${'x'.repeat(257)}"`],
  ...['"1"', '"999000000001"', '"text"', '"unknown"', '"10.0.0.1"', '"null"', 'null,', 'Null', '"text\0"'],
);
const oddName = fc.constantFrom(
  ...['schema', 'payload', '__proto__', 'node_id', 'NodeId', 'nodeid', 'nodeId ', ' nodeId', '', 'nodeI', 'nodeIdx'],
  ...['before', 'after', 'fault', 'constructor', 'vendorField', 'é', '\\u006eodeId', 'localSequenceNumbe'],
);
const orders = fc.oneof(
  fc.constant([...FLOW_RECORD_FIELDS]),
  fc.shuffledSubarray([...FLOW_RECORD_FIELDS], { minLength: FLOW_RECORD_FIELDS.length }),
);
/** In place of, or beside, what is written well. */
const seldomOf = <T>(arbitrary: fc.Arbitrary<T>) => fc.array(arbitrary, { maxLength: 1 });

/** Objects in JSON: fields in any order, some of them odd, missing, twice or unknown; blanks; and some are damaged. */
const objects = fc
  .record({
    record: fc.oneof(drawn, fc.constant(testRecord())),
    order: orders,
    left: seldom(fc.constantFrom<string>(...NULLABLE_FIELDS)),
    values: seldom(fc.tuple(fc.constantFrom(...FLOW_RECORD_FIELDS), oddValue)),
    added: seldom(fc.tuple(fc.oneof(oddName, fc.constantFrom<string>(...FLOW_RECORD_FIELDS)), oddValue, fc.nat(21))),
    blanks: fc.constantFrom(['', ''], ['', ''], ['', ' '], [' ', ' '], ['  ', ''], ['\t', ''], ['', '\r']),
    around: fc.oneof({ weight: 9, arbitrary: fc.constant(['', '']) }, around()),
    damage: seldom(fc.tuple(fc.nat(numberOf.max), fc.nat(255))),
    cut: seldom(fc.nat(numberOf.max)),
  })
  .map(({ record, order, left, values, added, blanks: [before, after], around: [prefix, suffix], damage, cut }) => {
    const members = order
      .filter((name) => name !== left)
      .map((name) => [name, values?.[0] === name ? values[1] : JSON.stringify(record[name])]);
    if (added !== null) members.splice(added[2], 0, [added[0], added[1]]);
    const text = members.map(([name, value]) => `${after}"${name}"${before}:${after}${value}${before}`).join(',');
    return damaged(octetsOf(`${prefix}{${text}}${suffix}`), damage, cut);
  });

function around() {
  const pairs = [
    [' ', ''],
    ['', '  '],
    ['\ufeff', ''],
    ['', '}'],
    ['', ','],
    ['', '{}'],
    ['[', ']'],
    ['\0\0\0\0\x01', ''],
  ];
  return { weight: 1, arbitrary: fc.constantFrom(...pairs, ['{"schema":{},"payload":', '}'], ['', '\0'], ['"', '"']) };
}

function damaged(octets: Buffer, damage: [at: number, octet: number] | null, cut: number | null): Buffer {
  if (damage !== null && damage[0] < octets.length) octets[damage[0]] = damage[1];
  return cut === null ? octets : octets.subarray(0, cut);
}

test.each([
  ['a file', decodeJson],
  ['a topic', decodeJsonValue],
])('an object of %s is read as JSON.parse and the validation read it, whatever the octets are', (_of, decode) => {
  let short = 0;
  fc.assert(
    fc.property(fc.array(objects, { minLength: 1, maxLength: 20 }), fc.boolean(), (values, isTogether) => {
      expect(admitted(values, decode, isTogether)).toEqual(admitted(values, withoutKernel(decode)));
      for (const value of values) if (isReadByKernel(decode, value)) short++;
    }),
    fuzzing(),
  );
  expect(short).toBeGreaterThan(300);
});

const cellOf = (value: unknown): string => {
  if (value === null) return '';
  return typeof value === 'string' && /[",\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : String(value);
};
const oddCell = fc.constantFrom(
  ...[
    '',
    ' ',
    '""',
    '"a"',
    '"a,b"',
    '"a""b"',
    'a"b',
    'é',
    '\t',
    '\r',
    'null',
    '0',
    '00',
    '01',
    '-0',
    '-1',
    '+1',
    '1.5',
    '1e3',
  ],
  ...[
    '999999999999999',
    '1000000000000000',
    '9007199254740993',
    '12345678',
    '123456789',
    ' 1',
    '1 ',
    '{',
    "'",
    '\\',
    '\x7f',
  ],
  ...['x'.repeat(256), 'x'.repeat(257), '1'.repeat(40)],
);
const csvFiles = fc
  .record({
    order: orders,
    left: seldom(fc.constantFrom<string>(...NULLABLE_FIELDS)),
    lines: fc.array(
      fc.record({
        record: fc.oneof(drawn, fc.constant(testRecord())),
        values: seldom(fc.tuple(fc.nat(20), oddCell)),
        added: seldomOf(oddCell),
        damage: seldom(fc.tuple(fc.nat(numberOf.max), fc.nat(255))),
        cut: seldom(fc.nat(numberOf.max)),
      }),
      { minLength: 1, maxLength: 20 },
    ),
  })
  .map(({ order, left, lines }) => {
    const columns = order.filter((name) => name !== left);
    const values = lines.map(({ record, values, added, damage, cut }) => {
      const cells = columns.map((name) => cellOf(record[name]));
      if (values !== null) cells[values[0]] = values[1];
      if (added.length > 0 && added[0].length > 1) cells.push(added[0]);
      return damaged(octetsOf(cells.join(',')), damage, cut);
    });
    return { columns, values };
  });

test('a line of CSV is read as the long way reads it, whatever the octets are', () => {
  let short = 0;
  fc.assert(
    fc.property(csvFiles, fc.boolean(), ({ columns, values }, isTogether) => {
      const decode = csvDecoder(columns);
      expect(admitted(values, decode, isTogether)).toEqual(admitted(values, withoutKernel(decode)));
      for (const value of values) if (isReadByKernel(decode, value)) short++;
    }),
    fuzzing(),
  );
  expect(short).toBeGreaterThan(300);
});

test('lines of files with other columns are read in turns', () => {
  const [here, there] = [[...FLOW_RECORD_FIELDS], FLOW_RECORD_FIELDS.toReversed()];
  for (const columns of [here, there, here]) {
    const decode = csvDecoder(columns);
    const value = octetsOf(columns.map((name) => cellOf(testRecord()[name])).join(','));
    expect(isReadByKernel(decode, value)).toBe(true);
    expect(admitted([value], decode)).toEqual(admitted([value], withoutKernel(decode)));
  }
});

test('a header with a column that is no field, or twice, leaves all lines to the long way', () => {
  expect(csvDecoder(['nodeId', 'vendorField']).plainDatum).toBeUndefined();
  expect(csvDecoder(['nodeId', 'nodeId']).plainDatum).toBeUndefined();
});

test('a record has one content, in JSON, in CSV and in Avro', () => {
  const schema = JSON.parse(readFileSync('schemas/flow-record.avsc', 'utf8'));
  const decodeAvro = avroDecoder({ readerSchema: schema, schemas: new Map(), header: 'bare' });
  const type = avro.Type.forSchema(schema);
  const decodeCsv = csvDecoder(FLOW_RECORD_FIELDS);
  let read = 0;
  fc.assert(
    fc.property(drawn, (record: FlowRecord) => {
      const [json, datum] = [octetsOf(JSON.stringify(record)), type.toBuffer(record)];
      const line = octetsOf(FLOW_RECORD_FIELDS.map((name) => cellOf(record[name])).join(','));
      if (record.endTime > LATEST_MS || !isReadByKernel(decodeJson, json)) return;
      read++;
      const fingerprint = new Uint32Array([fingerprintOf(record)]);
      expect(isReadByKernel(decodeAvro, datum)).toBe(true);
      expect(admitted([json], decodeJson).columns.fingerprint).toEqual(fingerprint);
      expect(admitted([datum], decodeAvro).columns.fingerprint).toEqual(fingerprint);
      // An empty cell is null.
      const isSame = !Object.values(record).includes('');
      if (isSame) expect(admitted([line], decodeCsv).columns.fingerprint).toEqual(fingerprint);
    }),
    fuzzing(),
  );
  expect(read).toBeGreaterThan(30);
});

test.each([
  ['in the order of a datum', JSON.stringify(testRecord())],
  ['with spaces', JSON.stringify(testRecord(), null, 1).replaceAll('\n', '')],
  ['in the reverse order', JSON.stringify(Object.fromEntries(Object.entries(testRecord()).reverse()))],
  ['without the fields that are null', JSON.stringify(testRecord(), (_, value) => value ?? undefined)],
])('an object %s takes the short way', (_case, line) => {
  expect(isReadByKernel(decodeJson, octetsOf(line))).toBe(true);
});

test.each([
  ['an escape', JSON.stringify(testRecord()).replace('gw-1', '\\u0067w-1')],
  ['a name twice', JSON.stringify(testRecord()).replace('{', '{"nodeId":"gw-1",')],
  ['a name of no field', JSON.stringify({ ...testRecord(), vendorField: 1 })],
  ['a fraction', JSON.stringify(testRecord()).replace(/("protocol":)\d+/, '$16.0')],
  ['a byte order mark', `\ufeff${JSON.stringify(testRecord())}`],
  ['a second object', `${JSON.stringify(testRecord())}{}`],
  ['a tab', JSON.stringify(testRecord()).replace(':', ':\t')],
  ['text that is not ASCII', JSON.stringify(testRecord({ nodeId: 'gw-é' }))],
])('an object with %s takes the long way', (_case, line) => {
  expect(line).not.toBe(JSON.stringify(testRecord()));
  expect(isReadByKernel(decodeJson, octetsOf(line))).toBe(false);
});
