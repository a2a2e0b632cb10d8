import { createRequire } from 'node:module';
import type { Batch, KafkaMessage } from 'kafkajs';

/** A record of a log, as it was fetched. */
export interface FetchedLogRecord {
  offset: number;
  timestampMs: number;
  key: Uint8Array | null;
  /** Null is a tombstone. */
  value: Uint8Array | null;
}

/** The records of one record batch (KIP-98), encoded, decompressed. */
interface RecordSet {
  octets: Buffer;
  count: number;
  firstOffset: number;
  firstTimestampMs: number;
  /** The broker's time, where the topic has that; null where each record has the producer's. */
  appendTimeMs: number | null;
}

type SetMessage = KafkaMessage & { recordSet?: RecordSet };

/** kafkajs's reader of an answer's octets. */
interface Decoder {
  offset: number;
  readInt32(): number;
  canReadBytes(octets: number): boolean;
  readBytes(octets: number): Buffer;
}
type DecodeMessages = (decoder: Decoder) => Promise<object[]>;

const BATCH_HEADER_OCTETS = 61;
/** Base offset and batch length: what the batch length does not count. */
const UNCOUNTED_OCTETS = 12;
const MAGIC_AT = 16;
const MAGIC = 2;
const APPEND_TIME = 0x08;
const TRANSACTIONAL = 0x10;
const CONTROL = 0x20;

const require = createRequire(import.meta.url);
let isInstalled = false;

/**
 * kafkajs makes a dozen objects of each record that it fetches, which cost more than booking it. With this a consumer's
 * messages are whole record batches, under the offset of their last record: `recordsOf` reads the records out of them. What
 * kafkajs leaves out (aborted transactions, control records, offsets that were not asked for) is whole record batches too.
 */
export function fetchRecordSets(): void {
  if (isInstalled) return;
  isInstalled = true;
  // The answers of all versions look it up when the first of them is decoded.
  const path = require.resolve('kafkajs/src/protocol/requests/fetch/v4/decodeMessages.js');
  const decodeEach = require(path) as DecodeMessages;
  const { lookupCodecByAttributes } = require('kafkajs/src/protocol/message/compression/index.js') as {
    lookupCodecByAttributes: (attributes: number) => { decompress: (octets: Buffer) => Promise<Buffer> } | null;
  };
  const decompress = async (attributes: number, octets: Buffer) =>
    (await lookupCodecByAttributes(attributes)?.decompress(octets)) ?? octets;
  const decodeSets: DecodeMessages = async (decoder) => {
    const { offset } = decoder;
    const size = decoder.readInt32();
    if (size <= 0 || !decoder.canReadBytes(size)) return [];
    const octets = decoder.readBytes(size);
    if (octets[MAGIC_AT] === MAGIC) return readSets(octets, decompress);
    decoder.offset = offset;
    return decodeEach(decoder);
  };
  const loaded = require.cache[path];
  if (loaded === undefined) throw new Error(`${path} was not loaded`);
  loaded.exports = decodeSets;
}

/**
 * The offset of the batch's first record, or of one before it that compaction took: not below the offset that was asked
 * for, though a record batch may begin before that, even before the log's start.
 */
export function firstOffsetOf(batch: Batch): number {
  const [first] = batch.messages as readonly SetMessage[];
  const { fetchedOffset = 0 } = batch as { fetchedOffset?: string | number };
  return Math.max(first.recordSet?.firstOffset ?? Number(batch.firstOffset()), Number(fetchedOffset));
}

/** The records of messages, whether kafkajs has decoded them or not. Their keys and values are views. */
export function* recordsOf(messages: readonly KafkaMessage[]): Generator<FetchedLogRecord> {
  for (const message of messages as readonly SetMessage[]) {
    if (message.recordSet !== undefined) {
      yield* recordsOfSet(message.recordSet);
      continue;
    }
    const { offset, timestamp, key, value } = message;
    yield { offset: Number(offset), timestampMs: Number(timestamp), key, value };
  }
}

