import type { QuotaUpdate } from '../billing/quota-update.ts';
import type { QuotaUpdateHead, QuotaUpdates } from '../billing/quota-updates.ts';
import { RECORD_OVERHEAD_OCTETS, varintOctets, writeVarint } from '../platform/kafka-record-batch.ts';
import { longOctets, writeLong } from './avro-long.ts';
import { murmur2 } from './murmur2.ts';
import { DIGITS, type QuotaUpdateParts } from './quota-update-parts.ts';

/** Encoded records of one partition. */
export interface PartitionRecords {
  partition: number;
  records: Buffer;
  count: number;
}

const FIRST_OCTETS = 2 ** 16;
const hex = Uint8Array.from(Buffer.from('0123456789abcdef'));

/** A consumer, and compaction, keep the last message of a key. */
export function quotaKey({ subscriber, planId }: Pick<QuotaUpdate, 'subscriber' | 'planId'>): string {
  return `${subscriber}|${planId}`;
}

/**
 * Encodes updates, in order, as the records of their keys' partitions, and cuts them into requests: each has at most
 * `maxOctets` octets of a partition.
 */
export function encodeQuotaRecords(
  updates: QuotaUpdates,
  partsOf: (head: QuotaUpdateHead) => QuotaUpdateParts,
  partitions: number,
  maxOctets: number,
): PartitionRecords[][] {
  const requests: PartitionRecords[][] = [];
  const parts = updates.heads.map(partsOf);
  const open = Array.from({ length: partitions }, (_, partition) => new OpenRecords(partition));
  const close = (records: OpenRecords) => {
    const request = records.closed++;
    requests[request] ??= [];
    requests[request].push(records.take());
  };
  for (let index = 0; index < updates.length; index++) {
    const shared = parts[updates.head[index]];
    const { key } = shared;
    writeDigits(key, updates.subscriber, index * 4);
    const valueOctets = valueLength(updates, index, shared);
    const records = open[(murmur2(key) & 0x7fffffff) % partitions];
    const needed = key.length + valueOctets + RECORD_OVERHEAD_OCTETS;
    if (records.count > 0 && records.octets + needed > maxOctets) close(records);
    records.append(updates, index, shared, valueOctets, needed);
  }
  for (const records of open) if (records.count > 0) close(records);
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
    longOctets(updates.usedOctets[index]) +
    longOctets(updates.remainingOctets[index]) +
    longOctets(updates.thresholdReached[index]) +
    afterUse.length +
    longOctets(updates.offset[index])
  );
}

/** A partition's records that still grow. */
class OpenRecords {
  readonly partition: number;
  count = 0;
  octets = 0;
  /** Requests that have records of this partition. */
  closed = 0;
  #out = Buffer.allocUnsafe(FIRST_OCTETS);

  constructor(partition: number) {
    this.partition = partition;
  }

  /** The update's record: no headers, and the batch's own timestamp. */
  append(updates: QuotaUpdates, index: number, parts: QuotaUpdateParts, valueOctets: number, needed: number): void {
    this.#makeRoom(needed);
    const out = this.#out;
    const { key, value, digitsAt, afterUse } = parts;
    const delta = this.count++;
    const keyed = varintOctets(key.length) + key.length;
    let at = writeVarint(out, this.octets, 3 + varintOctets(delta) + keyed + varintOctets(valueOctets) + valueOctets);
    out[at++] = 0; // attributes
    out[at++] = 0; // timestamp delta
    at = writeVarint(out, at, delta);
    at = writeVarint(out, at, key.length);
    const digits = at;
    out.set(key, at);
    at = writeVarint(out, at + key.length, valueOctets);
    out.set(value, at);
    out.copyWithin(at + digitsAt, digits, digits + DIGITS);
    at = writeLong(out, at + value.length, updates.usedOctets[index]);
    at = writeLong(out, at, updates.remainingOctets[index]);
    at = writeLong(out, at, updates.thresholdReached[index]);
    out.set(afterUse, at);
    at = writeLong(out, at + afterUse.length, updates.offset[index]);
    out[at++] = 0; // headers
    this.octets = at;
  }

  take(): PartitionRecords {
    const { partition, count, octets } = this;
    const records = this.#out.subarray(0, octets);
    this.#out = Buffer.allocUnsafe(FIRST_OCTETS);
    this.count = 0;
    this.octets = 0;
    return { partition, records, count };
  }

  #makeRoom(octets: number): void {
    if (this.octets + octets <= this.#out.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.#out.length * 2, this.octets + octets));
    this.#out.copy(larger, 0, 0, this.octets);
    this.#out = larger;
  }
}
