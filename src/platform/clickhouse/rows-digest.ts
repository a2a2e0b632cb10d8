import { hash } from 'node:crypto';
import { varintEnd, varUintOctets, varUintValue, writeVarUint } from '../../formats/varint.ts';
import { type NativeColumn, structureOf } from './native-block.ts';
import { literal } from './store.ts';

/**
 * A digest over the rows of a block that ClickHouse can compute again from its table: the SHA-256 of each row in the format
 * `RowBinary`, added up as little-endian integers modulo 2^256. So it does not depend on the order of rows, or on how a column is kept.
 */

const WORDS = 8;
/** So many sums of 32-bit words are exact in a double. */
const SUMMED_AT_ONCE = 2 ** 20;
const DIGEST_DIGITS = 64;
/** The digest, a space, and the columns that it is over as `structureOf` has them. */
const FORM = `^[0-9a-f]{${DIGEST_DIGITS}} [a-z_]+ `;

/** Returns 64 hex digits, a space, and the columns that the digest is over, with the types in which they are hashed. */
export function rowsDigest(rows: number, columns: readonly NativeColumn[]): string {
  const cells = columns.map((column) => cellsOf(column, rows));
  const octets = new RowOctets();
  const sums = new Float64Array(WORDS);
  for (let row = 0; row < rows; row++) {
    octets.length = 0;
    for (const addCell of cells) addCell(row, octets);
    const digest = octets.digest();
    for (let word = 0; word < WORDS; word++) sums[word] += digest.readUInt32LE(word * 4);
    if (row % SUMMED_AT_ONCE === SUMMED_AT_ONCE - 1) carry(sums);
  }
  carry(sums);
  const digits = Array.from(sums, (word) => word.toString(16).padStart(8, '0'));
  return `${digits.reverse().join('')} ${structureOf(columns)}`;
}

/** In SQL, an aggregate over rows: the digits of the digest over the columns of a structure. */
export function rowsDigestExpression(structure: string): string {
  const cells = membersOf(structure).map(({ name, type }) => `CAST(assumeNotNull(${name}), ${literal(type)})`);
  const row = `formatRow('RowBinary', ${cells.join(', ')})`;
  return `leftPad(lower(hex(sum(reinterpretAsUInt256(SHA256(${row}))))), ${DIGEST_DIGITS}, '0')`;
}

/** In SQL: whether a text is what `rowsDigest` returns. */
export function isRowsDigest(text: string): string {
  return `match(${text}, ${literal(FORM)})`;
}

/** In SQL: the digits of a digest, and the structure that it is over. */
export function digestParts(text: string): { digits: string; structure: string } {
  return {
    digits: `substring(${text}, 1, ${DIGEST_DIGITS})`,
    structure: `substring(${text}, ${DIGEST_DIGITS + 2})`,
  };
}

/** Adds the octets of a row's cell; rows come in ascending order. */
type AddCell = (row: number, to: RowOctets) => void;

/** The octets of one row. */
class RowOctets {
  #octets = Buffer.alloc(4096);
  length = 0;

  add(from: Uint8Array, begin: number, end: number): void {
    const after = this.length + end - begin;
    if (after > this.#octets.length) this.#octets = Buffer.concat([this.#octets], after * 2);
    for (let at = begin; at < end; at++) this.#octets[this.length++] = from[at];
  }

  digest(): Buffer {
    return hash('sha256', this.#octets.subarray(0, this.length), 'buffer');
  }
}

/** Leaves 32 bits in each word; what the last word has above them is dropped. */
function carry(sums: Float64Array): void {
  let over = 0;
  for (let word = 0; word < WORDS; word++) {
    const sum = sums[word] + over;
    over = Math.floor(sum / 2 ** 32);
    sums[word] = sum - over * 2 ** 32;
  }
}

function cellsOf({ type, bytes }: NativeColumn, rows: number): AddCell {
  const elements = /^Array\((.*)\)$/.exec(type)?.[1];
  if (elements !== undefined) return arrayCells(elements, bytes, rows);
  if (type === 'LowCardinality(String)') return dictionaryCells(bytes);
  if (type === 'String') return textCells(bytes, 0, rows).addCell;
  const width = bytes.length / rows;
  return (row, to) => to.add(bytes, row * width, (row + 1) * width);
}

function textCells(bytes: Uint8Array, from: number, count: number): { addCell: AddCell; end: number } {
  const ends = new Float64Array(count + 1);
  ends[0] = from;
  for (let at = 0; at < count; at++) ends[at + 1] = textEnd(bytes, ends[at]);
  return { addCell: (at, to) => to.add(bytes, ends[at], ends[at + 1]), end: ends[count] };
}

function textEnd(bytes: Uint8Array, begin: number): number {
  const text = varintEnd(bytes, begin);
  return text + varUintValue(bytes, begin, text);
}

/** As `lowCardinalityColumn` writes them: version, flags, the dictionary, and keys of one octet or four. */
function dictionaryCells(bytes: Uint8Array): AddCell {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const isNarrow = (view.getUint32(8, true) & 0xff) === 0;
  const { addCell, end } = textCells(bytes, 24, view.getUint32(16, true));
  const keys = end + 8;
  return (row, to) => addCell(isNarrow ? bytes[keys + row] : view.getUint32(keys + row * 4, true), to);
}

const ELEMENT_OCTETS = new Map([
  ['Int32', 4],
  ['Int64', 8],
  ['UInt64', 8],
]);

/** Arrays of tuples: column by column in a block, and tuple by tuple in a row. */
function arrayCells(elementType: string, bytes: Uint8Array, rows: number): AddCell {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const endOf = (row: number) => (row < 0 ? 0 : view.getUint32(row * 8, true));
  const tuple = /^Tuple\((.*)\)$/.exec(elementType)?.[1];
  if (tuple === undefined) throw new Error(`rows with arrays of ${elementType} have no digest`);
  const count = endOf(rows - 1);
  let from = rows * 8;
  const members = membersOf(tuple).map(({ type }): AddCell => {
    const begin = from;
    if (type === 'String') {
      const { addCell, end } = textCells(bytes, begin, count);
      from = end;
      return addCell;
    }
    const width = ELEMENT_OCTETS.get(type);
    if (width === undefined) throw new Error(`rows with tuples of ${type} have no digest`);
    from = begin + count * width;
    return (at, to) => to.add(bytes, begin + at * width, begin + (at + 1) * width);
  });
  return (row, to) => {
    const [begin, end] = [endOf(row - 1), endOf(row)];
    const length = new Uint8Array(varUintOctets(end - begin));
    to.add(length, 0, writeVarUint(length, 0, end - begin));
    for (let at = begin; at < end; at++) for (const addCell of members) addCell(at, to);
  };
}

/** Splits `name Type, name Type`; a type may have commas in parentheses. */
function membersOf(structure: string): { name: string; type: string }[] {
  const members: string[] = [];
  let depth = 0;
  let begin = 0;
  for (let at = 0; at <= structure.length; at++) {
    const sign = structure[at];
    if (sign === '(') depth++;
    if (sign === ')') depth--;
    if (at < structure.length && (sign !== ',' || depth > 0)) continue;
    members.push(structure.slice(begin, at).trim());
    begin = at + 1;
  }
  return members.map((member) => {
    const [, name, type] = /^([a-z_]+) (.+)$/.exec(member) ?? [];
    if (name === undefined) throw new Error(`${JSON.stringify(member)} is no column and its type`);
    return { name, type };
  });
}
