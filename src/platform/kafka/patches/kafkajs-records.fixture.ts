import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const Decoder = require('kafkajs/src/protocol/decoder.js');
const decodeRecord = require('kafkajs/src/protocol/recordBatch/record/v0/decoder.js');
const encodeRecord = require('kafkajs/src/protocol/recordBatch/record/v0/index.js');

interface DecodedRecords {
  records: { key: Buffer; value: Buffer; offset: string }[];
  /** What is left after the last of them. */
  restOctets: number;
}

/** Returns what kafkajs's own decoder reads out of the records of a record batch. */
export function decodeWithKafkajs(encoded: Buffer, count: number): DecodedRecords {
  const decoder = new Decoder(encoded);
  const batch = { firstOffset: '0', firstTimestamp: '0', magicByte: 2 };
  const records = Array.from({ length: count }, () => decodeRecord(new Decoder(decoder.readVarIntBytes()), batch));
  return { records, restOctets: decoder.buffer.length - decoder.offset };
}

/** Returns a record as kafkajs's own encoder writes it. */
export function encodeWithKafkajs(offsetDelta: number, key: string, value: Buffer): Buffer {
  return encodeRecord({ offsetDelta, timestampDelta: 0, key, value }).buffer;
}
