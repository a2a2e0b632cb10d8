import type { KafkaMessage } from 'kafkajs';
import { type FetchedLogRecord, recordsOf } from '../platform/kafka-record-sets.ts';
import type { RawRecord } from './source.ts';

const EMPTY = new Uint8Array(0);

/** The records at `fromOffset` and after it, as the port has them. Offsets are far below 2^53. */
export function* rawRecords(
  messages: readonly KafkaMessage[],
  fromOffset: number,
  maxOctets: number,
): Generator<RawRecord> {
  for (const record of recordsOf(messages)) if (record.offset >= fromOffset) yield rawRecord(record, maxOctets);
}

/** A tombstone is a record with an empty value: it is rejected like any other that cannot be decoded, not dropped. */
export function rawRecord({ offset, timestampMs, key, value }: FetchedLogRecord, maxOctets: number): RawRecord {
  const whole = value ?? EMPTY;
  if (whole.length <= maxOctets) return { offset, timestampMs, key, value: whole };
  return { offset, timestampMs, key, value: whole.subarray(0, maxOctets), oversizedOctets: whole.length };
}
