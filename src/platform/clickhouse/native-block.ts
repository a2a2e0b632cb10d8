import { varUintOctets, writeVarUint } from '../../formats/varint.ts';

/**
 * Blocks of ClickHouse's `Native` format: column by column, straight from typed arrays.
 * https://clickhouse.com/docs/interfaces/formats/Native
 */
export interface NativeColumn {
  name: string;
  type: string;
  bytes: Uint8Array;
}

const LOW_CARDINALITY_VERSION = 1;
const HAS_ADDITIONAL_KEYS = 1 << 9;
const NEED_UPDATE_DICTIONARY = 1 << 10;

/** The block's octets, in parts: a batch's block has megabytes, which need not be one buffer. */
export function nativeBlock(rows: number, columns: readonly NativeColumn[]): Uint8Array[] {
  const head = Buffer.concat([varUint(columns.length), varUint(rows)]);
  return [head, ...columns.flatMap(({ name, type, bytes }) => [strings([name, type]), bytes])];
}

/** `name Type, name Type, ...`, as the table functions `file` and `input` want it. */
export function structureOf(columns: readonly NativeColumn[]): string {
  return columns.map(({ name, type }) => `${name} ${type}`).join(', ');
}

/** Any typed array whose element is the column's type on the wire (little-endian, as every machine Node runs on). */
export function fixedColumn(name: string, type: string, values: ArrayBufferView): NativeColumn {
  return { name, type, bytes: bytesOf(values) };
}

/** Int64, UInt64, DateTime64: integers of at most 53 bits, from doubles. */
export function int64Column(name: string, type: string, values: Float64Array): NativeColumn {
  return { name, type, bytes: bytesOf(int64Words(values)) };
}

export function stringColumn(name: string, values: readonly string[]): NativeColumn {
  return { name, type: 'String', bytes: strings(values) };
}

/** The text of a single row, in UTF-8, without the text itself: it follows the block, of which this is the last column. */
export function followingTextColumn(name: string, text: Uint8Array): NativeColumn {
  return { name, type: 'String', bytes: varUint(text.length) };
}

/** Texts of a few rows, at the ascending places `at`; all others are empty, and take an octet each. */
export function sparseStringColumn(
  name: string,
  rows: number,
  at: readonly number[],
  values: readonly string[],
): NativeColumn {
  const parts: Uint8Array[] = [];
  let next = 0;
  at.forEach((row, index) => {
    parts.push(new Uint8Array(row - next), strings([values[index]]));
    next = row + 1;
  });
  parts.push(new Uint8Array(rows - next));
  return { name, type: 'String', bytes: Buffer.concat(parts) };
}

/** A LowCardinality(String): `keys[row]` is the place of the row's text in `dictionary`. */
export function lowCardinalityColumn(name: string, dictionary: readonly string[], keys: Uint32Array): NativeColumn {
  return { name, type: 'LowCardinality(String)', bytes: lowCardinality(dictionary, keys) };
}

/** One array a row: `ends[row]` is where the row's elements end; `elements` holds the element columns' bytes. */
export function arrayColumn(
  name: string,
  elementType: string,
  ends: Float64Array,
  elements: Uint8Array[],
): NativeColumn {
  return { name, type: `Array(${elementType})`, bytes: Buffer.concat([bytesOf(int64Words(ends)), ...elements]) };
}

/** Low and high words of integers that doubles hold exactly; negative ones in two's complement. */
export function int64Words(values: ArrayLike<number>): Uint32Array {
  const words = new Uint32Array(values.length * 2);
  for (let i = 0; i < values.length; i++) {
    words[i * 2] = values[i];
    words[i * 2 + 1] = Math.floor(values[i] / 2 ** 32);
  }
  return words;
}

/** Each text with its length before it. Most texts of a block are empty, and none of them is made a buffer of its own. */
export function strings(values: readonly string[]): Buffer {
  let room = 0;
  for (const value of values) {
    const octets = Buffer.byteLength(value);
    room += varUintOctets(octets) + octets;
  }
  const out = Buffer.allocUnsafe(room);
  let at = 0;
  for (const value of values) {
    at = writeVarUint(out, at, Buffer.byteLength(value));
    if (value !== '') at += out.write(value, at);
  }
  return out;
}

export function bytesOf(values: ArrayBufferView): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

function lowCardinality(dictionary: readonly string[], keys: Uint32Array): Buffer {
  const [keyType, narrow] = dictionary.length <= 256 ? [0, Uint8Array.from(keys)] : [2, keys];
  const flags = keyType | HAS_ADDITIONAL_KEYS | NEED_UPDATE_DICTIONARY;
  return Buffer.concat([
    bytesOf(int64Words([LOW_CARDINALITY_VERSION, flags, dictionary.length])),
    strings(dictionary),
    bytesOf(int64Words([keys.length])),
    bytesOf(narrow),
  ]);
}

function varUint(value: number): Buffer {
  const octets = Buffer.alloc(varUintOctets(value));
  writeVarUint(octets, 0, value);
  return octets;
}
