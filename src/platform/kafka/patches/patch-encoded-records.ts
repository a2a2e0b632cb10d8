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
type EncoderClass = { new (octets: number): Encoder; prototype: Encoder };
type ProduceRequest = (arguments_: ProduceArguments) => { encode: () => Promise<Encoder> };

interface Encoder {
  buf: Buffer;
  /** How much of `buf` is written. */
  offset: number;
  /** What is written. */
  readonly buffer: Buffer;
  writeEncoder(value: Encoder): Encoder;
  writeString(value: string | null): Encoder;
  writeInt16(value: number): Encoder;
  writeInt32(value: number): Encoder;
  writeBuffer(value: Buffer): Encoder;
}

/** What a record batch has before its records. */
export const RECORDS_START = 61;
/** Names of the topic and the transaction, and numbers, with room to spare. */
const SMALL_FIELDS_OCTETS = 1024;
/** A partition's number and the length of its records. */
const PARTITION_OCTETS = 8;
/** What kafkajs writes before a request's fields: its length, kind and number, and the client's name, with room to spare. */
const ROOM_BEFORE_OCTETS = 1024;
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
  const EncoderOf = kafkajsInternal<EncoderClass>('protocol/encoder.js');
  patchWriteEncoder(EncoderOf);
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

/** By encoder: its memory, and where in it what is written begins. */
const roomBefore = new WeakMap<Encoder, { memory: Buffer; start: number }>();

/**
 * kafkajs puts a request's header, and then its length, before it by copying the request into another encoder, twice, each with
 * memory of a power of two that is zeroed first. With this what is put before it goes into the room that the request has there.
 */
function patchWriteEncoder({ prototype }: EncoderClass): void {
  const plain = prototype.writeEncoder;
  prototype.writeEncoder = function (this: Encoder, value) {
    const room = roomBefore.get(value);
    if (room === undefined || room.start < this.offset) return plain.call(this, value);
    const { memory } = room;
    const start = room.start - this.offset;
    this.buffer.copy(memory, start);
    this.buf = memory.subarray(start);
    this.offset += value.offset;
    roomBefore.set(this, { memory, start });
    return this;
  };
}

function encodeRequest(EncoderOf: EncoderClass, arguments_: ProduceArguments): Encoder {
  const { transactionalId = null, acks, timeout, topicData } = arguments_;
  const memory = Buffer.allocUnsafeSlow(ROOM_BEFORE_OCTETS + roomFor(topicData));
  const encoder = new EncoderOf(0);
  encoder.buf = memory.subarray(ROOM_BEFORE_OCTETS);
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
  // With names that need more room than there is the encoder has gone to memory of its own.
  if (encoder.buf.buffer === memory.buffer) roomBefore.set(encoder, { memory, start: ROOM_BEFORE_OCTETS });
  return encoder;
}

/** An encoder that has to grow copies what it has. */
function roomFor(topicData: ProduceArguments['topicData']): number {
  const records = topicData.flatMap(({ partitions }) => partitions.flatMap(({ messages }) => messages));
  const octets = records.reduce((sum, message) => sum + PARTITION_OCTETS + (message as EncodedRecords).value.length, 0);
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
