import { crc32c } from '@node-rs/crc32';
import { kafkajsInternal, replaceKafkajsInternal } from './kafkajs-internals.ts';

/**
 * Records of one partition, encoded as a record batch holds them (KIP-98); kafkajs takes them for one message. A partition's
 * records go into a request of their own, for a request has one record batch a partition.
 */
export interface EncodedRecords {
  partition: number;
  /** The records, one after another, from `RECORDS_START` on: the batch's header is written before them. */
  value: Buffer;
  recordCount: number;
  /** The first record's number in the producer's epoch and partition: kafkajs counts messages, and would count one. */
  baseSequence: number;
}

interface ProduceArguments {
  acks: number;
  timeout: number;
  transactionalId?: string | null;
  producerId: { toString(): string };
  producerEpoch: number;
  topicData: readonly {
    topic: string;
    partitions: readonly { partition: number; messages: readonly (EncodedRecords | { recordCount?: undefined })[] }[];
  }[];
}
type ProduceRequest = (arguments_: ProduceArguments) => { encode: () => Promise<Encoder> };

interface Encoder {
  writeString(value: string | null): Encoder;
  writeInt16(value: number): Encoder;
  writeInt32(value: number): Encoder;
  writeBuffer(value: Buffer): Encoder;
}

/** What a record batch has before its records. */
export const RECORDS_START = 61;
/** Names of the topic and the transaction, and numbers, with room to spare. */
const SMALL_FIELDS_OCTETS = 1024;
/** Base offset and batch length: what the batch length does not count. */
const UNCOUNTED_OCTETS = 12;
const CRC_AT = 17;
/** What the checksum covers begins here. */
const ATTRIBUTES_AT = 21;
const MAGIC = 2;
const TRANSACTIONAL = 0x10;

/**
 * kafkajs encodes record after record, each with a dozen growing buffers, which for a batch's quota updates was more work
 * than all of billing. With this its producers take `EncodedRecords` for a message, and put a header before them.
 */
export function patchEncodedRecords(): void {
  // The newer versions of the request are this one under another number, and look it up when they are first needed.
  const EncoderOf = kafkajsInternal<new (octets: number) => Encoder>('protocol/encoder.js');
  replaceKafkajsInternal<ProduceRequest>('protocol/requests/produce/v3/request.js', (plain) => (arguments_) => {
    const made = plain(arguments_);
    return isEncoded(arguments_) ? { ...made, encode: async () => encodeRequest(EncoderOf, arguments_) } : made;
  });
}

function isEncoded({ topicData }: ProduceArguments): boolean {
  return topicData.some(({ partitions }) =>
    partitions.some(({ messages }) => messages.some(({ recordCount }) => recordCount !== undefined)),
  );
}

function encodeRequest(EncoderOf: new (octets: number) => Encoder, arguments_: ProduceArguments): Encoder {
  const { transactionalId = null, acks, timeout, topicData } = arguments_;
  const encoder = new EncoderOf(roomFor(topicData));
  encoder.writeString(transactionalId).writeInt16(acks).writeInt32(timeout).writeInt32(topicData.length);
  for (const { topic, partitions } of topicData) {
    encoder.writeString(topic).writeInt32(partitions.length);
    for (const { partition, messages } of partitions) {
      const [records] = messages as readonly EncodedRecords[];
      if (messages.length !== 1) throw new Error(`${topic}-${partition}: a request has one record batch a partition`);
      writeHeader(records, arguments_);
      encoder.writeInt32(partition).writeInt32(records.value.length).writeBuffer(records.value);
    }
  }
  return encoder;
}

/** An encoder that has to grow copies what it has. */
function roomFor(topicData: ProduceArguments['topicData']): number {
  const records = topicData.flatMap(({ partitions }) => partitions.flatMap(({ messages }) => messages));
  const octets = records.reduce((sum, message) => sum + (message as EncodedRecords).value.length, 0);
  return octets + SMALL_FIELDS_OCTETS;
}

function writeHeader({ value: batch, recordCount, baseSequence }: EncodedRecords, request: ProduceArguments): void {
  batch.writeBigInt64BE(0n, 0); // the broker gives the offsets
  const nowMs = BigInt(Date.now());
  batch.writeInt32BE(batch.length - UNCOUNTED_OCTETS, 8);
  batch.writeInt32BE(-1, 12); // the leader's epoch
  batch.writeInt8(MAGIC, 16);
  batch.writeInt16BE(request.transactionalId == null ? 0 : TRANSACTIONAL, ATTRIBUTES_AT);
  batch.writeInt32BE(recordCount - 1, 23);
  batch.writeBigInt64BE(nowMs, 27);
  batch.writeBigInt64BE(nowMs, 35);
  batch.writeBigInt64BE(BigInt(request.producerId.toString()), 43);
  batch.writeInt16BE(request.producerEpoch, 51);
  batch.writeInt32BE(baseSequence, 53);
  batch.writeInt32BE(recordCount, 57);
  batch.writeUInt32BE(crc32c(batch.subarray(ATTRIBUTES_AT)), CRC_AT);
}
