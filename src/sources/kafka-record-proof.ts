import { createHash } from 'node:crypto';
import { type LogRecord, type SourceProof, sourceProof } from '../platform/log-record.ts';

/** Returns the proof of a record of Kafka: over its key and its whole value, also where that is cut to the limit for a record. */
export function proofOfRecord(record: LogRecord): SourceProof {
  const { octets, valueStart, valueEnd, oversizedOctets, key } = record;
  const value = octets.subarray(valueStart, oversizedOctets === 0 ? valueEnd : valueStart + oversizedOctets);
  const hash = createHash('sha256').update(`${key === null ? -1 : key.length}:`);
  if (key !== null) hash.update(key);
  return sourceProof(value.length, hash.update(value).digest('hex'));
}
