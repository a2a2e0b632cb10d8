import { createRequire } from 'node:module';
import type { Batch, KafkaMessage } from 'kafkajs';
import { LogRecord } from './log-record.ts';

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
const EMPTY = new Uint8Array(0);

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

/**
 * The records of messages, whether kafkajs has decoded them or not: those at `fromOffset` and after it. A tombstone is a
 * record with an empty value; a value larger than `maxOctets` is cut.
 */
export function recordsOf(
  messages: readonly KafkaMessage[],
  fromOffset = 0,
  maxOctets = Number.POSITIVE_INFINITY,
): IterableIterator<LogRecord> {
  return new RecordIterator(messages, fromOffset, maxOctets);
}

/** Not a generator, which takes longer to go on than a record takes to be read. */
class RecordIterator implements IterableIterator<LogRecord> {
  readonly #messages: readonly SetMessage[];
  readonly #fromOffset: number;
  readonly #maxOctets: number;
  #nextMessage = 0;
  #set: RecordSetReader | null = null;

  constructor(messages: readonly KafkaMessage[], fromOffset: number, maxOctets: number) {
    this.#messages = messages;
    this.#fromOffset = fromOffset;
    this.#maxOctets = maxOctets;
  }

  [Symbol.iterator](): this {
    return this;
  }

  next(): IteratorResult<LogRecord, undefined> {
    for (let record = this.#read(); record !== null; record = this.#read()) {
      if (record.offset >= this.#fromOffset) return { done: false, value: record.cutTo(this.#maxOctets) };
    }
    return { done: true, value: undefined };
  }

  #read(): LogRecord | null {
    for (;;) {
      const record = this.#set?.next() ?? null;
      if (record !== null) return record;
      if (this.#nextMessage === this.#messages.length) return null;
      const message = this.#messages[this.#nextMessage++];
      if (message.recordSet === undefined) return decodedRecord(message);
      this.#set = new RecordSetReader(message.recordSet);
    }
  }
}

function decodedRecord({ offset, timestamp, key, value }: KafkaMessage): LogRecord {
  return LogRecord.of({ offset: Number(offset), timestampMs: Number(timestamp), key, value: value ?? EMPTY });
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
  const key = isControlRecord ? (new RecordSetReader(recordSet).next()?.key ?? null) : null;
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

/** Reads one record after another. A tombstone's value is empty. */
class RecordSetReader {
  readonly #set: RecordSet;
  #left: number;
  #next = 0;

  constructor(set: RecordSet) {
    this.#set = set;
    this.#left = set.count;
  }

  next(): LogRecord | null {
    if (this.#left === 0) return null;
    this.#left--;
    const { octets, firstOffset, firstTimestampMs, appendTimeMs } = this.#set;
    at = this.#next;
    const length = readVarint(octets);
    const end = at + length;
    if (length <= 0 || end > octets.length) throw new Error(`the record batch at ${firstOffset} is damaged`);
    this.#next = end;
    at++; // attributes
    const timestampMs = firstTimestampMs + readVarint(octets);
    const offset = firstOffset + readVarint(octets);
    const keyOctets = readVarint(octets);
    const keyStart = keyOctets < 0 ? -1 : at;
    if (keyOctets > 0) at += keyOctets;
    const keyEnd = keyOctets < 0 ? -1 : at;
    const valueOctets = Math.max(0, readVarint(octets));
    return new LogRecord(offset, appendTimeMs ?? timestampMs, octets, keyStart, keyEnd, at, at + valueOctets);
  }
}

/** Zigzag; exact up to 2^53. */
function readVarint(octets: Buffer): number {
  const first = octets[at++];
  // Most are one octet.
  if (first < 0x80) return (first >>> 1) ^ -(first & 1);
  let low = first & 0x7f;
  for (let shift = 7; shift < 28; shift += 7) {
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
