/** What the end of a file holds that is no record yet. */
export interface HeldBack {
  octets: number;
  /** Such as `a line without its line end`. */
  what: string;
}

/**
 * Says how a reader takes the end of a file: of one that may still be written, what is not whole is held back; of a final one it is
 * what it is, a record or a damaged one.
 */
export class FileEnding {
  #isFinal: boolean;
  readonly #mayBeCut: boolean;
  /** Null where the file ends with a whole record. */
  heldBack: HeldBack | null = null;

  /** `mayBeCut`: packed data of a final file may end early, too; its end is then taken as that of one that is still written. */
  constructor(isFinal: boolean, mayBeCut = false) {
    this.#isFinal = isFinal;
    this.#mayBeCut = mayBeCut || !isFinal;
  }

  get isFinal(): boolean {
    return this.#isFinal;
  }

  /** Takes packed data that ends early, after so many octets unpacked; returns whether it may. */
  cutAt(octets: number): boolean {
    if (!this.#mayBeCut) return false;
    this.#isFinal = false;
    this.holdBack(0, `gzip data that ends early, after ${octets} octets unpacked`);
    return true;
  }

  holdBack(octets: number, what: string): void {
    this.heldBack ??= { octets, what };
  }
}

/** Of a file that is read as far as it was booked before, or for a look at it. */
export const finalEnding = (): FileEnding => new FileEnding(true);
