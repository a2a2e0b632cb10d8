import { exception } from '../../platform/clickhouse/clickhouse-exception.ts';

/** Clients of this protocol version and later have an byte more in each column (DBMS_MIN_REVISION_WITH_CUSTOM_SERIALIZATION). */
const WITH_SERIALIZATION_KIND = 54_454;
/** Field 1, is_overflows: no; field 2, bucket_num: -1; end. */
const BLOCK_INFO = Buffer.from([1, 0, 2, 0xff, 0xff, 0xff, 0xff, 0]);
const ORDINARY = Buffer.from([0]);

/** A block is parsed again when so much more of it has arrived. */
const GROWTH = 1.5;

/**
 * Yields blocks of the Native format for a client that names its protocol version (`client_protocol_version`). The embedded
 * engine writes them as for a client that names none: without a block's head, and without the kind of a column's
 * serialization. https://clickhouse.com/docs/interfaces/formats/Native
 */
export async function* nativeOfRevision(bytes: AsyncIterable<Buffer>, revision: number): AsyncGenerator<Buffer> {
  let parts: Buffer[] = [];
  let length = 0;
  let enough = 0;
  for await (const part of bytes) {
    parts.push(part);
    length += part.length;
    if (length < enough) continue;
    let rest = Buffer.concat(parts);
    for (let block = firstBlock(rest, revision); block !== null; block = firstBlock(rest, revision)) {
      yield block.bytes;
      rest = rest.subarray(block.length);
    }
    parts = [rest];
    length = rest.length;
    enough = length * GROWTH;
  }
  for (let rest = Buffer.concat(parts); rest.length > 0; ) {
    const block = firstBlock(rest, revision);
    if (block === null) throw exception(33, 'CANNOT_READ_ALL_DATA', 'The engine wrote a part of a block only');
    yield block.bytes;
    rest = rest.subarray(block.length);
  }
}

/** Returns the first block, and its length as the engine wrote it; null where its end is missing. */
function firstBlock(bytes: Buffer, revision: number): { bytes: Buffer; length: number } | null {
  if (bytes.length === 0) return null;
  const reader = new NativeReader(bytes);
  try {
    const block = readBlock(reader, revision);
    return reader.at <= bytes.length ? { bytes: block, length: reader.at } : null;
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}

function readBlock(reader: NativeReader, revision: number): Buffer {
  const parts: Uint8Array[] = [BLOCK_INFO];
  let from = reader.at;
  const columns = reader.varUint();
  const rows = reader.varUint();
  for (let column = 0; column < columns; column++) {
    reader.skip(reader.varUint());
    const name = reader.text();
    parts.push(reader.from(from));
    from = reader.at;
    if (revision >= WITH_SERIALIZATION_KIND) parts.push(ORDINARY);
    const type = nativeType(name);
    if (type === null) throw unknown(name);
    if (rows > 0) reader.skipColumn(type, rows);
  }
  parts.push(reader.from(from));
  return Buffer.concat(parts);
}

function unknown(type: string): Error {
  const remedy = 'ask for another format, or cast it to String';
  return exception(
    48,
    'NOT_IMPLEMENTED',
    `Native with a client_protocol_version cannot hold a column of type ${type}: ${remedy}`,
  );
}

/** Skips through Native blocks, column by column. */
class NativeReader {
  readonly #bytes: Buffer;
  at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  from(start: number): Buffer {
    return this.#bytes.subarray(start, this.at);
  }

  skip(bytes: number): void {
    this.at += bytes;
  }

  varUint(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.#bytes.readUInt8(this.at++);
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  }

  text(): string {
    const length = this.varUint();
    this.at += length;
    // Part of a name could be the name of another type.
    if (this.at > this.#bytes.length) throw new RangeError('the name of a type ends later');
    return this.#bytes.toString('utf8', this.at - length, this.at);
  }

  skipColumn(type: NativeType, rows: number): void {
    this.#skipPrefix(type);
    this.#skipValues(type, rows);
  }

  /** Skips what precedes all values of a column: the version of each dictionary in it. */
  #skipPrefix(type: NativeType): void {
    if (type.kind === 'lowCardinality') this.skip(8);
    else if (type.kind === 'tuple') for (const element of type.elements) this.#skipPrefix(element);
    else if (type.kind === 'array' || type.kind === 'nullable') this.#skipPrefix(type.inner);
  }

  #skipValues(type: NativeType, rows: number): void {
    if (type.kind === 'fixed') this.skip(type.width * rows);
    else if (type.kind === 'string') for (let row = 0; row < rows; row++) this.skip(this.varUint());
    else if (type.kind === 'tuple') for (const element of type.elements) this.#skipValues(element, rows);
    else if (type.kind === 'lowCardinality') this.#skipDictionary(type.inner, rows);
    else if (type.kind === 'nullable') {
      this.skip(rows);
      this.#skipValues(type.inner, rows);
    } else {
      this.skip(8 * rows);
      this.#skipValues(type.inner, rows === 0 ? 0 : Number(this.#bytes.readBigUInt64LE(this.at - 8)));
    }
  }

  /** Keys of 1, 2, 4 or 8 bytes, after the dictionary that they point into; a null is a key, so it has no nullable values. */
  #skipDictionary(inner: NativeType, rows: number): void {
    if (rows === 0) return;
    const keyBytes = 1 << this.#bytes.readUInt8(this.at);
    this.skip(8);
    const keys = Number(this.#bytes.readBigUInt64LE(this.at));
    this.skip(8);
    this.#skipValues(inner.kind === 'nullable' ? inner.inner : inner, keys);
    this.skip(8 + keyBytes * rows);
  }
}

