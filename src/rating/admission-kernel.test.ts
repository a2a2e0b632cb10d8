import { readFileSync } from 'node:fs';
import avro from 'avsc';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { address, admitted, BOOKING_DAY, drawn, RULES, seldom } from './admission.fixture.ts';
import { AdmissionKernel } from './admission-kernel.ts';
import { csvDecoder } from './decode/decode-csv.ts';
import { decodeJson } from './decode/decode-json.ts';
import { avroDecoder } from './decode-avro.ts';
import {
  DETECTIONS,
  type Decoder,
  FLOW_RECORD_FIELDS,
  FlowBatch,
  type FlowRecord,
  NO_LATER_FIELDS,
} from './flow-record.ts';
import { incoming } from './incoming.ts';
import { parseIp, parseIpOctets } from './ip-address.ts';
import { fuzzing, isReadByKernel } from './kernel/kernel.fixture.ts';
import { NO_RAT_TYPE, NO_TEXT } from './kernel/regions.ts';
import { admit } from './pipeline.ts';
import { testLane, testRecord, testRules } from './traffic.fixture.ts';

const schema = JSON.parse(readFileSync('schemas/flow-record.avsc', 'utf8'));
const type = avro.Type.forSchema(schema);
const decode = avroDecoder({ readerSchema: schema, schemas: new Map([[1, schema]]), header: 'auto' });
const longWay: Decoder = (value) => decode(value);

const rules = testRules();

/** Datums, some with a header, some damaged: an octet is another, or the end is missing. */
const datums = fc
  .tuple(drawn, fc.boolean(), seldom(fc.tuple(fc.nat(150), fc.nat(255))), seldom(fc.nat(150)))
  .map(([fields, isHeaded, damage, length]) => {
    const octets = Buffer.concat([isHeaded ? Buffer.from([0, 0, 0, 0, 1]) : Buffer.alloc(0), type.toBuffer(fields)]);
    if (damage !== null && damage[0] < octets.length) octets[damage[0]] = damage[1];
    return length === null ? octets : octets.subarray(0, length);
  });

test('the short way gives what avsc and the validation give, whatever the octets are', () => {
  let short = 0;
  fc.assert(
    fc.property(fc.array(datums, { minLength: 1, maxLength: 20 }), fc.boolean(), (values, isTogether) => {
      expect(admitted(values, decode, isTogether)).toEqual(admitted(values, longWay));
      for (const value of values) if (isReadByKernel(decode, value)) short++;
    }),
    fuzzing(),
  );
  expect(short).toBeGreaterThan(300);
});

test('a record is read wherever it begins in the memory that it is a span of', () => {
  const value = type.toBuffer(testRecord());
  const kernel = new AdmissionKernel();
  const context = { decode, keyedByMsisdn: false, rules: RULES, bookingDay: BOOKING_DAY };
  for (let valueStart = 0; valueStart <= 2100; valueStart++) {
    const octets = Buffer.concat([Buffer.alloc(valueStart), value]);
    const record = { ...incoming(value), octets, valueStart, valueEnd: octets.length };
    const loaded = kernel.load([record, record], 0, context);
    expect([loaded, kernel.read(0, loaded, Number.POSITIVE_INFINITY)], `at octet ${valueStart}`).toEqual([2, 2]);
  }
});

const LATER = Object.keys(NO_LATER_FIELDS);
const IDENTITIES = ['sponsorIdentity', 'applicationServiceProviderIdentity'];

test.each([
  ['identities', [...IDENTITIES, ...LATER]],
  ['fields of the network', LATER],
  ['an account', ['accountId']],
])('a record in the layout of before there were %s takes the short way, to the same columns', (_, absent) => {
  const names = new Set(absent);
  const older = { ...schema, fields: schema.fields.filter(({ name }: { name: string }) => !names.has(name)) };
  const decodeOlder = avroDecoder({ readerSchema: schema, schemas: new Map(), bareSchema: older, header: 'bare' });
  const olderType = avro.Type.forSchema(older);
  fc.assert(
    fc.property(drawn, (record) => {
      const without = { ...record, ...Object.fromEntries(absent.map((name) => [name, null])) };
      const [before, now] = [olderType.toBuffer(without), type.toBuffer(without)];
      expect(admitted([before], decodeOlder).columns.fingerprint).toEqual(admitted([now], decode).columns.fingerprint);
      expect(isReadByKernel(decodeOlder, before)).toBe(isReadByKernel(decode, now));
      // Cut where these fields begin, a record of today is none.
      expect(isReadByKernel(decode, now.subarray(0, now.length - absent.length))).toBe(false);
    }),
  );
});

