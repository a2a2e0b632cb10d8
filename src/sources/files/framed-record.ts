/** One record as it was cut out of a file. */
export interface FramedRecord {
  /** At most the limit's first octets. */
  value: Buffer;
  /** The true length, if `value` was cut. */
  oversizedOctets?: number;
  /** Where the frame that holds it ends in the file, unpacked: a line without its line end, a CDR, a block of an Avro container. */
  contentEnd: number;
}

/** Keeps the first octets of a record, up to the limit, and its true length where that is more. */
export function framedRecord(
  octets: Buffer,
  trueOctets: number,
  limitOctets: number,
  contentEnd: number,
): FramedRecord {
  if (trueOctets <= limitOctets) return { value: octets.subarray(0, trueOctets), contentEnd };
  return { value: octets.subarray(0, limitOctets), oversizedOctets: trueOctets, contentEnd };
}
