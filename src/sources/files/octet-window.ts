const EMPTY = Buffer.alloc(0);

/** A view of the next octets of a stream that grows on request and moves on: for formats that must look ahead. */
export class OctetWindow {
  readonly #input: AsyncIterator<Buffer>;
  #octets: Buffer = EMPTY;
  #ended = false;
  #offset = 0;

  constructor(input: AsyncIterable<Buffer>) {
    this.#input = input[Symbol.asyncIterator]();
  }

  /** Where the window begins in the stream. */
  get offset(): number {
    return this.#offset;
  }

  /** What has been read: at least what the last `grow` asked for, unless the stream ended. */
  get octets(): Buffer {
    return this.#octets;
  }

  /** Reads on until `length` octets have been read; false if the stream ends before. */
  async grow(length: number): Promise<boolean> {
    if (this.#octets.length >= length) return true;
    const parts = [this.#octets];
    let available = this.#octets.length;
    while (available < length && !this.#ended) {
      const next = await this.#input.next();
      if (next.done) {
        this.#ended = true;
      } else {
        parts.push(next.value);
        available += next.value.length;
      }
    }
    this.#octets = Buffer.concat(parts, available);
    return available >= length;
  }

  /** Leaves the first `length` octets behind. */
  skip(length: number): void {
    this.#octets = this.#octets.subarray(length);
    this.#offset += length;
  }
}
