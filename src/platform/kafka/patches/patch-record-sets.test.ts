import { createRequire } from 'node:module';
import { crc32c } from '@node-rs/crc32';
import fc from 'fast-check';
import type { Batch, KafkaMessage } from 'kafkajs';
import { expect, test } from 'vitest';
import {
  firstOffsetOf,
  lastOffsetOf,
  patchRecordSets,
  readableRecordsOf,
  recordsOf,
  recordsOfBatch,
} from './patch-record-sets.ts';

const require = createRequire(import.meta.url);
const PATH = 'kafkajs/src/protocol/requests/fetch/v4/decodeMessages.js';
const { RecordBatch } = require('kafkajs/src/protocol/recordBatch/v0/index.js');
const Record = require('kafkajs/src/protocol/recordBatch/record/v0/index.js');
const MessageSet = require('kafkajs/src/protocol/messageSet/index.js');
const Decoder = require('kafkajs/src/protocol/decoder.js');
const Encoder = require('kafkajs/src/protocol/encoder.js');
const decodeEach = require(PATH);
patchRecordSets();
const decodeSets = require(PATH);

const octets = (max: number) => fc.option(fc.uint8Array({ maxLength: max }).map((array) => Buffer.from(array)));
const record = fc.record({
  key: octets(20),
  value: octets(200),
  headers: fc.constantFrom({}, { trace: 'x' }),
  timestampDelta: fc.oneof(fc.nat(1000), fc.constantFrom(-5, 2 ** 31, 2 ** 40)),
});
const batch = fc.record({
  records: fc.array(record, { minLength: 1, maxLength: 12 }),
  hole: fc.nat(4),
  firstOffset: fc.constantFrom(0, 70_000, 2 ** 40),
  isGzipped: fc.boolean(),
  attributes: fc.constantFrom(0, 0x08, 0x10, 0x30),
});

/** With the checksum that is right. */
function sealed(batch: Buffer): Buffer {
  batch.writeUInt32BE(crc32c(batch.subarray(21)), 17);
  return batch;
}

async function encoded(batches: readonly (typeof batch extends fc.Arbitrary<infer B> ? B : never)[]): Promise<Buffer> {
  const parts: Buffer[] = [];
  for (const { records, hole, firstOffset, isGzipped, attributes } of batches) {
    const { buffer } = await RecordBatch({
      compression: isGzipped ? 1 : 0,
      firstTimestamp: 1_796_083_200_123,
      maxTimestamp: 1_796_083_209_999,
      producerId: 77,
      producerEpoch: 1,
      lastOffsetDelta: records.length - 1 + hole,
      records: records.map((fields, offsetDelta) => Record({ ...fields, offsetDelta })),
    });
    buffer.writeBigInt64BE(BigInt(firstOffset), 0);
    buffer[22] |= attributes;
    parts.push(sealed(buffer));
  }
  const all = Buffer.concat(parts);
  return Buffer.concat([new Encoder().writeInt32(all.length).buffer, all]);
}

const plain = (messages: KafkaMessage[]) =>
  [...recordsOf(messages)].map(({ offset, timestampMs, key, value }) => ({
    offset,
    timestampMs,
    key: key && Buffer.from(key).toString('hex'),
    value: Buffer.from(value).toString('hex'),
  }));

test('the records of a batch are those that kafkajs decodes', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(batch, { minLength: 1, maxLength: 4 }), fc.nat(30), async (batches, torn) => {
      const whole = await encoded(batches);
      const answer = whole.subarray(0, whole.length - torn);
      answer.writeInt32BE(answer.length - 4, 0);
      const [sets, each] = [await decodeSets(new Decoder(answer)), await decodeEach(new Decoder(answer))];
      expect(plain(sets)).toEqual(plain(each));
      expect(sets.length).toBe(torn === 0 ? batches.length : batches.length - 1);
      sets.forEach((message: KafkaMessage, at: number) => {
        const { firstOffset, records, hole, attributes } = batches[at];
        const batch = (fetchedOffset: number) => ({ messages: [message], fetchedOffset }) as unknown as Batch;
        expect(firstOffsetOf(batch(firstOffset))).toBe(firstOffset);
        expect(firstOffsetOf(batch(firstOffset + 1))).toBe(firstOffset + 1);
        expect(message.offset).toBe(String(firstOffset + records.length - 1 + hole));
        expect(message).toMatchObject({
          isControlRecord: attributes === 0x30,
          batchContext: { producerId: '77', inTransaction: attributes >= 0x10 },
        });
        if (attributes === 0x30) expect(message.key).toEqual(records[0].key);
      });
    }),
    { numRuns: 300 },
  );
});

test('an answer in the format before Kafka 0.11 is left to kafkajs', async () => {
  const { buffer } = MessageSet({ messageVersion: 1, entries: [{ key: 'k', value: 'v', timestamp: 5 }] });
  const answer = Buffer.concat([new Encoder().writeInt32(buffer.length).buffer, buffer]);
  const [message] = await decodeSets(new Decoder(answer));
  expect(message.value.toString()).toBe('v');
  expect(plain([message])).toEqual(plain(await decodeEach(new Decoder(answer))));
});

