import { crc32c } from '@node-rs/crc32';
import type { Batch, KafkaMessage } from 'kafkajs';
import { codecOf, decompressRecords } from '../kafka-codecs.ts';
import { LogRecord } from '../log-record.ts';
import { RecordBatchError } from '../record-batch-error.ts';
import { kafkajsInternal, replaceKafkajsInternal } from './kafkajs-internals.ts';

/** The records of one record batch (KIP-98), encoded, decompressed. */
interface RecordSet {
  octets: Buffer;
  count: number;
  firstOffset: number;
  firstTimestampMs: number;
  /** The broker's time, where the topic has that; null where each record has the producer's. */
  appendTimeMs: number | null;
  /** Why its records cannot be read. */
  fault?: RecordBatchError;
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
const CRC_AT = 17;
/** What the checksum covers begins here. */
const ATTRIBUTES_AT = 21;
const APPEND_TIME = 0x08;
const TRANSACTIONAL = 0x10;
const CONTROL = 0x20;
const EMPTY = new Uint8Array(0);

/**
 * kafkajs makes a dozen objects of each record that it fetches, which cost more than booking it. With this a consumer's
 * messages are whole record batches, under the offset of their last record: `recordsOf` reads the records out of them. What
 * kafkajs leaves out (aborted transactions, control records, offsets that were not asked for) is whole record batches too.
 */
export function patchRecordSets(): void {
  // The answers of all versions look it up when the first of them is decoded.
  replaceKafkajsInternal<DecodeMessages>(
    'protocol/requests/fetch/v4/decodeMessages.js',
    (decodeEach) => async (decoder) => {
      const { offset } = decoder;
      const size = decoder.readInt32();
      if (size <= 0 || !decoder.canReadBytes(size)) return [];
      const octets = ownMemory(decoder.readBytes(size));
      if (octets[MAGIC_AT] === MAGIC) return readSets(octets);
      decoder.offset = offset;
      return decodeEach(decoder).catch((error: unknown) => [faultyMessage(octets, faultOf(error))]);
    },
  );
}

/**
 * The records of one partition, without the answer's other partitions beside them: a batch that keeps a few of them would keep
 * the whole answer otherwise.
 */
function ownMemory(octets: Buffer): Buffer {
  if (octets.length * 2 >= octets.buffer.byteLength) return octets;
  const own = Buffer.allocUnsafeSlow(octets.length);
  own.set(octets);
  return own;
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

/** The offset that a batch is read to: of one that ends in what cannot be read, where that begins. */
export function lastOffsetOf(batch: Batch): number {
  const last = batch.messages.at(-1) as SetMessage | undefined;
  const { fetchedOffset = 0 } = batch as { fetchedOffset?: string | number };
  if (last?.recordSet?.fault === undefined) return Number(batch.lastOffset());
  return Math.max(last.recordSet.firstOffset, Number(fetchedOffset));
}

/** The records of messages up to the first that cannot be read, and why it cannot. */
export interface ReadableRecords extends IterableIterator<LogRecord> {
  /** Null while there is none. */
  readonly fault: { offset: number; error: RecordBatchError } | null;
}

/** The same as `recordsOf`, but for a consumer that first books what comes before a batch that cannot be read. */
export function readableRecordsOf(
  messages: readonly KafkaMessage[],
  fromOffset: number,
  maxBytes: number,
): ReadableRecords {
  return new RecordIterator(messages, fromOffset, maxBytes);
}

/**
 * The records of messages, whether kafkajs has decoded them or not: those at `fromOffset` and after it. A tombstone is a
 * record with an empty value; a value larger than `maxBytes` is cut. Throws a RecordBatchError at a batch that cannot be
 * read.
 */
export function* recordsOf(
  messages: readonly KafkaMessage[],
  fromOffset = 0,
  maxBytes = Number.POSITIVE_INFINITY,
): Generator<LogRecord, void, undefined> {
  const records = new RecordIterator(messages, fromOffset, maxBytes);
  yield* records;
  if (records.fault !== null) throw placed(records.fault);
}

/** The same of a consumer's batch, with its partition in the error. */
export function* recordsOfBatch({ topic, partition, messages }: Batch): Generator<LogRecord, void, undefined> {
  try {
    yield* recordsOf(messages);
  } catch (error) {
    if (!(error instanceof RecordBatchError)) throw error;
    throw new RecordBatchError(error.code, `${topic}-${partition}: ${error.message}`, { cause: error });
  }
}

function placed({ offset, error }: NonNullable<ReadableRecords['fault']>): RecordBatchError {
  return new RecordBatchError(error.code, `the record batch at offset ${offset} ${error.message}`, { cause: error });
}

/** Not a generator, which takes longer to resume than a record takes to be read. */
class RecordIterator implements ReadableRecords {
  fault: ReadableRecords['fault'] = null;
  readonly #messages: readonly SetMessage[];
  readonly #fromOffset: number;
  readonly #maxBytes: number;
  #nextMessage = 0;
  #set: RecordSetReader | null = null;

  constructor(messages: readonly KafkaMessage[], fromOffset: number, maxBytes: number) {
    this.#messages = messages;
    this.#fromOffset = fromOffset;
    this.#maxBytes = maxBytes;
  }

  [Symbol.iterator](): this {
    return this;
  }

  next(): IteratorResult<LogRecord, undefined> {
    for (let record = this.#read(); record !== null; record = this.#read()) {
      if (record.offset >= this.#fromOffset) return { done: false, value: record.cutTo(this.#maxBytes) };
    }
    return { done: true, value: undefined };
  }

  #read(): LogRecord | null {
    for (;;) {
      const record = this.#set?.next() ?? null;
      if (record !== null) return record;
      if (this.#set?.fault != null) return this.#endAt(this.#set.fault);
      if (this.#nextMessage === this.#messages.length) return null;
      const message = this.#messages[this.#nextMessage++];
      if (message.recordSet === undefined) return decodedRecord(message);
      this.#set = new RecordSetReader(message.recordSet);
    }
  }

  #endAt(fault: NonNullable<ReadableRecords['fault']>): null {
    this.fault = fault;
    this.#set = null;
    this.#nextMessage = this.#messages.length;
    return null;
  }
}

function decodedRecord({ offset, timestamp, key, value }: KafkaMessage): LogRecord {
  return LogRecord.of({ offset: Number(offset), timestampMs: Number(timestamp), key, value: value ?? EMPTY });
}

async function readSets(octets: Buffer): Promise<SetMessage[]> {
  const messages: SetMessage[] = [];
  let end = 0;
  // The last batch may be cut off by the fetch's limit.
  for (let at = 0; at + BATCH_HEADER_OCTETS <= octets.length; at = end) {
    end = at + UNCOUNTED_OCTETS + octets.readInt32BE(at + 8);
    if (end > octets.length) break;
    const header = octets.subarray(at, at + BATCH_HEADER_OCTETS);
    if (end < at + BATCH_HEADER_OCTETS)
      return [...messages, faultyMessage(header, damaged('has an impossible length'))];
    const batch = octets.subarray(at, end);
    const message = await readSet(header, batch);
    if (message !== null) messages.push(message);
    // Nothing after it is read before it can be.
    if (message?.recordSet?.fault !== undefined) break;
  }
  return messages;
}

async function readSet(header: Buffer, batch: Buffer): Promise<SetMessage | null> {
  if (crc32c(batch.subarray(ATTRIBUTES_AT)) !== header.readUInt32BE(CRC_AT)) {
    return faultyMessage(header, damaged('has another checksum than its octets'));
  }
  const records = batch.subarray(BATCH_HEADER_OCTETS);
  const codec = codecOf(header.readInt16BE(ATTRIBUTES_AT));
  return setMessage(header, await decompressRecords(codec, records).catch(faultOf));
}

function damaged(what: string): RecordBatchError {
  return new RecordBatchError(
    'batch_damaged',
    `${what}: restore the partition from a replica, or delete the records up to the batch’s end and accept the gap`,
  );
}

function faultOf(error: unknown): RecordBatchError {
  return error instanceof RecordBatchError ? error : damaged(`cannot be read (${(error as Error).message})`);
}

/** The message for a batch whose header cannot be trusted but for the offset that it begins at. */
function faultyMessage(header: Buffer, fault: RecordBatchError): SetMessage {
  const firstOffset = Number(header.readBigInt64BE(0));
  const recordSet = { octets: header, count: 0, firstOffset, firstTimestampMs: 0, appendTimeMs: null, fault };
  const context = { isControlRecord: false, batchContext: { producerId: '-1', inTransaction: false } };
  // As if it never ended: kafkajs leaves out messages that end before the offset it has asked for.
  return { ...messageOf(recordSet, BigInt(Number.MAX_SAFE_INTEGER), 0n), ...context } as SetMessage;
}

function setMessage(header: Buffer, records: Buffer | RecordBatchError): SetMessage | null {
  const attributes = header.readInt16BE(ATTRIBUTES_AT);
  const baseOffset = header.readBigInt64BE(0);
  const maxTimestamp = header.readBigInt64BE(35);
  const recordSet: RecordSet = {
    octets: records instanceof RecordBatchError ? header : records,
    count: header.readInt32BE(57),
    firstOffset: Number(baseOffset),
    firstTimestampMs: Number(header.readBigInt64BE(27)),
    appendTimeMs: (attributes & APPEND_TIME) === 0 ? null : Number(maxTimestamp),
  };
  // Compaction keeps a batch without records, for the producer's sequence.
  if (recordSet.count === 0) return null;
  if (records instanceof RecordBatchError) Object.assign(recordSet, { count: 0, fault: records });
  const isControlRecord = (attributes & CONTROL) !== 0;
  const key = isControlRecord ? (new RecordSetReader(recordSet).next()?.key ?? null) : null;
  // What kafkajs, and the correction of its filter, look at.
  const context = {
    isControlRecord,
    batchContext: {
      producerId: String(header.readBigInt64BE(43)),
      inTransaction: (attributes & TRANSACTIONAL) !== 0,
    },
  };
  const lastOffset = baseOffset + BigInt(header.readInt32BE(23));
  return { ...messageOf(recordSet, lastOffset, maxTimestamp), ...context, key: key as Buffer | null };
}

function messageOf(recordSet: RecordSet, lastOffset: bigint, maxTimestamp: bigint): SetMessage {
  const [offset, timestamp] = [String(lastOffset), String(maxTimestamp)];
  return { offset, timestamp, attributes: 0, key: null, value: null, headers: {}, recordSet };
}

/** Where the next field of a record begins: one for all sets, kept by each between two records. */
let at = 0;

/** Reads one record after another. A tombstone's value is empty. */
class RecordSetReader {
  readonly #set: RecordSet;
  #left: number;
  #next = 0;
  /** Why the rest of the batch cannot be read. */
  fault: ReadableRecords['fault'] = null;

  constructor(set: RecordSet) {
    this.#set = set;
    this.#left = set.count;
    if (set.fault !== undefined) this.fault = { offset: set.firstOffset, error: set.fault };
  }

  next(): LogRecord | null {
    if (this.#left <= 0) return null;
    this.#left--;
    const { octets, firstOffset, firstTimestampMs, appendTimeMs } = this.#set;
    at = this.#next;
    const length = readVarint(octets);
    const end = at + length;
    if (!(length > 0 && end <= octets.length)) return this.#endEarly();
    this.#next = end;
    at++; // attributes
    const timestampMs = firstTimestampMs + readVarint(octets);
    const offset = firstOffset + readVarint(octets);
    const keyOctets = readVarint(octets);
    const keyStart = keyOctets < 0 ? -1 : at;
    if (keyOctets > 0) at += keyOctets;
    const keyEnd = keyOctets < 0 ? -1 : at;
    const valueOctets = Math.max(0, readVarint(octets));
    if (!(at + valueOctets <= end)) return this.#endEarly();
    return new LogRecord(offset, appendTimeMs ?? timestampMs, octets, keyStart, keyEnd, at, at + valueOctets);
  }

  #endEarly(): null {
    this.#left = 0;
    this.fault = { offset: this.#set.firstOffset, error: damaged('holds a record that does not end') };
    return null;
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

/** A record of a fetch, as kafkajs decodes it. Offsets and producer ids are decimal digits. */
export interface FetchedRecord {
  offset: string;
  key: Uint8Array | null;
  isControlRecord: boolean;
  batchContext: { producerId: string; inTransaction: boolean };
}

/** One partition's part of a fetch. */
interface FetchedPartition {
  /** Transactions that have records at or after the fetch's offset and were aborted, with their first record's offset. */
  abortedTransactions?: readonly { producerId: string; firstOffset: string }[] | null;
  messages: readonly FetchedRecord[];
}

interface Broker {
  fetch(request: object): Promise<{ responses: readonly { partitions: readonly FetchedPartition[] }[] }>;
}

const ABORT_MARKER = Buffer.from([0, 0, 0, 0]);

/**
 * kafkajs 2.2.4 lets records of aborted transactions through when a fetch begins inside of two of them or more: at each
 * record it takes note of one aborted transaction at the most, though several have begun by then. So they are hidden
 * before kafkajs looks: as control records, which count for the position and are not handed out.
 */
export function patchAbortedTransactions(): void {
  const { prototype } = kafkajsInternal<{ prototype: Broker }>('broker/index.js');
  const { fetch } = prototype;
  prototype.fetch = async function (this: Broker, request) {
    const answer = await fetch.call(this, request);
    for (const { partitions } of answer.responses) partitions.forEach(markAborted);
    return answer;
  };
}

/** Makes the aborted records of a fetch control records. */
export function markAborted({ abortedTransactions, messages }: FetchedPartition): void {
  const ahead = [...(abortedTransactions ?? [])].sort((a, b) => Number(a.firstOffset) - Number(b.firstOffset));
  if (ahead.length === 0) return;
  const aborted = new Set<string>();
  let next = 0;
  for (const message of messages) {
    for (; next < ahead.length && Number(ahead[next]?.firstOffset) <= Number(message.offset); next++) {
      aborted.add(ahead[next]?.producerId ?? '');
    }
    const { producerId, inTransaction } = message.batchContext;
    if (message.isControlRecord) {
      if (message.key !== null && ABORT_MARKER.equals(message.key)) aborted.delete(producerId);
    } else if (inTransaction && aborted.has(producerId)) {
      message.isControlRecord = true;
    }
  }
}
