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
