import type { QuotaUpdate } from '../billing/quota-update.ts';
import { RECORD_OVERHEAD_OCTETS, writeRecord } from '../platform/kafka-record-batch.ts';
import { murmur2 } from './murmur2.ts';
import type { QuotaUpdateCodec } from './quota-update-codec.ts';

/** Encoded records of one partition. */
export interface PartitionRecords {
  partition: number;
  records: Buffer;
  count: number;
}

/** A name of a subscriber, a plan or a file is far shorter. */
const SCRATCH_OCTETS = 2 ** 16;
const key = Buffer.alloc(SCRATCH_OCTETS);
const value = Buffer.alloc(SCRATCH_OCTETS);

/** A consumer, and compaction, keep the last message of a key. */
export function quotaKey({ subscriber, planId }: Pick<QuotaUpdate, 'subscriber' | 'planId'>): string {
  return `${subscriber}|${planId}`;
}

/**
 * Encodes updates, in order, as the records of their keys' partitions, and cuts them into requests: each has at most
 * `maxOctets` octets of a partition.
 */
export function encodeQuotaRecords(
  updates: readonly QuotaUpdate[],
  { encodeInto }: Pick<QuotaUpdateCodec, 'encodeInto'>,
  partitions: number,
  maxOctets: number,
): PartitionRecords[][] {
  const requests: PartitionRecords[][] = [];
  const open = Array.from({ length: partitions }, (_, partition) => new OpenRecords(partition));
  const close = (records: OpenRecords) => {
    const request = records.closed++;
    requests[request] ??= [];
    requests[request].push(records.take());
  };
  for (const update of updates) {
    const keyOctets = key.write(quotaKey(update), 0, 'utf8');
    const valueOctets = encodeInto(update, value);
    const records = open[(murmur2(key, keyOctets) & 0x7fffffff) % partitions];
    const needed = keyOctets + valueOctets + RECORD_OVERHEAD_OCTETS;
    if (records.count > 0 && records.octets + needed > maxOctets) close(records);
    records.append(keyOctets, valueOctets, needed);
  }
  for (const records of open) if (records.count > 0) close(records);
  return requests;
}

/** A partition's records that still grow. */
class OpenRecords {
  readonly partition: number;
  count = 0;
  octets = 0;
  /** Requests that have records of this partition. */
  closed = 0;
  #out = Buffer.allocUnsafe(4096);

  constructor(partition: number) {
    this.partition = partition;
  }

  append(keyOctets: number, valueOctets: number, needed: number): void {
    if (this.octets + needed > this.#out.length) {
      const larger = Buffer.allocUnsafe(Math.max(this.#out.length * 2, this.octets + needed));
      this.#out.copy(larger, 0, 0, this.octets);
      this.#out = larger;
    }
    this.octets = writeRecord(this.#out, this.octets, this.count++, key, keyOctets, value, valueOctets);
  }

  take(): PartitionRecords {
    const { partition, count, octets } = this;
    const records = this.#out.subarray(0, octets);
    this.#out = Buffer.allocUnsafe(4096);
    this.count = 0;
    this.octets = 0;
    return { partition, records, count };
  }
}
