import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { type SourceProof, sourceProof } from '../../platform/kafka/log-record.ts';
import type { FileEnding } from './file-ending.ts';

/**
 * Above this the oldest octets are hashed, though no record has ended there, until this many are left: more than a reader looks
 * ahead, which is two blocks of an Avro container.
 */
const MAX_KEPT_OCTETS = 192 << 20;
const LEFT_OCTETS = 160 << 20;

/**
 * Hashes a file's content (SHA-256) while it is read, and proves what it held up to any place that was read, in ascending order. It
 * keeps what was read since the last proof, 192 MiB at most.
 */
export class ContentTrail {
  readonly #hash = createHash('sha256');
  #parts: Buffer[] = [];
  #hashedTo = 0;
  #readTo = 0;
  #begin = 0;
  /** Of ends of records that lie before what is kept. */
  readonly #known = new Map<number, SourceProof>();
  /** Ends of the records that are read and may still be asked for, in ascending order. */
  pendingEnds: () => Iterable<number> = () => [];

  /** Passes the octets on. Gzip data that ends early is the end of a file that is still being written, where the ending allows it. */
  async *tap(octets: Readable, ending: FileEnding, isProven = true): AsyncGenerator<Buffer, void, undefined> {
    try {
      for await (const part of octets as AsyncIterable<Buffer>) {
        if (isProven) this.#parts.push(part);
        this.#readTo += part.length;
        if (isProven && this.#readTo - this.#hashedTo > MAX_KEPT_OCTETS) this.#shed(this.#readTo - LEFT_OCTETS);
        yield part;
      }
    } catch (error) {
      const isCut = (error as { code?: unknown }).code === 'Z_BUF_ERROR';
      if (!isCut || !ending.cutAt(this.#readTo)) throw error;
    }
  }

  /** The content begins here: what is before it changes while the file is written. To be called before the first proof. */
  beginAt(offset: number): void {
    this.#begin = offset;
    this.#take(offset, () => {});
  }

  /** What is before this offset is proven no more by itself: its octets are not kept. */
  advanceTo(end: number): void {
    this.#known.clear();
    this.#hashTo(end);
  }

  #hashTo(end: number): void {
    this.#take(end, (part) => this.#hash.update(part));
  }

  /** The proof of the content up to here, an offset in the whole file. */
  proofAt(end: number): SourceProof {
    const known = this.#known.get(end);
    if (known !== undefined) return known;
    if (end < this.#hashedTo) throw new Error(`octet ${end} was passed over`);
    this.#hashTo(end);
    return sourceProof(end - this.#begin, this.#hash.copy().digest('hex'));
  }

  #shed(target: number): void {
    for (const end of this.pendingEnds()) {
      if (end > target) break;
      if (end >= this.#hashedTo) this.#known.set(end, this.proofAt(end));
    }
    this.#hashTo(target);
  }

  /** Takes the parts up to here. */
  #take(end: number, take: (part: Buffer) => void): void {
    while (this.#hashedTo < end) {
      const [part] = this.#parts;
      if (part === undefined) throw new Error(`octet ${end} was not read yet`);
      const octets = Math.min(part.length, end - this.#hashedTo);
      take(part.subarray(0, octets));
      this.#hashedTo += octets;
      if (octets < part.length) this.#parts[0] = part.subarray(octets);
      else this.#parts.shift();
    }
  }
}