const plainBatch = (firstOffset: number, ...values: string[]) => ({
  records: values.map((value) => ({ key: null, value: Buffer.from(value), headers: {}, timestampDelta: 0 })),
  hole: 0,
  firstOffset,
  isGzipped: false,
  attributes: 0 as const,
});

test('a batch that ends in one that cannot be read is read to where that begins', async () => {
  const answer = await encoded([plainBatch(7, 'ghi', 'jkl')]);
  answer[4 + 70] = 0x7f;
  const messages: KafkaMessage[] = await decodeSets(new Decoder(answer));
  const batch = { messages, fetchedOffset: '8', lastOffset: () => '9' } as unknown as Batch;
  expect([firstOffsetOf(batch), lastOffsetOf(batch)]).toEqual([8, 8]);
});

test.each([
  ['an octet of a record', (batch: Buffer) => void batch.writeUInt8(0x7f, 70), 'batch_damaged', /has another checksum/],
  ['a length', (batch: Buffer) => void batch.writeInt32BE(-5, 8), 'batch_damaged', /has an impossible length/],
  [
    'the length of a record, with the right checksum',
    (batch: Buffer) => {
      batch[61] = 0x7e;
      sealed(batch);
    },
    'batch_damaged',
    /holds a record that does not end/,
  ],
  [
    'a codec that Kafka has not assigned',
    (batch: Buffer) => {
      batch[22] |= 6;
      sealed(batch);
    },
    'codec_unknown',
    /codec 6, .* upgrade zerorate, or write the topic with one of them \(compression\.type\)/,
  ],
  [
    'a codec that the octets are not of',
    (batch: Buffer) => {
      batch[22] |= 3;
      sealed(batch);
    },
    'batch_damaged',
    /cannot be decompressed with codec 3 \(lz4\)/,
  ],
])('%s: what comes before the batch is read, nothing after it', async (_, damage, code, message) => {
  const answer = await encoded([plainBatch(5, 'abc', 'def'), plainBatch(7, 'ghi', 'jkl'), plainBatch(9, 'mno')]);
  const second = 4 + answer.indexOf(Buffer.from([0, 0, 0, 0, 0, 0, 0, 7]), 12) - 4;
  damage(answer.subarray(second, second + 12 + answer.readInt32BE(second + 8)));
  const messages: KafkaMessage[] = await decodeSets(new Decoder(answer));
  const records = readableRecordsOf(messages, 5, 100);
  expect([...records].map(({ offset }) => offset)).toEqual([5, 6]);
  expect(records.fault).toMatchObject({ offset: 7, error: { code } });
  expect(records.fault?.error.message).toMatch(message);
  expect(() => [...recordsOf(messages)]).toThrow(/^the record batch at offset 7 /);
  const batch = {
    topic: 'flows',
    partition: 3,
    messages,
    fetchedOffset: '5',
    lastOffset: () => '9',
  } as unknown as Batch;
  expect(() => [...recordsOfBatch(batch)]).toThrow(/^flows-3: the record batch at offset 7 /);
});

const message = (offset: number, value: Buffer | null, key: Buffer | null = Buffer.from('k')): KafkaMessage => ({
  offset: String(offset),
  timestamp: '1796083200123',
  key,
  value,
  attributes: 0,
  headers: {},
});

test('a message that kafkajs has decoded becomes a record; a tombstone has an empty value', () => {
  const [record, tombstone] = recordsOf([
    message(9_007_199_254_740_990, Buffer.from('abc')),
    message(9_007_199_254_740_991, null, null),
  ]);
  expect(record).toMatchObject({
    offset: 9_007_199_254_740_990,
    timestampMs: 1_796_083_200_123,
    key: Buffer.from('k'),
    value: Buffer.from('abc'),
    oversizedOctets: 0,
  });
  expect(tombstone).toMatchObject({ key: null, value: new Uint8Array(0) });
});

test('a larger value is cut and says its true size, records before the position are left out', async () => {
  const records = ['abc', 'abcd', 'abcde'].map((value) => ({
    key: Buffer.from('k'),
    value: Buffer.from(value),
    headers: {},
    timestampDelta: 0,
  }));
  const answer = await encoded([{ records, hole: 0, firstOffset: 4, isGzipped: false, attributes: 0 }]);
  const sets: KafkaMessage[] = await decodeSets(new Decoder(answer));
  const expected = [
    { offset: 5, value: Buffer.from('abc'), oversizedOctets: 4 },
    { offset: 6, value: Buffer.from('abc'), oversizedOctets: 5 },
  ];
  expect([...recordsOf(sets, 5, 3)]).toMatchObject(expected);
  const decoded = [message(4, records[0].value), message(5, records[1].value), message(6, records[2].value)];
  expect([...recordsOf(decoded, 5, 3)]).toMatchObject(expected);
});
