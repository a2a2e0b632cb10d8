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
  readonly isFinal: boolean;
  /** Null where the file ends with a whole record. */
  heldBack: HeldBack | null = null;

  constructor(isFinal: boolean) {
    this.isFinal = isFinal;
  }

  holdBack(octets: number, what: string): void {
    this.heldBack ??= { octets, what };
  }
}

/** Of a file that is read as far as it was booked before, or for a look at it. */
export const finalEnding = (): FileEnding => new FileEnding(true);
