/** One record as it was cut out of a file: a span of memory that it shares with others. */
export class FramedRecord {
  readonly octets: Buffer;
  readonly valueStart: number;
  /** A value has at most the limit's first octets. */
  readonly valueEnd: number;
  /** Where the frame that holds it ends in the file, unpacked: a line without its line end, a CDR, a block of an Avro container. */
  readonly contentEnd: number;
  /** The true length of a value that was cut; otherwise 0. */
  readonly oversizedOctets: number;

  constructor(octets: Buffer, valueStart: number, valueEnd: number, contentEnd: number, oversizedOctets = 0) {
    this.octets = octets;
    this.valueStart = valueStart;
    this.valueEnd = valueEnd;
    this.contentEnd = contentEnd;
    this.oversizedOctets = oversizedOctets;
  }

  /** A value with memory of its own is given as it is: a source may know it again. */
  get value(): Buffer {
    const { octets, valueStart, valueEnd } = this;
    return valueStart === 0 && valueEnd === octets.length ? octets : octets.subarray(valueStart, valueEnd);
  }
}

/**
 * Keeps a record that begins at `start`; of one above the limit its first octets and its true length, in memory of its own, so that they do
 * not hold the whole read.
 */
export function framedRecord(
  octets: Buffer,
  start: number,
  trueOctets: number,
  limitOctets: number,
  contentEnd: number,
): FramedRecord {
  if (trueOctets <= limitOctets) return new FramedRecord(octets, start, start + trueOctets, contentEnd);
  const kept = Buffer.from(octets.subarray(start, start + limitOctets));
  return new FramedRecord(kept, 0, limitOctets, contentEnd, trueOctets);
}
