import type { Decoder } from './flow-record.ts';
import type { RecordRules } from './record/record-limits.ts';

/** A record's place in its log, and where its key and value are in `octets`, which may hold more than them. */
export interface Incoming {
  readonly offset: number;
  /** Its log's time; null where the log has none. */
  readonly timestampMs: number | null;
  readonly octets: Uint8Array;
  /** -1 where the source has no keys. */
  readonly keyStart: number;
  readonly keyEnd: number;
  readonly valueStart: number;
  readonly valueEnd: number;
  /** The true length of a record that was cut because it is above the limit; otherwise 0. */
  readonly oversizedOctets: number;
  /** A view of the value's octets. */
  readonly value: Uint8Array;
}

/** A value by itself. */
export function incoming(value: Uint8Array, offset = 0, oversizedOctets = 0): Incoming {
  const valueEnd = value.length;
  return {
    offset,
    timestampMs: null,
    octets: value,
    keyStart: -1,
    keyEnd: -1,
    valueStart: 0,
    valueEnd,
    oversizedOctets,
    value,
  };
}

/** What the records of one batch are read with. */
export interface IngestContext {
  decode: Decoder;
  /** Records are keyed by MSISDN (Kafka); a record whose key is another one is counted. */
  keyedByMsisdn: boolean;
  rules: RecordRules;
  /** The batch's booking date, days since 1970-01-01: the log's time of records that have none. */
  bookingDay: number;
}
