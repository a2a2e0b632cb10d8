import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { type SourceProof, sourceProof } from '../platform/log-record.ts';
import type { FileEnding } from './file-ending.ts';

/**
 * Hashes a file's content (SHA-256) while it is read, and proves what it held up to any place that was read, in ascending order. It
 * keeps what was read since the last proof.
 */
export class ContentTrail {
  readonly #hash = createHash('sha256');
  #parts: Buffer[] = [];
  #hashedTo = 0;
  #begin = 0;

  /** Passes the octets on. Gzip data that ends early is the end of a file that is still being written. */
  async *tap(octets: Readable, ending: FileEnding): AsyncGenerator<Buffer, void, undefined> {
    let length = 0;
    try {
      for await (const part of octets as AsyncIterable<Buffer>) {
        this.#parts.push(part);
        length += part.length;
        yield part;
      }
    } catch (error) {
      if (ending.isFinal || (error as { code?: unknown }).code !== 'Z_BUF_ERROR') throw error;
      ending.holdBack(0, `gzip data that ends early, after ${length} octets unpacked`);
    }
  }

  /** The content begins here: what is before it changes while the file is written. To be called before the first proof. */
  beginAt(offset: number): void {
    this.#begin = offset;
    this.#take(offset, () => {});
  }

  /** What is before this offset is proven no more by itself: its octets are not kept. */
  advanceTo(end: number): void {
    this.#take(end, (part) => this.#hash.update(part));
  }

  /** The proof of the content up to here, an offset in the whole file. */
  proofAt(end: number): SourceProof {
    this.advanceTo(end);
    return sourceProof(end - this.#begin, this.#hash.copy().digest('hex'));
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
