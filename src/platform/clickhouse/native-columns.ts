import { varintEnd, varUintValue } from '../../formats/varint.ts';

/**
 * Reads results in ClickHouse's `Native` format column by column, straight into typed arrays.
 * https://clickhouse.com/docs/interfaces/formats/Native
 */

/** Texts of a LowCardinality(String) column: `keys[row]` is the place of the row's text in `texts`. */
export interface FewTexts {
  texts: readonly string[];
  keys: Uint8Array | Uint16Array | Uint32Array;
}

/** Arrays of all rows, one after the other: the row's ends before `ends[row]`. */
export interface Arrays<T> {
  ends: readonly number[];
  elements: T;
}

const KEY_ARRAYS = [Uint8Array, Uint16Array, Uint32Array] as const;
const NEEDS_GLOBAL_DICTIONARY = 1 << 8;

/** The blocks of a whole result. `read` takes the columns of one block in order. Throws RangeError where it is torn. */
export function* readNative<T>(octets: Uint8Array, read: (block: NativeBlockReader) => T): Iterable<T> {
  const cursor = new Cursor(octets);
  while (!cursor.isAtEnd) {
    const columns = cursor.varUint();
    const block = new NativeBlockReader(cursor, cursor.varUint());
    const value = read(block);
    if (block.columnsRead !== columns) throw new Error(`${block.columnsRead} of ${columns} columns were read`);
    yield value;
  }
}

/** Each method takes the next column, which must be of its type, as an array of its own. */
export class NativeBlockReader {
  readonly rows: number;
  readonly #cursor: Cursor;
  #columnsRead = 0;

  constructor(cursor: Cursor, rows: number) {
    this.#cursor = cursor;
    this.rows = rows;
  }

  get columnsRead(): number {
    return this.#columnsRead;
  }

  /** `words` little-endian words of 32 bits for each row. */
  fixedString(words: number): Uint32Array {
    this.#enter(`FixedString(${words * 4})`);
    return new Uint32Array(this.#cursor.copy(this.rows * words * 4));
  }

  uint16(): Uint16Array {
    this.#enter('UInt16');
    return new Uint16Array(this.#cursor.copy(this.rows * 2));
  }

  uint32(): Uint32Array {
    this.#enter('UInt32');
    return new Uint32Array(this.#cursor.copy(this.rows * 4));
  }

  float64(): Float64Array {
    this.#enter('Float64');
    return new Float64Array(this.#cursor.copy(this.rows * 8));
  }

  arraysOfUint32(): Arrays<Uint32Array> {
    return this.#arrays('UInt32', (count) => new Uint32Array(this.#cursor.copy(count * 4)));
  }

  arraysOfFloat64(): Arrays<Float64Array> {
    return this.#arrays('Float64', (count) => new Float64Array(this.#cursor.copy(count * 8)));
  }

  arraysOfTexts(): Arrays<readonly string[]> {
    return this.#arrays('String', (count) => Array.from({ length: count }, () => this.#cursor.text()));
  }

  /** Version, flags, the texts, then a key for each row. */
  fewTexts(): FewTexts {
    this.#enter('LowCardinality(String)');
    const [version, , flags] = new Uint32Array(this.#cursor.copy(16));
    const KeyArray = KEY_ARRAYS[flags & 0xff];
    if (version !== 1 || KeyArray === undefined || (flags & NEEDS_GLOBAL_DICTIONARY) !== 0)
      throw new Error('a dictionary of another kind');
    const texts = Array.from({ length: this.#cursor.uint64() }, () => this.#cursor.text());
    const count = this.#cursor.uint64();
    return { texts, keys: new KeyArray(this.#cursor.copy(count * KeyArray.BYTES_PER_ELEMENT)) };
  }

  #arrays<T>(type: string, read: (count: number) => T): Arrays<T> {
    this.#enter(`Array(${type})`);
    const ends = Array.from({ length: this.rows }, () => this.#cursor.uint64());
    return { ends, elements: read(ends.at(-1) ?? 0) };
  }

  #enter(type: string): void {
    const [name, given] = [this.#cursor.text(), this.#cursor.text()];
    if (given !== type) throw new Error(`column ${name} is of type ${given}, not ${type}`);
    this.#columnsRead++;
  }
}

class Cursor {
  readonly #octets: Uint8Array;
  #at = 0;

  constructor(octets: Uint8Array) {
    this.#octets = octets;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#octets.length;
  }

  /** Typed arrays need their element's alignment, which a column among others does not have. */
  copy(count: number): ArrayBuffer {
    const from = this.#advance(count);
    const { buffer, byteOffset } = this.#octets;
    return buffer.slice(byteOffset + from, byteOffset + from + count) as ArrayBuffer;
  }

  uint64(): number {
    const [low, high] = new Uint32Array(this.copy(8));
    return low + high * 2 ** 32;
  }

  text(): string {
    const octets = this.varUint();
    return Buffer.from(this.copy(octets)).toString('utf8');
  }

  varUint(): number {
    const start = this.#at;
    const end = varintEnd(this.#octets, start);
    if (end === -1) throw new RangeError('past the end of the result');
    this.#at = end;
    return varUintValue(this.#octets, start, end);
  }

  #advance(count: number): number {
    const from = this.#at;
    if (from + count > this.#octets.length) throw new RangeError('past the end of the result');
    this.#at = from + count;
    return from;
  }
}
