const FIRST_ROWS = 1024;

type Numbers = Uint8Array | Uint16Array | Uint32Array;

/** A column of a block of unknown height: some numbers of one width for each row. */
class GrowingColumn<T extends Numbers = Numbers> {
  readonly #make: (length: number) => T;
  readonly #perRow: number;
  #values: T;
  #length = 0;

  constructor(make: (length: number) => T, perRow: number) {
    this.#make = make;
    this.#perRow = perRow;
    this.#values = make(FIRST_ROWS * perRow);
  }

  push(value: number): void {
    if (this.#length === this.#values.length) {
      const larger = this.#make(this.#length * 2);
      larger.set(this.#values);
      this.#values = larger;
    }
    this.#values[this.#length++] = value;
  }

  /** Adds a row of zeros. */
  pushNothing(): void {
    for (let at = 0; at < this.#perRow; at++) this.push(0);
  }

  /** Returns what was pushed: a view. */
  values(): T {
    return this.#values.subarray(0, this.#length) as T;
  }
}

export const growingUint8 = () => new GrowingColumn((length) => new Uint8Array(length), 1);
export const growingUint16 = () => new GrowingColumn((length) => new Uint16Array(length), 1);
export const growingUint32 = (perRow = 1) => new GrowingColumn((length) => new Uint32Array(length), perRow);

/** 64 bit integers as low and high words. */
export const growingInt64 = () => growingUint32(2);

/** Adds an integer of at most 53 bits; negative ones in two's complement. */
export function pushInt64(words: GrowingColumn<Uint32Array>, value: number): void {
  words.push(value);
  words.push(Math.floor(value / 2 ** 32));
}