/** Bytes of a value of fixed width, by type name. */
const WIDTHS: Readonly<Record<string, number>> = {
  Bool: 1,
  Int8: 1,
  UInt8: 1,
  Enum8: 1,
  Nothing: 1,
  Int16: 2,
  UInt16: 2,
  Enum16: 2,
  Date: 2,
  BFloat16: 2,
  Int32: 4,
  UInt32: 4,
  Float32: 4,
  Date32: 4,
  DateTime: 4,
  Time: 4,
  IPv4: 4,
  Decimal32: 4,
  Int64: 8,
  UInt64: 8,
  Float64: 8,
  DateTime64: 8,
  Time64: 8,
  Decimal64: 8,
  Int128: 16,
  UInt128: 16,
  UUID: 16,
  IPv6: 16,
  Decimal128: 16,
  Int256: 32,
  UInt256: 32,
  Decimal256: 32,
};
/** Bytes of a Decimal, by the digits that it can have. */
const DECIMAL_WIDTHS = [
  [9, 4],
  [18, 8],
  [38, 16],
  [76, 32],
] as const;

/** The layout of a column's values in ClickHouse's Native format. Null for an unsupported type. */
type NativeType =
  | { kind: 'fixed'; width: number }
  | { kind: 'string' }
  | { kind: 'nullable' | 'lowCardinality' | 'array'; inner: NativeType }
  | { kind: 'tuple'; elements: NativeType[] };

/** Reads a type's name, such as `Map(LowCardinality(String), Array(Nullable(Int64)))`. */
function nativeType(name: string): NativeType | null {
  const [, base, inside] = /^(\w+)(?:\((.*)\))?$/s.exec(name.trim()) ?? [];
  if (base === undefined) return null;
  const inner = (text: string) => nativeType(text);
  const parts = inside === undefined ? [] : argumentsOf(inside);
  switch (base) {
    case 'String':
      return { kind: 'string' };
    case 'FixedString':
      return { kind: 'fixed', width: Number(parts[0]) };
    case 'Decimal':
      return fixed(DECIMAL_WIDTHS.find(([digits]) => Number(parts[0]) <= digits)?.[1]);
    case 'Nullable':
      return wrap('nullable', inner(parts[0]));
    case 'LowCardinality':
      return wrap('lowCardinality', inner(parts[0]));
    case 'Array':
      return wrap('array', inner(parts[0]));
    case 'Map':
      return wrap('array', tuple(parts.map(inner)));
    case 'Nested':
      return wrap('array', tuple(parts.map((part) => inner(withoutName(part)))));
    case 'Tuple':
      return tuple(parts.map((part) => inner(withoutName(part))));
    case 'SimpleAggregateFunction':
      return inner(parts[1]);
    default:
      return fixed(base.startsWith('Interval') ? 8 : WIDTHS[base]);
  }
}

function fixed(width: number | undefined): NativeType | null {
  return width === undefined ? null : { kind: 'fixed', width };
}

function wrap(kind: 'nullable' | 'lowCardinality' | 'array', inner: NativeType | null): NativeType | null {
  return inner === null ? null : { kind, inner };
}

function tuple(elements: readonly (NativeType | null)[]): NativeType | null {
  return elements.every((element) => element !== null) ? { kind: 'tuple', elements: [...elements] } : null;
}

/** A tuple's element may have a name before its type: `node UInt32`. */
function withoutName(text: string): string {
  return /^(?:\w+|`(?:[^`\\]|\\.)*`)\s+(.+)$/s.exec(text)?.[1] ?? text;
}

/** Returns the arguments between commas that are in no parentheses and no quotes. */
function argumentsOf(text: string): string[] {
  const parts: string[] = [''];
  let depth = 0;
  for (const [token] of text.matchAll(/'(?:[^'\\]|\\.)*'|`(?:[^`\\]|\\.)*`|[^'`]/gs)) {
    if (token === '(') depth++;
    if (token === ')') depth--;
    if (token === ',' && depth === 0) parts.push('');
    else parts[parts.length - 1] += token;
  }
  return parts.map((part) => part.trim());
}
