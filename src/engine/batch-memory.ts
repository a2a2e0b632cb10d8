import { BlockMemory } from '../journal/block-rows.ts';
import type { Clock } from '../platform/clock.ts';
import { FlowBatch } from '../rating/flow-record.ts';

const MIB = 2 ** 20;
/** What all open batches may take together where the configuration does not say it. */
const DEFAULT_MAX_TOTAL_BYTES = 512 * MIB;
/** Rows that a new batch has room for. */
const FIRST_ROWS = 256;
/** Charged for a batch before its first records are counted. */
const FIRST_BYTES = MIB;
/** Of columns, and of blocks, that are kept for the next batches. */
const MAX_SPARE_BYTES = 64 * MIB;
/** Less than this is not worth a collection of garbage. */
const WORTH_COLLECTING_BYTES = 16 * MIB;
/** Without a batch for so long the spare memory is let go of. */
const IDLE_MS = 3000;

interface BatchMemorySettings {
  maxRecords: number;
  maxTotalBytes?: number;
}

/**
 * Lends the lanes of one engine the columns and block memory of their batches. What a lane has no batch for, another one uses:
 * memory follows the batches under way, not the number of lanes.
 *
 * All batches together, with the records that they keep, are held to `maxTotalBytes`. Above it no batch begins before another
 * is booked, in the order of asking, and a lane books the batch that it has instead of filling it further. So a lane that waits
 * holds no open batch, and every open one is booked in the end: nothing waits for ever.
 */
export class BatchMemory {
  readonly #maxRecords: number;
  readonly #maxTotalBytes: number;
  readonly #clock: Clock;
  readonly #lent = new Map<FlowBatch, number>();
  #lentBytes = 0;
  readonly #waiting: ((batch: FlowBatch) => void)[] = [];
  /** By open batch that waits for more records, the longest waiting first: books it at once. */
  readonly #lingering = new Map<object, () => void>();
  readonly #batches = new Spares<FlowBatch>();
  readonly #blocks = new Spares<BlockMemory>();
  #usedAtMs = 0;
  /** Takes the timer back, while one runs. */
  #idle: (() => void) | null = null;
  #isClosed = false;
  readonly #onIdle: () => void;

  /** `onIdle` is called when much spare memory was let go of, as nothing was booked for a while. */
  constructor(
    { maxRecords, maxTotalBytes = DEFAULT_MAX_TOTAL_BYTES }: BatchMemorySettings,
    clock: Clock,
    onIdle: () => void = () => {},
  ) {
    this.#onIdle = onIdle;
    this.#maxRecords = maxRecords;
    this.#maxTotalBytes = maxTotalBytes;
    this.#clock = clock;
  }

  /** Of all batches that are lent, with the records that they keep. */
  get lentBytes(): number {
    return this.#lentBytes;
  }

  get spareBytes(): number {
    return this.#batches.bytes + this.#blocks.bytes;
  }

  /** The lanes have to book what they have: batches take as much as they may. */
  get isShort(): boolean {
    return this.#lentBytes >= this.#maxTotalBytes;
  }

  /** Gives an empty batch, when there is memory for one. */
  take(): Promise<FlowBatch> {
    if (!this.isShort && this.#waiting.length === 0) return Promise.resolve(this.#lend());
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#hurry();
    });
  }

  /** Counts what a batch has grown to. */
  count(batch: FlowBatch): void {
    if (this.#lent.has(batch)) this.#charge(batch, batch.bytes + batch.readOctets);
  }

  /** The batch is booked, and its columns are of use to the next one. */
  giveBack(batch: FlowBatch): void {
    if (!this.#lent.has(batch)) return;
    batch.clear();
    this.#keep(this.#batches, batch);
    this.drop(batch);
  }

  /** The batch is given up. What may still be at it keeps it; it only counts no more. */
  drop(batch: FlowBatch): void {
    if (!this.#lent.has(batch)) return;
    this.#charge(batch, 0);
    this.#lent.delete(batch);
    for (let next = this.#waiting[0]; next !== undefined && !this.isShort; next = this.#waiting[0]) {
      this.#waiting.shift();
      next(this.#lend());
    }
    if (this.#waiting.length > 0) this.#hurry();
  }

  takeBlock(): BlockMemory {
    return this.#blocks.take() ?? new BlockMemory();
  }

  /** Nothing reads the block any more. */
  giveBackBlock(block: BlockMemory): void {
    this.#keep(this.#blocks, block);
  }

  /** `book` is called when the memory of a batch that waits for more records is needed elsewhere. */
  linger(lane: object, book: () => void): void {
    this.#lingering.set(lane, book);
    if (this.#waiting.length > 0) this.#hurry();
  }

  endLinger(lane: object): void {
    this.#lingering.delete(lane);
  }

  /** Keeps nothing from now on. */
  close(): void {
    this.#isClosed = true;
    this.#letGo();
  }

  #lend(): FlowBatch {
    const batch = this.#batches.take() ?? new FlowBatch(this.#maxRecords, Math.min(FIRST_ROWS, this.#maxRecords));
    this.#lent.set(batch, 0);
    this.#charge(batch, Math.max(FIRST_BYTES, batch.bytes));
    return batch;
  }

  #charge(batch: FlowBatch, bytes: number): void {
    this.#lentBytes += bytes - (this.#lent.get(batch) ?? 0);
    this.#lent.set(batch, bytes);
  }

  #hurry(): void {
    const [longest] = this.#lingering;
    if (longest === undefined) return;
    const [lane, book] = longest;
    this.#lingering.delete(lane);
    book();
  }

  #keep<T extends { readonly bytes: number }>(spares: Spares<T>, spare: T): void {
    if (this.#isClosed || spares.bytes + spare.bytes > MAX_SPARE_BYTES) return;
    spares.add(spare);
    this.#usedAtMs = this.#clock.monotonicMs();
    this.#idle ??= this.#clock.after(IDLE_MS, () => this.#endIdle());
  }

  #endIdle(): void {
    this.#idle = null;
    const restMs = this.#usedAtMs + IDLE_MS - this.#clock.monotonicMs();
    if (restMs <= 0) {
      const isMuch = this.spareBytes >= WORTH_COLLECTING_BYTES;
      this.#letGo();
      if (isMuch) this.#onIdle();
    } else this.#idle = this.#clock.after(restMs, () => this.#endIdle());
  }

  #letGo(): void {
    this.#idle?.();
    this.#idle = null;
    this.#batches.clear();
    this.#blocks.clear();
  }
}

/** The last one that came is the first to go: its memory is most likely still in the processor's cache. */
class Spares<T extends { readonly bytes: number }> {
  readonly #all: T[] = [];
  bytes = 0;

  add(spare: T): void {
    this.#all.push(spare);
    this.bytes += spare.bytes;
  }

  take(): T | undefined {
    const spare = this.#all.pop();
    if (spare !== undefined) this.bytes -= spare.bytes;
    return spare;
  }

  clear(): void {
    this.#all.length = 0;
    this.bytes = 0;
  }
}
