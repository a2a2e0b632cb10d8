import fc from 'fast-check';
import { expect } from 'vitest';
import { type Decoder, FLOW_RECORD_FIELDS, FlowBatch, NO_TAG } from './flow-record.ts';
import { incoming } from './incoming.ts';
import { admit } from './pipeline.ts';
import { MIN_TIME_MS, type RecordRules } from './record/record-limits.ts';
import { testLane, testRecord, testRules } from './traffic.fixture.ts';

const rules = testRules();
/** The day of the record that all are drawn from, and the last instant that a record of it may name. */
export const BOOKING_DAY = Math.floor(testRecord().startTime / 86_400_000);
export const LATEST_MS = (BOOKING_DAY + 1) * 86_400_000 + 60_000;

const whole = fc.oneof(fc.nat(300), fc.nat(), fc.constantFrom(-1, 2 ** 47 - 1, 2 ** 47, 2 ** 48, 2 ** 52 - 2));
const int = fc.oneof(fc.nat(300), fc.constantFrom(-1, 65535, 65536, 2 ** 31 - 1));
const text = fc.oneof(fc.string({ maxLength: 12 }), fc.constantFrom('', 'é', 'x'.repeat(257), 'gw-1', 'TAG', 'ANY'));
const identity = fc.oneof(text, fc.constantFrom('asp-any', 'asp-cdr', 'bolt-pays'));
export const address = fc.oneof(
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
  servingPlmn: fc.option(
    fc.oneof(fc.constantFrom('26201', '310410', '2620', '3104100', '2620a', '26201 ', '٢٦٢٠١'), text),
  ),
  ratType: fc.option(fc.oneof(fc.nat(255), fc.constantFrom(256, -1, 2 ** 31 - 1))),
  trackingArea: fc.option(
    fc.oneof(
      fc.constantFrom('26201-00af', '310410-00af01', '26201-00AF', '26201-00a', '26201-00af0', '26201-00af012'),
      fc.constantFrom('262010-00ag', '2620100-00af', '2620-00af', '26201_00af', '26201', '26201-', '-00af'),
      text,
    ),
  ),
  detectedApplication: fc.option(text),
  detectedBy: fc.option(fc.constantFrom('sni', 'dns', 'dpi', '', 'SNI', 'snip', 'dp', 'sni\0')),
  accountId: fc.option(
    fc.oneof(
      fc.constantFrom('999000000001', 'B-17', '~!', '', ' ', 'B 17', 'B\x7f', 'é', 'x'.repeat(64), 'x'.repeat(65)),
      text,
    ),
  ),
});
/** A good record with a few fields that may be anything. */
export const drawn = fc
  .tuple(odd, fc.array(fc.constantFrom(...FLOW_RECORD_FIELDS), { maxLength: 6 }))
  .map(([fields, names]) => testRecord(Object.fromEntries(names.map((name) => [name, fields[name]]))));
export const seldom = <T>(arbitrary: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 5, arbitrary: fc.constant(null) }, { weight: 1, arbitrary });
export const RULES: RecordRules = { msisdn: { acceptPlus: true, internationalPrefix: '00' }, maxFutureSkewMs: 60_000 };

/** Returns what admission makes of values. `isTogether`: the records are in one memory, as fetched ones are; otherwise each is in one of its own. */
export function admitted(values: readonly Uint8Array[], decoder: Decoder, isTogether = false) {
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
