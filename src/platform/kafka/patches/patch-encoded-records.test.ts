import { crc32c } from '@node-rs/crc32';
import { expect, test } from 'vitest';
import { applyKafkajsPatches } from './apply-kafkajs-patches.ts';
import { kafkajsInternal } from './kafkajs-internals.ts';
import { type EncodedRecords, RECORDS_START } from './patch-encoded-records.ts';

interface Request {
  apiKey: number;
  apiVersion: number;
  encode: () => Promise<{ buffer: Buffer }>;
}

applyKafkajsPatches();
const produce = kafkajsInternal<{
  protocol: (of: { version: number }) => (arguments_: object) => { request: Request };
}>('protocol/requests/produce/index.js');
const createRequest =
  kafkajsInternal<
    (of: { correlationId: number; clientId: string; request: Request }) => Promise<{ buffer: Buffer; size(): number }>
  >('protocol/request.js');

function encodedRecords(partition: number, octets: number): EncodedRecords {
  const value = Buffer.alloc(RECORDS_START + octets, partition % 256);
  return { partition, value, recordCount: 3, baseSequence: 40 + partition };
}

function produceRequest(topic: string, records: EncodedRecords[]): Request {
  return produce.protocol({ version: 7 })({
    acks: -1,
    timeout: 30_000,
    transactionalId: 'zerorate.quota',
    producerId: 5,
    producerEpoch: 2,
    compression: 0,
    topicData: [{ topic, partitions: records.map((of) => ({ partition: of.partition, messages: [of] })) }],
  }).request;
}

const text = (value: string) => Buffer.concat([int16(Buffer.byteLength(value)), Buffer.from(value)]);
const int16 = (value: number) => Buffer.of((value >> 8) & 0xff, value & 0xff);
function int32(value: number): Buffer {
  const octets = Buffer.alloc(4);
  octets.writeInt32BE(value);
  return octets;
}

test.each([
  ['a partition', 'quota', 'zerorate', 1, 100],
  ['hundreds of partitions', 'quota', 'zerorate', 300, 20],
  ['large records', 'quota', 'zerorate', 4, 900_000],
  ['a client name longer than the room before a request', 'quota', 'z'.repeat(3000), 2, 5000],
  ['a topic name longer than the room for names', 'q'.repeat(3000), 'zerorate', 2, 50],
])('a request goes out as it is, behind its header: %s', async (_, topic, clientId, partitions, octets) => {
  const records = Array.from({ length: partitions }, (_, partition) => encodedRecords(partition, octets));
  const request = produceRequest(topic, records);
  const sent = await createRequest({ correlationId: 77, clientId, request });
  const body = Buffer.concat([
    ...[int16(request.apiKey), int16(request.apiVersion), int32(77), text(clientId)],
    ...[text('zerorate.quota'), int16(-1), int32(30_000), int32(1), text(topic), int32(partitions)],
    // The batches have their headers by now.
    ...records.flatMap(({ partition, value }) => [int32(partition), int32(value.length), value]),
  ]);
  expect(sent.buffer.equals(Buffer.concat([int32(body.length), body]))).toBe(true);
  expect(sent.size()).toBe(body.length + 4);
  for (const { partition, value } of records) {
    expect(value.readInt32BE(8)).toBe(value.length - 12);
    expect(value.readUInt32BE(17)).toBe(crc32c(value.subarray(21)));
    expect([value.readInt32BE(53), value.readInt32BE(57)]).toEqual([40 + partition, 3]);
    expect(value.subarray(RECORDS_START).every((octet) => octet === partition % 256)).toBe(true);
  }
});

test('a request that is encoded again is in memory of its own', async () => {
  const request = produceRequest('quota', [encodedRecords(0, 1000)]);
  const first = await createRequest({ correlationId: 1, clientId: 'zerorate', request });
  const before = Buffer.from(first.buffer);
  await createRequest({ correlationId: 2, clientId: 'zerorate-2', request });
  expect(first.buffer.equals(before)).toBe(true);
});
