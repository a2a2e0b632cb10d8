import avro from 'avsc';
import { varintOctets, writeVarint } from '../formats/varint.ts';
import { RECORDS_START } from '../platform/kafka/patches/patch-encoded-records.ts';
import type { AvroSchema } from '../rating/decode-avro.ts';
import { confluentHeader, type QuotaUpdate, type QuotaUpdateHead, type QuotaUpdates } from '../rating/quota-updates.ts';

/**
 * What the records of all updates under one head share. The subscriber's 32 digits are to be filled in, at the key's start
 * and at `digitsAt` of the value; after `value` come used, remaining, threshold, `afterUse`, and the offset.
 */
interface QuotaUpdateParts {
  key: Uint8Array;
  value: Uint8Array;
  digitsAt: number;
  afterUse: Uint8Array;
}

const DIGITS = 32;
/** The length of the subscriber's 32 digits, as an Avro long. */
const DIGITS_LENGTH = 64;
const BEFORE_USE = ['sponsorId', 'applicationId', 'planId', 'planVersion', 'periodStart', 'quotaOctets'];
const AFTER_USE = ['version', 'topic', 'partition'];
const FIELDS = [
  'subscriber',
  ...BEFORE_USE,
  'usedOctets',
  'remainingOctets',
  'thresholdReached',
  ...AFTER_USE,
  'offset',
];

/** Encodes heads by `schemas/quota-update.avsc`; throws when that has other fields, or another order of them. */
export function quotaUpdateParts(schema: AvroSchema, schemaId?: number): (head: QuotaUpdateHead) => QuotaUpdateParts {
  const { fields } = avro.Type.forSchema(schema) as avro.types.RecordType;
  const names = fields.map(({ name }) => name);
  if (names.join() !== FIELDS.join()) throw new Error(`a quota update has the fields ${FIELDS}, not ${names}`);
  const encoderOf = (part: readonly string[]) => {
    const types = fields.filter(({ name }) => part.includes(name)).map(({ name, type }) => ({ name, type }));
    const type = avro.Type.forSchema({ type: 'record', name: 'Part', fields: types } as avro.Schema);
    return (head: QuotaUpdateHead) => type.toBuffer(head);
  };
  const [beforeUse, afterUse] = [encoderOf(BEFORE_USE), encoderOf(AFTER_USE)];
  const digits = Buffer.alloc(DIGITS);
  const start = Buffer.concat([confluentHeader(schemaId), Buffer.of(DIGITS_LENGTH)]);
  return (head) => ({
    key: Uint8Array.from(Buffer.concat([digits, Buffer.from(`|${head.planId}`)])),
    value: Uint8Array.from(Buffer.concat([start, digits, beforeUse(head)])),
    digitsAt: start.length,
    afterUse: Uint8Array.from(afterUse(head)),
  });
}

/** Encoded records of one partition. */
export interface PartitionRecords {
  partition: number;
  /** After room for the batch's header. */
  batch: Buffer;
  count: number;
}

const hex = Uint8Array.from(Buffer.from('0123456789abcdef'));

/** A consumer, and compaction, keep the last message of a key. */
export function quotaKey({ subscriber, planId }: Pick<QuotaUpdate, 'subscriber' | 'planId'>): string {
  return `${subscriber}|${planId}`;
}

/**
 * Encodes updates, in order, as the records of their keys' partitions, and cuts them into requests: each has at most
 * `maxBytes` octets of a partition's records. They are measured first, so that each is written once, where it is sent from.
 */
export function encodeQuotaRecords(
  updates: QuotaUpdates,
  partsOf: (head: QuotaUpdateHead) => QuotaUpdateParts,
  partitions: number,
  maxBytes: number,
): PartitionRecords[][] {
  const parts = updates.heads.map(partsOf);
  const valueOctets = new Uint32Array(updates.length);
  const batchOf = new Uint32Array(updates.length);
  const batches: OpenBatch[] = [];
  const open = Array.from({ length: partitions }, () => -1);
  for (let index = 0; index < updates.length; index++) {
    const shared = parts[updates.head[index]];
    writeDigits(shared.key, updates.subscriber, index * 4);
    valueOctets[index] = valueLength(updates, index, shared);
    const partition = (murmur2(shared.key) & 0x7fffffff) % partitions;
    const before = batches[open[partition]];
    if (before === undefined || !before.takes(shared.key.length, valueOctets[index], maxBytes)) {
      const request = before === undefined ? 0 : before.request + 1;
      open[partition] = batches.push(new OpenBatch(partition, request, shared.key.length, valueOctets[index])) - 1;
    }
    batchOf[index] = open[partition];
  }
  for (const batch of batches) batch.allocate();
  for (let index = 0; index < updates.length; index++) {
    batches[batchOf[index]].append(updates, index, parts[updates.head[index]], valueOctets[index]);
  }
  const requests: PartitionRecords[][] = [];
  for (const { request, partition, batch, count } of batches) {
    requests[request] ??= [];
    requests[request].push({ partition, batch, count });
  }
  return requests;
}

