/**
 * Reads a block of ClickHouse's `Native` format back into rows, for a journal in memory. It shares only the format's
 * description with the encoder: https://clickhouse.com/docs/interfaces/formats/Native
 */
type NativeValue = number | string | Uint8Array | readonly NativeValue[] | NativeTuple;
interface NativeTuple {
  readonly [element: string]: NativeValue;
}
export type NativeRow = Readonly<Record<string, NativeValue>>;

/**
 * Returns the rows of a block. Throws RangeError where the block is truncated, Error for a type or an integer that no
 * journal block has.
 */
export function nativeRows(block: Buffer): NativeRow[] {
  const cursor = new Cursor(block);
  const width = cursor.varUint();
  const height = cursor.varUint();
  const rows: Record<string, NativeValue>[] = Array.from({ length: height }, () => ({}));
  for (let column = 0; column < width; column++) {
    const name = cursor.text();
    const values = readColumn(cursor, cursor.text(), height);
    for (let row = 0; row < height; row++) rows[row][name] = values[row];
  }
  if (!cursor.isAtEnd) throw new Error('the block has bytes after its last column');
  return rows;
}

function readColumn(cursor: Cursor, type: string, count: number): NativeValue[] {
  const { name, argument } = parseType(type);
  switch (name) {
    case 'Int8':
      return cursor.many(count, () => cursor.octets(1).readInt8(0));
    case 'UInt16':
      return cursor.many(count, () => cursor.octets(2).readUInt16LE(0));
    case 'UInt32':
      return cursor.many(count, () => cursor.octets(4).readUInt32LE(0));
    case 'Int64':
    case 'DateTime64':
      return cursor.many(count, () => exact(cursor.octets(8).readBigInt64LE(0)));
    case 'UInt64':
      return cursor.many(count, () => exact(cursor.octets(8).readBigUInt64LE(0)));
    case 'String':
      return cursor.many(count, () => cursor.text());
    case 'FixedString':
      return cursor.many(count, () => cursor.octets(Number(argument)));
    case 'LowCardinality':
      return readLowCardinality(cursor, argument, count);
    case 'Array':
      return readArrays(cursor, argument, count);
    case 'Tuple':
      return readTuples(cursor, argument, count);
    default:
      throw new Error(`a journal block has no columns of type ${type}`);
  }
}

/** One dictionary for the whole column: version 1, "additional keys" in the flags, the texts, then a key a row. */
function readLowCardinality(cursor: Cursor, type: string, count: number): NativeValue[] {
  const version = cursor.octets(8).readBigUInt64LE(0);
  const flags = cursor.octets(8).readBigUInt64LE(0);
  if (version !== 1n || (flags & 0x200n) === 0n) throw new Error('a dictionary of another kind');
  const size = exact(cursor.octets(8).readBigUInt64LE(0));
  const dictionary = readColumn(cursor, type, size);
  if (exact(cursor.octets(8).readBigUInt64LE(0)) !== count) throw new Error('not one key for each row');
  const keyOctets = 2 ** Number(flags & 0xffn);
  return cursor.many(count, () => {
    const key = cursor.octets(keyOctets).readUIntLE(0, keyOctets);
    if (key >= size) throw new Error(`key ${key} of a dictionary of ${size}`);
    return dictionary[key];
  });
}

function readArrays(cursor: Cursor, type: string, count: number): NativeValue[] {
  const ends = cursor.many(count, () => exact(cursor.octets(8).readBigUInt64LE(0)));
  const elements = readColumn(cursor, type, ends.at(-1) ?? 0);
  return ends.map((end, row) => elements.slice(row === 0 ? 0 : ends[row - 1], end));
}

function readTuples(cursor: Cursor, argument: string, count: number): NativeValue[] {
  const tuples: Record<string, NativeValue>[] = Array.from({ length: count }, () => ({}));
  for (const element of argument.split(', ')) {
    const [name, type] = element.split(' ');
    readColumn(cursor, type, count).forEach((value, at) => {
      tuples[at][name] = value;
    });
  }
  return tuples;
}

function parseType(type: string): { name: string; argument: string } {
  const open = type.indexOf('(');
  return open < 0 ? { name: type, argument: '' } : { name: type.slice(0, open), argument: type.slice(open + 1, -1) };
}

function exact(value: bigint): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number)) throw new Error(`${value} is no exact integer`);
  return number;
}

class Cursor {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  many<T>(count: number, read: () => T): T[] {
    return Array.from({ length: count }, read);
  }

  octets(count: number): Buffer {
    const from = this.#at;
    if (from + count > this.#bytes.length) throw new RangeError('past the end of the block');
    this.#at += count;
    return this.#bytes.subarray(from, this.#at);
  }

  text(): string {
    return this.octets(this.varUint()).toString('utf8');
  }

  varUint(): number {
    for (let value = 0, scale = 1; ; scale *= 128) {
      const octet = this.octets(1)[0];
      value += (octet & 127) * scale;
      if (octet < 128) return value;
    }
  }
}
