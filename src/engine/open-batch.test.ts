import fc from 'fast-check';
import { expect, test } from 'vitest';
import { encodeFlowRecordAvro, FLOW_RECORD_SCHEMA } from '../generator/encode-avro.ts';
import { LogRecord } from '../platform/kafka/log-record.ts';
import { decodeJson } from '../rating/decode/decode-json.ts';
import { avroDecoder } from '../rating/decode-avro.ts';
import { type Decoder, FlowBatch } from '../rating/flow-record.ts';
import { admit } from '../rating/pipeline.ts';
import { PLAIN_RULES } from '../rating/record/record-limits.ts';
import { asValue, testLane, testRecord, testRules } from '../rating/traffic.fixture.ts';
import { fill, isFull, type OpenBatch, UnreadRecords } from './open-batch.ts';

const LOG = { topic: 'flows', partition: 0, lane: 'flows-0' };
const schema = JSON.parse(FLOW_RECORD_SCHEMA);
const decodeAvro = avroDecoder({ readerSchema: schema, schemas: new Map([[1, schema]]), header: 'auto' });

function openBatch(decode: Decoder, capacity: number): OpenBatch {
  const lane = testLane();
  return {
    log: LOG,
    held: { cursor: -1 },
    state: { lane },
    batch: new FlowBatch(capacity),
    rules: testRules(),
    context: { decode, keyedByMsisdn: false, rules: PLAIN_RULES, bookingDay: 0 },
  } as unknown as OpenBatch;
}

/** Cuts records into batches as a lane does. Gives the offsets of each batch, and its proof. */
function batchesOf(records: LogRecord[], decode: Decoder, capacity: number, maxOctets: number) {
  const rest = new UnreadRecords(records);
  const batches: { offsets: number[]; proof: string }[] = [];
  let next = rest.next();
  let open = openBatch(decode, capacity);
  while (next.done !== true) {
    next = fill(open, LOG, next.value, rest, maxOctets, ({ offset }) => `${offset}`);
    if (next.done !== true && !isFull(open.batch, maxOctets)) continue;
    batches.push({ offsets: [...open.batch.offset.subarray(0, open.batch.count)], proof: open.sourceProof });
    open = openBatch(decode, capacity);
  }
  return batches;
}

/** Records of an encoding, each of so many usage octets. */
function recordsOf(encode: (record: object) => Buffer, usage: readonly number[]): LogRecord[] {
  return usage.map((uplinkOctets, offset) =>
    LogRecord.of({
      offset,
      value: encode(testRecord({ localSequenceNumber: offset, uplinkOctets, downlinkOctets: 0 })),
    }),
  );
}

const encodeAvro = (record: object) => encodeFlowRecordAvro(record, 1);

test('a batch ends with the record that its usage octets reach their limit with, though more are read at once', () => {
  const ofBatch = 2 ** 52 / 2 ** 47;
  const usage = new Array(ofBatch * 3 + 5).fill(2 ** 47);
  for (const [decode, encode] of [
    [decodeAvro, encodeAvro],
    [decodeJson, asValue],
  ] as const) {
    const batches = batchesOf(recordsOf(encode, usage), decode, 10_000, 2 ** 20);
    expect(batches.map(({ offsets }) => offsets.length)).toEqual([ofBatch, ofBatch, ofBatch, 5]);
    expect(batches.flatMap(({ offsets }) => offsets)).toEqual(usage.map((_, offset) => offset));
    expect(batches.map(({ proof }) => proof)).toEqual(['31', '63', '95', '100']);
  }
});

test('however many records are read at once, each is taken once, and batches are cut where records one by one cut them', () => {
  const usage = fc.oneof(fc.nat(5000), fc.constantFrom(2 ** 47, 2 ** 48 - 1, 2 ** 51, 2 ** 52, -1));
  fc.assert(
    fc.property(
      fc.array(usage, { minLength: 1, maxLength: 600 }),
      fc.integer({ min: 1, max: 700 }),
      fc.integer({ min: 1, max: 60_000 }),
      (usages, capacity, maxOctets) => {
        const records = recordsOf(encodeAvro, usages);
        expect(batchesOf(records, decodeAvro, capacity, maxOctets)).toEqual(cutOneByOne(records, capacity, maxOctets));
      },
    ),
    { numRuns: 30 },
  );
});

/** The batches that records one by one fill. */
function cutOneByOne(records: readonly LogRecord[], capacity: number, maxOctets: number) {
  const batches: { offsets: number[]; proof: string }[] = [];
  let batch = new FlowBatch(capacity);
  const [lane, rules] = [testLane(), testRules()];
  const context = { decode: decodeAvro, keyedByMsisdn: false, rules: PLAIN_RULES, bookingDay: 0 };
  for (const [place, record] of records.entries()) {
    admit(batch, [record], context, lane, rules);
    if (place < records.length - 1 && !isFull(batch, maxOctets)) continue;
    batches.push({ offsets: [...batch.offset.subarray(0, batch.count)], proof: `${record.offset}` });
    batch = new FlowBatch(capacity);
  }
  return batches;
}

test('a record out of order stops the lane, and so does one of another log', () => {
  const [first, second] = recordsOf(encodeAvro, [1, 1]);
  const prove = () => '';
  const open = openBatch(decodeAvro, 10);
  expect(() => fill(open, LOG, second, new UnreadRecords([first]), 1e6, prove)).toThrow(
    'flows-0: record 0 came after 1',
  );
  expect(() => fill(open, { ...LOG, partition: 1 }, first, new UnreadRecords([]), 1e6, prove)).toThrow(
    'flows-1 came before flows-0 was flushed',
  );
});
