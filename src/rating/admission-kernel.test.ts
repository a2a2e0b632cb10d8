import { readFileSync } from 'node:fs';
import avro from 'avsc';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { avroDecoder } from './decode-avro.ts';
import { type Decoder, FLOW_RECORD_FIELDS, FlowBatch, MIN_TIME_MS, NO_TAG, type RecordRules } from './flow-record.ts';
import { incoming } from './incoming.ts';
import { parseIp, parseIpOctets } from './ip-address.ts';
import { fuzzing, isReadByKernel } from './kernel/kernel.fixture.ts';
import { admit } from './pipeline.ts';
import { testLane, testRecord, testRules } from './traffic.fixture.ts';

const schema = JSON.parse(readFileSync('schemas/flow-record.avsc', 'utf8'));
const type = avro.Type.forSchema(schema);
const decode = avroDecoder({ readerSchema: schema, schemas: new Map([[1, schema]]), header: 'auto' });
const longWay: Decoder = (value) => decode(value);

const rules = testRules();
/** The day of the record that all are drawn from, and the last instant that a record of it may name. */
const BOOKING_DAY = Math.floor(testRecord().startTime / 86_400_000);
const LATEST_MS = (BOOKING_DAY + 1) * 86_400_000 + 60_000;

const whole = fc.oneof(fc.nat(300), fc.nat(), fc.constantFrom(-1, 2 ** 47 - 1, 2 ** 47, 2 ** 48, 2 ** 52 - 2));
const int = fc.oneof(fc.nat(300), fc.constantFrom(-1, 65535, 65536, 2 ** 31 - 1));
const text = fc.oneof(fc.string({ maxLength: 12 }), fc.constantFrom('', 'é', 'x'.repeat(257), 'gw-1', 'TAG', 'ANY'));
const identity = fc.oneof(text, fc.constantFrom('asp-any', 'asp-cdr', 'bolt-pays'));
const address = fc.oneof(
  fc.ipV4(),
  fc.ipV6(),
  fc.constantFrom('', '1.2.3', '1.2.3.4.5', '01.2.3.4', '256.1.1.1', '1.2.3.4 ', '::ffff:1.2.3.4', '1..2.3', '1.2.3.'),
);
const time = fc.oneof(
  fc.nat(2 ** 31 - 1).map((s) => s * 1000),
  fc.integer({ min: -2, max: 2 }).map((ms) => MIN_TIME_MS + ms),
  fc.integer({ min: -2, max: 2 }).map((ms) => LATEST_MS + ms),
  whole,
);
const odd = fc.record({
  nodeId: text,
  localSequenceNumber: whole,
  chargingId: whole,
  recordSequenceNumber: whole,
  servedMsisdn: fc.constantFrom(
    '',
    '0',
    '000',
    '+999000000001',
    '00999000000001',
    '999000000001',
    '123456789012345',
    '1234567890123456',
    '12a',
  ),
  servedImsi: fc.option(text),
  startTime: time,
  endTime: time,
  terminalIp: address,
  remoteIp: address,
  terminalPort: int,
  remotePort: int,
  protocol: int,
  zeroRatingTag: fc.option(text),
  contentType: fc.option(fc.constantFrom('text', 'voice', 'image', 'video', 'other', 'unknown', '', 'texts')),
  ratingGroup: fc.option(int),
  serviceIdentifier: fc.option(int),
  uplinkOctets: whole,
  downlinkOctets: whole,
  sponsorIdentity: fc.option(identity),
  applicationServiceProviderIdentity: fc.option(identity),
});
/** A good record with a few fields that may be anything. */
const drawn = fc
  .tuple(odd, fc.array(fc.constantFrom(...FLOW_RECORD_FIELDS), { maxLength: 6 }))
  .map(([fields, names]) => testRecord(Object.fromEntries(names.map((name) => [name, fields[name]]))));
const seldom = <T>(arbitrary: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 5, arbitrary: fc.constant(null) }, { weight: 1, arbitrary });
/** Datums, some with a header, some damaged: an octet is another, or the end is missing. */
const datums = fc
  .tuple(drawn, fc.boolean(), seldom(fc.tuple(fc.nat(150), fc.nat(255))), seldom(fc.nat(150)))
  .map(([fields, isHeaded, damage, length]) => {
    const octets = Buffer.concat([isHeaded ? Buffer.from([0, 0, 0, 0, 1]) : Buffer.alloc(0), type.toBuffer(fields)]);
    if (damage !== null && damage[0] < octets.length) octets[damage[0]] = damage[1];
    return length === null ? octets : octets.subarray(0, length);
  });

const RULES: RecordRules = { msisdn: { acceptPlus: true, internationalPrefix: '00' }, maxFutureSkewMs: 60_000 };

/** `isTogether`: the records are in one memory, as fetched ones are; otherwise each is in one of its own. */
function admitted(values: readonly Uint8Array[], decoder: Decoder, isTogether = false) {
  const [batch, lane] = [new FlowBatch(values.length), testLane()];
  const parts: Buffer[] = [];
  const records = values.map((value, offset) => {
    const key = ['', '999000000001', '+999000000001', '00999000000001'][offset % 4];
    const before = isTogether ? parts.reduce((sum, { length }) => sum + length, 0) : 0;
    // Among other octets, as a fetched record is.
    const octets = Buffer.concat([Buffer.from(key), value, Buffer.from('\0\0')]);
    parts.push(octets);
    const [keyStart, keyEnd] = [key === '' ? -1 : before, before + key.length];
    const spans = { octets, keyStart, keyEnd, valueStart: keyEnd, valueEnd: keyEnd + value.length };
    const timestampMs = offset % 3 === 0 ? LATEST_MS - RULES.maxFutureSkewMs : null;
    return { ...incoming(value, offset), timestampMs, ...spans };
  });
  const all = Buffer.concat(parts);
  const context = { decode: decoder, keyedByMsisdn: true, rules: RULES, bookingDay: BOOKING_DAY };
  const placed = isTogether ? records.map((record) => ({ ...record, octets: all })) : records;
  expect(admit(batch, placed, context, lane, rules)).toBe(values.length);
  const kept = values.map((_, row) => Buffer.from(batch.value(row)).toString('hex'));
  const tags = Array.from(batch.tag, (code) => (code < NO_TAG ? batch.unknownTags.textOf(code) : code));
  const { valueStart, valueEnd, ...columns } = batch;
  return { columns, kept, tags, nodes: lane.nodes.list, subscribers: lane.subscribers.count };
}

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

test('a record in the layout of before there were identities takes the short way, to the same columns', () => {
  const names = new Set(['sponsorIdentity', 'applicationServiceProviderIdentity']);
  const older = { ...schema, fields: schema.fields.filter(({ name }: { name: string }) => !names.has(name)) };
  const decodeOlder = avroDecoder({ readerSchema: schema, schemas: new Map(), bareSchema: older, header: 'bare' });
  const olderType = avro.Type.forSchema(older);
  fc.assert(
    fc.property(drawn, (record) => {
      const without = { ...record, sponsorIdentity: null, applicationServiceProviderIdentity: null };
      const [before, now] = [olderType.toBuffer(without), type.toBuffer(without)];
      expect(admitted([before], decodeOlder).columns.fingerprint).toEqual(admitted([now], decode).columns.fingerprint);
      expect(isReadByKernel(decodeOlder, before)).toBe(isReadByKernel(decode, now));
      // Cut where the identities begin, a record of today is none.
      expect(isReadByKernel(decode, now.subarray(0, now.length - 2))).toBe(false);
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
