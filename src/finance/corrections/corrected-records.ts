import { createHash } from 'node:crypto';
import * as z from 'zod';
import { decodeJson } from '../../rating/decode/decode-json.ts';
import { repeatedName } from '../../rating/decode/json-members.ts';
import { readRecord } from '../../rating/pipeline.ts';
import type { RecordLimits } from '../../rating/record/record-limits.ts';

/** A rejected record's place, and the corrected record. */
export interface CorrectedRecord {
  /** Line in the file that was submitted, from 1. */
  line: number;
  topic: string;
  partition: number;
  offset: number;
  /** The corrected flow record, as JSON. */
  value: Buffer;
}

export interface LineFault {
  line: number;
  message: string;
}

const TOPIC = { error: 'expected the name of the topic or file that the record was rejected in, in quotes' };
const PARTITION = { error: 'expected the number of the partition; 0 for a file' };
const OFFSET = { error: 'expected the offset of the rejection, a whole number of 0 or more' };

const LINE = z.object(
  {
    topic: z.string(TOPIC).min(1, TOPIC),
    partition: z.int(PARTITION).min(0, PARTITION),
    // Some of ClickHouse's JSON has 64-bit numbers in quotes.
    offset: z.union(
      [
        z.int(OFFSET).min(0, OFFSET),
        z
          .string()
          .regex(/^\d{1,15}$/, OFFSET)
          .transform(Number),
      ],
      OFFSET,
    ),
    record: z.record(z.string(), z.unknown(), { error: 'expected the corrected flow record, an object' }),
  },
  { error: 'is no object: {"topic", "partition", "offset", "record"}' },
);

/**
 * Reads corrected records, one JSON object a line: `{"topic", "partition", "offset", "record": { ... }}`. The place is that
 * of the rejection. Other fields are ignored, so an exported rejection may keep its own. Returns all faults at once, with
 * records that validation would reject again. The records come in the order of their places.
 */
export function parseCorrectedRecords(
  text: string,
  maxRecordBytes: number,
  limits: RecordLimits,
): { records: CorrectedRecord[]; faults: LineFault[] } {
  const records: CorrectedRecord[] = [];
  const faults: LineFault[] = [];
  const lines = new Map<string, number>();
  text.split('\n').forEach((json, index) => {
    const line = index + 1;
    if (json.trim() === '') return;
    const read = readLine(json, line, maxRecordBytes, limits);
    if (typeof read === 'string') {
      faults.push({ line, message: read });
      return;
    }
    const first = lines.get(recordPlaceOf(read));
    if (first !== undefined) faults.push({ line, message: `${recordPlaceOf(read)} is also in line ${first}` });
    else lines.set(recordPlaceOf(read), line);
    records.push(read);
  });
  return { records: records.sort(byPlace), faults };
}

/** Returns `topic-partition@offset`. */
export function recordPlaceOf({
  topic,
  partition,
  offset,
}: Pick<CorrectedRecord, 'topic' | 'partition' | 'offset'>): string {
  return `${topic}-${partition}@${offset}`;
}

/** Returns SHA-256 over places and records, 64 hex digits: the same for the same records in another order. */
export function correctedRecordsDigest(records: readonly CorrectedRecord[]): string {
  const hash = createHash('sha256');
  for (const record of records) hash.update(`${recordPlaceOf(record)} ${record.value.length}\n`).update(record.value);
  return hash.digest('hex');
}

function readLine(json: string, line: number, maxRecordBytes: number, limits: RecordLimits): CorrectedRecord | string {
  let parsed: unknown;
  try {
    parsed = JSON.parse(json);
  } catch {
    return 'is not JSON: one object a line';
  }
  if (typeof parsed === 'object' && parsed !== null && repeatedName(json, parsed) !== null)
    return 'has a name twice in one object: only one of its values can be meant';
  const { data, error } = LINE.safeParse(parsed);
  if (error !== undefined)
    return error.issues
      .map(({ path, message }) => (path.length === 0 ? message : `${path.join('.')}: ${message}`))
      .join('; ');
  const { record, ...place } = data;
  const value = Buffer.from(JSON.stringify(record));
  const oversizedOctets = value.length > maxRecordBytes ? value.length : 0;
  const corrected = readRecord({ value, oversizedOctets }, decodeJson, limits);
  if ('reason' in corrected)
    return `record: is not corrected, it would be rejected again (${corrected.reason}): ${corrected.detail}`;
  return { line, ...place, value };
}

export function byPlace(left: CorrectedRecord, right: CorrectedRecord): number {
  if (left.topic !== right.topic) return left.topic < right.topic ? -1 : 1;
  return left.partition - right.partition || left.offset - right.offset;
}
