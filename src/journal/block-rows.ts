import { createHash } from 'node:crypto';
import { bytesOf, fixedColumn, lowCardinalityColumn, type NativeColumn } from '../platform/clickhouse/native-block.ts';
import type { SourceProof } from '../platform/kafka/log-record.ts';
import type { FlowBatch } from '../rating/flow-record.ts';
import type { TopicPartition } from '../rating/lane.ts';
import { REASON_CODE } from '../rating/outcome.ts';

/** Codes of a few texts; those below 0 are the empty text. */
type Codes = Int32Array | Uint8Array;

/**
 * Builds a block's columns from the batch's rows that the journal keeps one by one. The block has one row more, the batch
 * row, in which these columns hold their default.
 */
export class BlockRows {
  readonly rows: Uint32Array;
  readonly height: number;
  readonly memory: BlockMemory;

  constructor(rows: Uint32Array, memory: BlockMemory) {
    this.rows = rows;
    this.height = rows.length + 1;
    this.memory = memory;
  }

  uint8(name: string, type: 'Int8', values: Uint8Array): NativeColumn {
    return fixedColumn(name, type, this.#gather(this.memory.octets(this.height), values));
  }

  uint16(name: string, values: Uint16Array): NativeColumn {
    return fixedColumn(name, 'UInt16', this.#gather(this.memory.uint16(this.height), values));
  }

  /** `of` each code; 0 for codes below 0. */
  uint32(name: string, codes: Codes, of: (code: number) => number): NativeColumn {
    const { rows } = this;
    const out = this.memory.uint32(this.height);
    for (let at = 0; at < rows.length; at++) {
      const code = codes[rows[at]];
      out[at] = code < 0 ? 0 : of(code);
    }
    out[rows.length] = 0;
    return fixedColumn(name, 'UInt32', out);
  }

  /** Integers of at most 53 bits; `last` is what the batch row holds. */
  int64(name: string, type: string, values: Float64Array, last = 0): NativeColumn {
    const { rows, height } = this;
    const words = this.memory.uint32(height * 2);
    for (let at = 0; at < rows.length; at++) {
      const value = values[rows[at]];
      words[at * 2] = value;
      words[at * 2 + 1] = Math.floor(value / 2 ** 32);
    }
    words[height * 2 - 2] = last;
    words[height * 2 - 1] = Math.floor(last / 2 ** 32);
    return { name, type, bytes: bytesOf(words) };
  }

  /**
   * The text of each row's code. The dictionary has each text once, in the order of first appearance, so that it follows
   * from the rows alone. `codeCount` is above all codes.
   */
  texts(name: string, codes: Codes, codeCount: number, textOf: (code: number) => string): NativeColumn {
    const { rows, height } = this;
    const dictionary: string[] = [];
    // Two codes may have one text: the versions of a plan.
    const placeOfText = new Map<string, number>();
    const placeOf = (text: string) => {
      const place = placeOfText.get(text) ?? dictionary.push(text) - 1;
      placeOfText.set(text, place);
      return place;
    };
    // Code + 1 to place + 1; 0 is unknown yet.
    const places = new Uint32Array(codeCount + 1);
    const keys = this.memory.uint32(height);
    for (let at = 0; at < rows.length; at++) {
      const code = Math.max(-1, codes[rows[at]]);
      if (places[code + 1] === 0) places[code + 1] = placeOf(code < 0 ? '' : textOf(code)) + 1;
      keys[at] = places[code + 1] - 1;
    }
    keys[rows.length] = placeOf('');
    return lowCardinalityColumn(name, dictionary, keys);
  }

  #gather<T extends Uint16Array | Uint8Array>(out: T, values: T): T {
    const { rows } = this;
    for (let at = 0; at < rows.length; at++) out[at] = values[rows[at]];
    out[rows.length] = 0;
    return out;
  }
}

const FIRST_OCTETS = 2 ** 16;
/** Every array begins at a place where the widest of its numbers may. */
const ALIGNMENT = 8;

/**
 * Memory for the columns of one block after another, as fresh arrays of megabytes for every batch kept the garbage collector
 * busy. A block's columns are good until the next block begins. They are not wiped: who takes an array writes all of it.
 */
export class BlockMemory {
  #memory = new ArrayBuffer(FIRST_OCTETS);
  #taken = 0;

  /** What it keeps for the next block: what the last one needed. */
  get bytes(): number {
    return this.#taken > this.#memory.byteLength ? sizeFor(this.#taken) : this.#memory.byteLength;
  }

