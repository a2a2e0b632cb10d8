import avro from 'avsc';
import { RECORDS_START } from '../platform/kafka/patches/patch-encoded-records.ts';
import type { AvroSchema } from '../rating/decode-avro.ts';
import { loadKernel } from '../rating/kernel/load-kernel.ts';
import { confluentHeader, type QuotaUpdate, type QuotaUpdateHead, type QuotaUpdates } from '../rating/quota-updates.ts';
import {
  BATCH_BYTES,
  BATCH_COUNT,
  BATCH_OCTETS,
  BATCH_PARTITION,
  BATCH_PLACE,
  BATCH_REQUEST,
  BATCHES,
  COPY_OCTETS,
  HEAD,
  HEAD_AFTER_USE,
  HEAD_AFTER_USE_OCTETS,
  HEAD_BYTES,
  HEAD_DIGITS_AT,
  HEAD_KEY,
  HEAD_KEY_OCTETS,
  HEAD_VALUE,
  HEAD_VALUE_OCTETS,
  HEADS,
  OFFSET,
  REMAINING,
  SUBSCRIBER,
  THRESHOLD,
  UPDATES,
  USED,
} from './quota-kernel/quota-regions.ts';

/**
 * What the records of all updates under one head share. The subscriber's 32 digits are to be filled in, at the key's start
 * and at `digitsAt` of the value; after `value` come used, remaining, threshold, `afterUse`, and the offset.
 */
export interface QuotaUpdateParts {
  key: Uint8Array;
  value: Uint8Array;
  digitsAt: number;
  afterUse: Uint8Array;
}

/** Encoded records of one partition. */
export interface PartitionRecords {
  partition: number;
  /** After room for the batch's header. */
  batch: Buffer;
  count: number;
}

/** How the records of a topic are divided: by its partitions, and into requests of at most so many octets a partition. */
export interface Division {
  partitions: number;
  maxOctets: number;
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

/** A consumer, and compaction, keep the last message of a key. */
export function quotaKey({ subscriber, planId }: Pick<QuotaUpdate, 'subscriber' | 'planId'>): string {
  return `${subscriber}|${planId}`;
}

/**
 * Encodes updates, in order, as the records of their keys' partitions, request by request, as the requests are asked for: a recovery
 * publishes millions of updates, and what is sent need not be held along with what is not.
 */
export function encodeQuotaRecords(
  updates: QuotaUpdates,
  partsOf: (head: QuotaUpdateHead) => QuotaUpdateParts,
  division: Division,
): Iterable<PartitionRecords[]> {
  return requestsOf(updates, updates.heads.map(partsOf), division);
}

function* requestsOf(
  updates: QuotaUpdates,
  heads: readonly QuotaUpdateParts[],
  division: Division,
): Generator<PartitionRecords[]> {
  for (let from = 0; from < updates.length; from += UPDATES) {
    yield* quotaKernel().encode(updates, from, Math.min(updates.length, from + UPDATES), heads, division);
  }
}

/** What the kernel exports. Addresses are those of quota-regions.ts. */
export interface QuotaKernelExports {
  readonly memory: { readonly buffer: ArrayBuffer; grow(pages: number): number };
  divideRows(rows: number, heads: number, partitions: number, open: number, maxOctets: number): number;
  placeBatches(batches: number, from: number): number;
  writeUpdates(rows: number, heads: number): void;
  /** Signed. */
  murmur2(key: number, octets: number): number;
}

const PAGE_OCTETS = 65_536;

/**
 * The quota kernel of this thread: encodes updates from their columns. A call keeps nothing in its memory, which grows to what
 * the largest call has needed. README.md in quota-kernel/ says how it is laid out.
 */
export class QuotaKernel {
  readonly #exports: QuotaKernelExports;
  #octets = new Uint8Array(0);
  #words = new Uint32Array(0);

  constructor(exports = loadKernel<QuotaKernelExports>('#quota-kernel')) {
    this.#exports = exports;
    this.#reach(HEADS);
  }