/** The subscriber's pseudonym in hex, at the key's start. */
function writeDigits(key: Uint8Array, pseudonyms: Uint32Array, at: number): void {
  let to = 0;
  for (let word = 0; word < 4; word++) {
    for (let octets = pseudonyms[at + word], left = 4; left > 0; left--, octets >>>= 8) {
      key[to++] = hex[(octets >>> 4) & 15];
      key[to++] = hex[octets & 15];
    }
  }
}

function valueLength(updates: QuotaUpdates, index: number, { value, afterUse }: QuotaUpdateParts): number {
  return (
    value.length +
    varintOctets(updates.usedOctets[index]) +
    varintOctets(updates.remainingOctets[index]) +
    varintOctets(updates.thresholdReached[index]) +
    afterUse.length +
    varintOctets(updates.offset[index])
  );
}

/** A partition's records in one request: first measured, then written. */
class OpenBatch {
  readonly partition: number;
  readonly request: number;
  batch: Buffer = Buffer.alloc(0);
  count = 1;
  #octets: number;
  #written = 0;
  #at = RECORDS_START;

  /** With the lengths of its first record. */
  constructor(partition: number, request: number, keyOctets: number, valueOctets: number) {
    this.partition = partition;
    this.request = request;
    this.#octets = recordLength(0, keyOctets, valueOctets);
  }

  /** Makes room for one record more, where that is not too many octets. */
  takes(keyOctets: number, valueOctets: number, maxBytes: number): boolean {
    const octets = this.#octets + recordLength(this.count, keyOctets, valueOctets);
    if (octets > maxBytes) return false;
    this.#octets = octets;
    this.count++;
    return true;
  }

  allocate(): void {
    this.batch = Buffer.allocUnsafeSlow(RECORDS_START + this.#octets);
  }

  /** The update's record: no headers, and the batch's own timestamp. */
  append(updates: QuotaUpdates, index: number, parts: QuotaUpdateParts, valueOctets: number): void {
    const out = this.batch;
    const { key, value, digitsAt, afterUse } = parts;
    const delta = this.#written++;
    let at = writeVarint(out, this.#at, bodyLength(delta, key.length, valueOctets));
    out[at++] = 0; // attributes
    out[at++] = 0; // timestamp delta
    at = writeVarint(out, at, delta);
    at = writeVarint(out, at, key.length);
    writeDigits(key, updates.subscriber, index * 4);
    const digits = at;
    out.set(key, at);
    at = writeVarint(out, at + key.length, valueOctets);
    out.set(value, at);
    out.copyWithin(at + digitsAt, digits, digits + DIGITS);
    at = writeVarint(out, at + value.length, updates.usedOctets[index]);
    at = writeVarint(out, at, updates.remainingOctets[index]);
    at = writeVarint(out, at, updates.thresholdReached[index]);
    out.set(afterUse, at);
    at = writeVarint(out, at + afterUse.length, updates.offset[index]);
    out[at++] = 0; // headers
    this.#at = at;
  }
}

function recordLength(delta: number, keyOctets: number, valueOctets: number): number {
  const body = bodyLength(delta, keyOctets, valueOctets);
  return varintOctets(body) + body;
}

/** Attributes, timestamp delta and header count take an octet each. */
function bodyLength(delta: number, keyOctets: number, valueOctets: number): number {
  return 3 + varintOctets(delta) + varintOctets(keyOctets) + keyOctets + varintOctets(valueOctets) + valueOctets;
}

const SEED = 0x9747b28c;
const M = 0x5bd1e995;
const R = 24;

/**
 * The hash by which Kafka's own clients choose a key's partition: the Java client and kafkajs have it. kafkajs computes it
 * with objects for 64-bit numbers, which for a batch's quota updates was more work than rating the batch. 32 bits, signed.
 */
export function murmur2(key: Uint8Array): number {
  const { length } = key;
  const whole = length & ~3;
  let hash = SEED ^ length;
  for (let at = 0; at < whole; at += 4) {
    let k = Math.imul(key[at] | (key[at + 1] << 8) | (key[at + 2] << 16) | (key[at + 3] << 24), M);
    k = Math.imul(k ^ (k >>> R), M);
    hash = Math.imul(hash, M) ^ k;
  }
  if (whole < length) {
    for (let at = length - 1; at >= whole; at--) hash ^= key[at] << ((at - whole) * 8);
    hash = Math.imul(hash, M);
  }
  hash = Math.imul(hash ^ (hash >>> 13), M);
  return hash ^ (hash >>> 15);
}