test('the kernel has the fields of the network and the account in columns, in plain Avro, JSON and CSV', () => {
  const kernel = new AdmissionKernel();
  const text = (number: number) => (number === NO_TEXT ? null : kernel.text(number));
  const ways: [decode: Decoder, encode: (record: FlowRecord) => Buffer][] = [
    [decode, (record) => type.toBuffer(record)],
    [decodeJson, (record) => Buffer.from(JSON.stringify(record))],
    [
      csvDecoder(FLOW_RECORD_FIELDS),
      (record) => Buffer.from(FLOW_RECORD_FIELDS.map((name) => record[name] ?? '').join(',')),
    ],
  ];
  const network = fc.record({
    servingPlmn: fc.option(fc.constantFrom('26201', '310410')),
    ratType: fc.option(fc.nat(255)),
    trackingArea: fc.option(fc.constantFrom('26201-00af', '310410-ffaf01')),
    detectedApplication: fc.option(fc.constantFrom('chat', 'x'.repeat(256))),
    detectedBy: fc.option(fc.constantFrom(...DETECTIONS)),
    accountId: fc.option(fc.constantFrom('B-17', 'x'.repeat(64))),
    aspIdentity: fc.option(fc.constant('asp-any')),
  });
  fc.assert(
    fc.property(network, ({ aspIdentity, ...fields }) => {
      const record = testRecord({ ...fields, applicationServiceProviderIdentity: aspIdentity });
      for (const [decode, encode] of ways) {
        const value = incoming(encode(record));
        kernel.load([value], 0, { decode, keyedByMsisdn: false, rules: RULES, bookingDay: BOOKING_DAY });
        expect(kernel.read(0, 1, Number.POSITIVE_INFINITY)).toBe(1);
        expect(text(kernel.accountText[0])).toBe(fields.accountId);
        const isAny = Object.values(fields).some((field) => field !== null);
        expect(kernel.hasNetwork[0]).toBe(isAny ? 1 : 0);
        expect(text(kernel.aspText[0])).toBe(aspIdentity);
        if (!isAny) continue;
        expect({
          servingPlmn: text(kernel.servingPlmnText[0]),
          ratType: kernel.ratType[0] === NO_RAT_TYPE ? null : kernel.ratType[0],
          trackingArea: text(kernel.trackingAreaText[0]),
          detectedApplication: text(kernel.detectedText[0]),
          detectedBy: [null, ...DETECTIONS][kernel.detectedBy[0]],
          accountId: text(kernel.accountText[0]),
        }).toEqual(fields);
      }
    }),
  );
});

test('a record written with a plus or a prefix has the same content as without, and the same subscriber', () => {
  const spelt = ['999000000001', '+999000000001', '00999000000001'].map((servedMsisdn) =>
    type.toBuffer(testRecord({ servedMsisdn })),
  );
  const { columns, subscribers } = admitted(spelt, decode);
  expect(new Set(columns.fingerprint).size).toBe(1);
  expect([subscribers, columns.rejections]).toEqual([1, []]);
});

test('a record later than its log’s time is rejected, by its timestamp and without one by the booking date', () => {
  const [timestampMs, endOfDayMs] = [Date.UTC(2026, 10, 10, 13), (BOOKING_DAY + 1) * 86_400_000];
  const reasonsOf = (endTime: number, logTimeMs: number | null) => {
    const batch = new FlowBatch(2);
    const value = type.toBuffer(testRecord({ startTime: endTime, endTime }));
    for (const decoder of [decode, longWay]) {
      const context = { decode: decoder, keyedByMsisdn: false, rules: RULES, bookingDay: BOOKING_DAY };
      admit(batch, [{ ...incoming(value), timestampMs: logTimeMs }], context, testLane(), rules);
    }
    return batch.rejections.map(({ detail }) => detail);
  };
  for (const [logTimeMs, lastMs] of [
    [timestampMs, timestampMs + RULES.maxFutureSkewMs],
    [null, endOfDayMs + RULES.maxFutureSkewMs],
    [1_793_000_000, endOfDayMs + RULES.maxFutureSkewMs],
  ] as const) {
    expect(reasonsOf(lastMs, logTimeMs)).toEqual([]);
    expect(reasonsOf(lastMs + 1, logTimeMs)).toEqual(Array(2).fill(expect.stringMatching(/later than its log's time/)));
  }
});

test('a key in another spelling of the MSISDN is no mismatch, another number is one', () => {
  const mismatches = (key: string, msisdn: string) => {
    const batch = new FlowBatch(2);
    const value = type.toBuffer(testRecord({ servedMsisdn: msisdn }));
    const octets = Buffer.concat([value, Buffer.from(key)]);
    const spans = { octets, keyStart: value.length, keyEnd: octets.length, valueStart: 0, valueEnd: value.length };
    for (const decoder of [decode, longWay]) {
      const context = { decode: decoder, keyedByMsisdn: true, rules: RULES, bookingDay: BOOKING_DAY };
      admit(batch, [{ ...incoming(value), ...spans }], context, testLane(), rules);
    }
    return batch.keyMismatches;
  };
  for (const key of ['999000000001', '+999000000001', '00999000000001']) {
    expect([mismatches(key, '999000000001'), mismatches(key, '+999000000001')]).toEqual([0, 0]);
  }
  for (const key of ['', '999000000002', '99900000000', '0999000000001', '9990000000010', 'x'.repeat(100)]) {
    expect(mismatches(key, '999000000001')).toBe(2);
  }
});

test('an evolved schema takes the long way', () => {
  const evolved = { ...schema, fields: [...schema.fields, { name: 'slice', type: ['null', 'string'], default: null }] };
  const decodeEvolved = avroDecoder({ readerSchema: schema, schemas: new Map([[2, evolved]]), header: 'auto' });
  const datum = avro.Type.forSchema(evolved).toBuffer({ ...testRecord({}), slice: null });
  const value = Buffer.concat([Buffer.from([0, 0, 0, 0, 2]), datum]);
  expect(isReadByKernel(decodeEvolved, value)).toBe(false);
  expect(decodeEvolved(value).candidate).toMatchObject({ nodeId: testRecord({}).nodeId });
});

test('an address is read from octets as from a text', () => {
  const [fromText, fromOctets] = [new Uint32Array(4), new Uint32Array(4)];
  const texts = fc.oneof(address, fc.stringMatching(/^[0-9.:a]{0,17}$/));
  fc.assert(
    fc.property(texts, (text) => {
      const octets = Buffer.from(`<${text}>`);
      expect(parseIpOctets(octets, 1, octets.length - 1, fromOctets, 0)).toBe(parseIp(text, fromText, 0));
      expect(fromOctets).toEqual(fromText);
    }),
    { numRuns: 3000 },
  );
});
