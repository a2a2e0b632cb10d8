import type { Readable } from 'node:stream';
import { varintEnd, varUintValue } from '../formats/varint.ts';

/**
 * Reads rows of ClickHouse's RowBinary from a stream, keeping at most one chunk and a torn row in memory. `read` takes the
 * fields of one row in order.
 */
export async function* readRowBinary<T>(stream: Readable, read: (reader: RowBinaryReader) => T): AsyncIterable<T> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of stream) {
    const reader = new RowBinaryReader(rest.length === 0 ? (chunk as Buffer) : Buffer.concat([rest, chunk as Buffer]));
    let complete = 0;
    for (;;) {
      const row = reader.remaining > 0 ? tryRead(reader, read) : TORN;
      if (row === TORN) break;
      complete = reader.position;
      yield row;
    }
    rest = reader.from(complete);
  }
  if (rest.length > 0) throw new Error(`${rest.length} octets of a torn row at the end of a result`);
}

const TORN = Symbol('torn');

function tryRead<T>(reader: RowBinaryReader, read: (reader: RowBinaryReader) => T): T | typeof TORN {
  try {
    return read(reader);
  } catch (error) {
    // Buffer's own bounds check: the row continues in the next chunk.
    if (error instanceof RangeError) return TORN;
    throw error;
  }
}

/** A cursor over RowBinary octets. Methods throw RangeError past the end. Integers above 2^53 - 1 are not expected. */
export class RowBinaryReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get position(): number {
    return this.#at;
  }

  get remaining(): number {
    return this.#bytes.length - this.#at;
  }

  from(position: number): Buffer {
    return this.#bytes.subarray(position);
  }

  uint16(): number {
    return this.#bytes.readUInt16LE(this.#advance(2));
  }

  uint32(): number {
    return this.#bytes.readUInt32LE(this.#advance(4));
  }

  uint64(): number {
    const at = this.#advance(8);
    return this.#bytes.readUInt32LE(at) + this.#bytes.readUInt32LE(at + 4) * 2 ** 32;
  }

  octets(count: number): Uint8Array {
    const at = this.#advance(count);
    return this.#bytes.subarray(at, at + count);
  }

  text(): string {
    const length = this.#varUint();
    const at = this.#advance(length);
    return this.#bytes.toString('utf8', at, at + length);
  }

  /** The elements of an array of integers, as they are stored. */
  array(octetsPerElement: number): Uint8Array {
    return this.octets(this.#varUint() * octetsPerElement);
  }

  /** The elements of an array of texts, each with its length before it. */
  textArray(): Uint8Array {
    const count = this.#varUint();
    const from = this.#at;
    for (let i = 0; i < count; i++) this.#advance(this.#varUint());
    return this.#bytes.subarray(from, this.#at);
  }

  #varUint(): number {
    const start = this.#at;
    const end = varintEnd(this.#bytes, start);
    if (end === -1) throw new RangeError('past the end');
    this.#at = end;
    return varUintValue(this.#bytes, start, end);
  }

  #advance(count: number): number {
    const at = this.#at;
    if (at + count > this.#bytes.length) throw new RangeError('past the end');
    this.#at = at + count;
    return at;
  }
}