  /** The block before is done with. */
  begin(): void {
    // What went beyond the memory was allocated by itself: the next block is likely to need as much.
    if (this.#taken > this.#memory.byteLength) this.#memory = new ArrayBuffer(sizeFor(this.#taken));
    this.#taken = 0;
  }

  octets(count: number): Uint8Array {
    const at = this.#take(count);
    return at === null ? new Uint8Array(count) : new Uint8Array(this.#memory, at, count);
  }

  uint16(count: number): Uint16Array {
    const at = this.#take(count * 2);
    return at === null ? new Uint16Array(count) : new Uint16Array(this.#memory, at, count);
  }

  uint32(count: number): Uint32Array {
    const at = this.#take(count * 4);
    return at === null ? new Uint32Array(count) : new Uint32Array(this.#memory, at, count);
  }

  /** Where the octets begin; null when there is no room. */
  #take(octets: number): number | null {
    const at = this.#taken;
    this.#taken += Math.ceil(octets / ALIGNMENT) * ALIGNMENT;
    return this.#taken <= this.#memory.byteLength ? at : null;
  }
}

function sizeFor(bytes: number): number {
  return 2 ** Math.ceil(Math.log2(bytes));
}

/** The identities that a batch adds to the duplicate window, as the elements of the journal's `seen` column. */
interface SeenIdentities {
  count: number;
  /** Nodes that the elements count by. */
  nodes: string[];
  type: string;
  elements: Uint8Array[];
}

/**
 * Records that claimed their identity: all that passed the duplicate window, which REASONS lists after `duplicate`, but for
 * the refused ones, which gave theirs back.
 */
export function seenIdentities(batch: FlowBatch, nodeNames: readonly string[], memory: BlockMemory): SeenIdentities {
  const rows = memory.uint32(batch.count);
  let count = 0;
  for (let row = 0; row < batch.count; row++) if (claimsIdentity(batch.reason[row])) rows[count++] = row;

  const places = new Uint32Array(nodeNames.length); // place + 1; 0 is unknown yet
  const nodes: string[] = [];
  const node = memory.uint32(count);
  const sequence = memory.uint32(count * 2);
  const fingerprint = memory.uint32(count);
  for (let at = 0; at < count; at++) {
    const row = rows[at];
    const name = batch.node[row];
    if (places[name] === 0) places[name] = nodes.push(nodeNames[name]);
    node[at] = places[name] - 1;
    sequence[at * 2] = batch.localSequenceNumber[row];
    sequence[at * 2 + 1] = Math.floor(batch.localSequenceNumber[row] / 2 ** 32);
    fingerprint[at] = batch.fingerprint[row];
  }
  return {
    count,
    nodes,
    type: 'Tuple(row UInt32, node UInt32, sequence Int64, fingerprint UInt32)',
    elements: [rows.subarray(0, count), node, sequence, fingerprint].map(bytesOf),
  };
}

function claimsIdentity(reasonCode: number): boolean {
  return reasonCode > REASON_CODE.duplicate && reasonCode !== REASON_CODE.period_closed;
}

/** A batch's place in its log and its lane. */
export interface BatchPlace {
  log: TopicPartition;
  /** Days since 1970-01-01. */
  bookingDay: number;
  /** Booking day of the batch before in the lane; 0 for the first. */
  chainedDay: number;
  /** The cursor that the batch extends; -1 before the first. */
  prev: number;
  firstOffset: number;
  lastOffset: number;
  /** Number of the batch in its lane, from 1. */
  laneSequence: number;
  /** Records read in the lane before the batch. */
  lanePosition: number;
  /** Why the batch has no records: it books the loss of its offsets, or where the log begins. Empty for every other batch. */
  gapReason: GapReason | '';
  /** Of the batch's last record; absent: none. It is no part of the digest, which is computed again from records alone. */
  sourceProof?: SourceProof;
  /**
   * The quota updates of the lane's batches up to this number were published when the batch was booked; absent: NOT_RECORDED.
   * No part of the digest either.
   */
  publishedThrough?: number;
}

/** In place of `publishedThrough`: all quota updates but those of the batch before were published. */
export const NOT_RECORDED = -1;

/** What a source can lose: records that retention deleted before they were booked, or a whole topic that was recreated. */
export type LossReason = 'records_lost' | 'topic_recreated';

/** Why a batch has no records: a loss, or `start_position`: the configuration says to begin behind its offsets. */
export type GapReason = LossReason | 'start_position';

/**
 * SHA-256 over the batch's place and numbers, the encoded columns of its rows, and its `lists`: what the batch row holds in
 * arrays. It follows from what the journal holds: rows are in offset order, and every dictionary is in the order of first
 * appearance.
 */
export function batchDigest(
  place: BatchPlace,
  numbers: readonly number[],
  catalogueHash: string,
  columns: readonly NativeColumn[],
  lists: readonly Uint8Array[],
): string {
  const { lane, topic, partition } = place.log;
  const { bookingDay, chainedDay, lastOffset, gapReason } = place;
  const hash = createHash('sha256').update(
    JSON.stringify([lane, topic, partition, bookingDay, chainedDay, lastOffset, gapReason, numbers, catalogueHash]),
  );
  for (const { name, type, bytes } of columns) hash.update(`${name} ${type}\n`).update(bytes);
  for (const bytes of lists) hash.update(`${bytes.length}\n`).update(bytes);
  return hash.digest('hex');
}
