import type { KafkaMessage } from 'kafkajs';
import type { RawRecord } from './source.ts';

const EMPTY = new Uint8Array(0);

/** The messages at `fromOffset` and after it, as the port has them. Offsets are far below 2^53. */
export function rawRecords(messages: readonly KafkaMessage[], fromOffset: number, maxOctets: number): RawRecord[] {
  const records: RawRecord[] = [];
  for (const message of messages) {
    const record = rawRecord(message, maxOctets);
    if (record.offset >= fromOffset) records.push(record);
  }
  return records;
}

/** A tombstone is a record with an empty value: it is rejected like any other that cannot be decoded, not dropped. */
export function rawRecord({ offset, timestamp, key, value }: KafkaMessage, maxOctets: number): RawRecord {
  const whole = value ?? EMPTY;
  const record: RawRecord = { offset: Number(offset), timestampMs: Number(timestamp), key, value: whole };
  if (whole.length > maxOctets) {
    record.value = whole.subarray(0, maxOctets);
    record.oversizedOctets = whole.length;
  }
  return record;
}