async function readSets(
  octets: Buffer,
  decompress: (attributes: number, octets: Buffer) => Promise<Buffer>,
): Promise<SetMessage[]> {
  const messages: SetMessage[] = [];
  let end = 0;
  // The last batch may be cut off by the fetch's limit.
  for (let at = 0; at + BATCH_HEADER_OCTETS <= octets.length; at = end) {
    end = at + UNCOUNTED_OCTETS + octets.readInt32BE(at + 8);
    if (end > octets.length) break;
    const header = octets.subarray(at, at + BATCH_HEADER_OCTETS);
    const records = await decompress(header.readInt16BE(21), octets.subarray(at + BATCH_HEADER_OCTETS, end));
    const message = setMessage(header, records);
    if (message !== null) messages.push(message);
  }
  return messages;
}

function setMessage(header: Buffer, octets: Buffer): SetMessage | null {
  const attributes = header.readInt16BE(21);
  const baseOffset = header.readBigInt64BE(0);
  const maxTimestamp = header.readBigInt64BE(35);
  const recordSet = {
    octets,
    count: header.readInt32BE(57),
    firstOffset: Number(baseOffset),
    firstTimestampMs: Number(header.readBigInt64BE(27)),
    appendTimeMs: (attributes & APPEND_TIME) === 0 ? null : Number(maxTimestamp),
  };
  // Compaction keeps a batch without records, for the producer's sequence.
  if (recordSet.count === 0) return null;
  const isControlRecord = (attributes & CONTROL) !== 0;
  const [{ key = null } = {}] = isControlRecord ? recordsOfSet(recordSet) : [];
  return {
    offset: String(baseOffset + BigInt(header.readInt32BE(23))),
    timestamp: String(maxTimestamp),
    attributes: 0,
    key: key as Buffer | null,
    value: null,
    headers: {},
    recordSet,
    // What kafkajs, and the mending of its filter, look at.
    isControlRecord,
    batchContext: {
      producerId: String(header.readBigInt64BE(43)),
      inTransaction: (attributes & TRANSACTIONAL) !== 0,
    },
  } as SetMessage;
}

/** Where the next field of a record begins: one for all sets, kept by each between two records. */
let at = 0;

function* recordsOfSet(set: RecordSet): Generator<FetchedLogRecord> {
  const { octets, count, firstOffset, firstTimestampMs, appendTimeMs } = set;
  let next = 0;
  for (let left = count; left > 0; left--) {
    at = next;
    const length = readVarint(octets);
    next = at + length;
    if (length <= 0 || next > octets.length) throw new Error(`the record batch at ${firstOffset} is damaged`);
    at++; // attributes
    const timestampMs = firstTimestampMs + readVarint(octets);
    const offset = firstOffset + readVarint(octets);
    const key = readOctets(octets);
    const value = readOctets(octets);
    yield { offset, timestampMs: appendTimeMs ?? timestampMs, key, value };
  }
}

function readOctets(octets: Buffer): Uint8Array | null {
  const length = readVarint(octets);
  if (length < 0) return null;
  at += length;
  return octets.subarray(at - length, at);
}

/** Zigzag; exact up to 2^53. */
function readVarint(octets: Buffer): number {
  let low = 0;
  for (let shift = 0; shift < 28; shift += 7) {
    const octet = octets[at++];
    low |= (octet & 0x7f) << shift;
    if (octet < 0x80) return (low >>> 1) ^ -(low & 1);
  }
  let rest = 0;
  for (let scale = 2 ** 27; scale <= 2 ** 62; scale *= 2 ** 7) {
    const octet = octets[at++];
    rest += (octet & 0x7f) * scale;
    if (octet < 0x80) break;
  }
  const magnitude = rest + (low >>> 1);
  return (low & 1) === 0 ? magnitude : -magnitude - 1;
}