  /** Returns the records of the updates [from, to), at most UPDATES, by request. `heads`: the parts of all the updates' heads. */
  encode(
    updates: QuotaUpdates,
    from: number,
    to: number,
    heads: readonly QuotaUpdateParts[],
    { partitions, maxOctets }: Division,
  ): PartitionRecords[][] {
    const rows = to - from;
    if (rows > UPDATES) throw new Error(`${rows} updates are more than the ${UPDATES} of a call`);
    const open = this.#loadHeads(heads);
    const records = roundedUp(open + partitions * 4);
    this.#reach(records);
    this.#octets.fill(0, open, records);
    this.#loadColumns(updates, from, rows);
    const batches = this.#exports.divideRows(rows, heads.length, partitions, open, maxOctets);
    this.#reach(this.#exports.placeBatches(batches, records));
    this.#exports.writeUpdates(rows, heads.length);
    return this.#requests(batches);
  }

  #loadColumns(updates: QuotaUpdates, from: number, rows: number): void {
    const load = (column: Uint32Array | Float64Array | Uint16Array, address: number, width: number) => {
      const octets = new Uint8Array(column.buffer, column.byteOffset + from * width, rows * width);
      this.#octets.set(octets, address);
    };
    load(updates.subscriber, SUBSCRIBER, 16);
    load(updates.usedOctets, USED, 8);
    load(updates.remainingOctets, REMAINING, 8);
    load(updates.offset, OFFSET, 8);
    load(updates.head, HEAD, 4);
    load(updates.thresholdReached, THRESHOLD, 2);
  }

  /** Returns the address after them. */
  #loadHeads(heads: readonly QuotaUpdateParts[]): number {
    let place = HEADS + heads.length * HEAD_BYTES;
    const parts = heads.flatMap(({ key, value, afterUse }) => [key, value, afterUse]);
    this.#reach(parts.reduce((sum, octets) => sum + roomOf(octets), place));
    const put = (octets: Uint8Array): number => {
      const at = place;
      this.#octets.set(octets, at);
      place += roomOf(octets);
      return at;
    };
    for (const [number, { key, value, digitsAt, afterUse }] of heads.entries()) {
      const head = (HEADS + number * HEAD_BYTES) / 4;
      this.#words[head + HEAD_KEY / 4] = put(key);
      this.#words[head + HEAD_KEY_OCTETS / 4] = key.length;
      this.#words[head + HEAD_VALUE / 4] = put(value);
      this.#words[head + HEAD_VALUE_OCTETS / 4] = value.length;
      this.#words[head + HEAD_DIGITS_AT / 4] = digitsAt;
      this.#words[head + HEAD_AFTER_USE / 4] = put(afterUse);
      this.#words[head + HEAD_AFTER_USE_OCTETS / 4] = afterUse.length;
    }
    return place;
  }

  /** Copies the batches out: they are sent later, when the memory holds another lane's. */
  #requests(batches: number): PartitionRecords[][] {
    const requests: PartitionRecords[][] = [];
    for (let number = 0; number < batches; number++) {
      const at = (BATCHES + number * BATCH_BYTES) / 4;
      const octets = this.#words[at + BATCH_OCTETS / 4];
      const place = this.#words[at + BATCH_PLACE / 4];
      const batch = Buffer.allocUnsafeSlow(RECORDS_START + octets);
      batch.set(this.#octets.subarray(place, place + octets), RECORDS_START);
      const request = this.#words[at + BATCH_REQUEST / 4];
      requests[request] ??= [];
      requests[request].push({
        partition: this.#words[at + BATCH_PARTITION / 4],
        batch,
        count: this.#words[at + BATCH_COUNT / 4],
      });
    }
    return requests;
  }

  /** Makes the memory reach up to an address. */
  #reach(address: number): void {
    const { memory } = this.#exports;
    const lacking = address - memory.buffer.byteLength;
    if (lacking > 0) memory.grow(Math.ceil(lacking / PAGE_OCTETS));
    // A memory that grows leaves its old views empty.
    if (this.#octets.buffer === memory.buffer) return;
    this.#octets = new Uint8Array(memory.buffer);
    this.#words = new Uint32Array(memory.buffer);
  }
}

/** Copies touch so many octets. */
function roomOf(octets: Uint8Array): number {
  return roundedUp(octets.length) + COPY_OCTETS;
}

function roundedUp(octets: number): number {
  return Math.ceil(octets / COPY_OCTETS) * COPY_OCTETS;
}

let kernel: QuotaKernel | undefined;

/** Returns this thread's quota kernel. */
function quotaKernel(): QuotaKernel {
  kernel ??= new QuotaKernel();
  return kernel;
}
