const NONE = -1;

/**
 * Proves, for the journal, what a source held up to a record: octets and their SHA-256, as `1024:9f86...`. Files: their content up
 * to the end of the record's frame. Kafka: the record itself.
 */
export type SourceProof = string;

/** Of a source that has none. */
export const NO_PROOF: SourceProof = '';

/** Returns the proof of a record that was handed over. Asked for in the order of the records, not for each of them. */
export type ProveRecord = (record: LogRecord) => SourceProof;

export function sourceProof(octets: number, sha256: string): SourceProof {
  return `${octets}:${sha256}`;
}

/** A record with memory of its own. */
export interface LogRecordParts {
  offset: number;
  timestampMs?: number | null;
  key?: Uint8Array | null;
  value: Uint8Array;
  oversizedOctets?: number;
}

/** A record as it was cut out of a file. */
type FrameParts = Pick<LogRecord, 'octets' | 'valueStart' | 'valueEnd' | 'oversizedOctets' | 'contentEnd'>;

/**
 * A record of a log: unvalidated bytes, and their place. Key and value are spans of memory that it shares
 * with other records, for a view of each would cost more than reading the record.
 */
export class LogRecord {
  readonly offset: number;
  /** Kafka's timestamp; null where the log has none. */
  readonly timestampMs: number | null;
  readonly octets: Uint8Array;
  /** -1: no key. */
  readonly keyStart: number;
  readonly keyEnd: number;
  readonly valueStart: number;
  readonly valueEnd: number;
  /** The value's true length, where it was cut or could not be framed; otherwise 0. */
  oversizedOctets = 0;
  /** Files: where the record's frame ends in the file's content. */
  contentEnd = 0;

  constructor(
    offset: number,
    timestampMs: number | null,
    octets: Uint8Array,
    keyStart: number,
    keyEnd: number,
    valueStart: number,
    valueEnd: number,
  ) {
    this.offset = offset;
    this.timestampMs = timestampMs;
    this.octets = octets;
    this.keyStart = keyStart;
    this.keyEnd = keyEnd;
    this.valueStart = valueStart;
    this.valueEnd = valueEnd;
  }

  static of({ offset, timestampMs = null, key = null, value, oversizedOctets = 0 }: LogRecordParts): LogRecord {
    const octets = key === null ? value : Buffer.concat([value, key]);
    const [keyStart, keyEnd] = key === null ? [NONE, NONE] : [value.length, octets.length];
    const record = new LogRecord(offset, timestampMs, octets, keyStart, keyEnd, 0, value.length);
    record.oversizedOctets = oversizedOctets;
    return record;
  }

  /** Of a file. */
  static ofFrame(offset: number, frame: FrameParts): LogRecord {
    const record = new LogRecord(offset, null, frame.octets, NONE, NONE, frame.valueStart, frame.valueEnd);
    record.oversizedOctets = frame.oversizedOctets;
    record.contentEnd = frame.contentEnd;
    return record;
  }

  get key(): Uint8Array | null {
    return this.keyStart === NONE ? null : this.octets.subarray(this.keyStart, this.keyEnd);
  }

  /** A value with memory of its own is given as it is: a source may know it again. */
  get value(): Uint8Array {
    const { octets, valueStart, valueEnd } = this;
    return valueStart === 0 && valueEnd === octets.length ? octets : octets.subarray(valueStart, valueEnd);
  }

  /**
   * Returns the record; of one with a larger value its first `maxBytes` and its true length, in memory of its own, so that they do not
   * hold the whole fetch.
   */
  cutTo(maxBytes: number): LogRecord {
    const { offset, timestampMs, key, octets, valueStart } = this;
    const oversizedOctets = this.valueEnd - valueStart;
    if (oversizedOctets <= maxBytes) return this;
    const value = Buffer.from(octets.subarray(valueStart, valueStart + maxBytes));
    return LogRecord.of({ offset, timestampMs, key, value, oversizedOctets });
  }
}
