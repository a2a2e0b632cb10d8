import { rejectUnknownSchema } from '../../rating/decode-avro.ts';
import type { Decoder, FlowBatch } from '../../rating/flow-record.ts';
import type { Lane } from '../../rating/lane.ts';
import { admit } from '../../rating/pipeline.ts';
import type { RecordRules } from '../../rating/record/record-limits.ts';
import type { Rules } from '../../rating/rules.ts';
import type { JournalEvidence, WalkedBatch } from './evidence.ts';

/** Returns the decoder of the record at an offset. */
export type DecodeAt = (offset: number) => Decoder;

/**
 * Returns how a batch's records were decoded when it was booked. The schema of an id is kept in the store and never changes.
 * But a schema may have been registered since, and a later version may read a schema that an earlier one could not: a
 * rejection for either reason is taken from the journal. The header of a record with an unknown schema is still read: if it
 * names no schema, the rejection is another one.
 */
export async function decodingAt(evidence: JournalEvidence, { batch, decode }: WalkedBatch): Promise<DecodeAt> {
  if (batch.numbers.records_rejected === 0) return () => decode;
  const { rows } = await evidence.stored(batch);
  const rejections = new Map(
    rows.flatMap(({ offset, reason, detail }) => {
      if (reason !== 'unknown_schema' && reason !== 'incompatible_schema') return [];
      return [[Number(offset), { reason, detail: String(detail) }] as const];
    }),
  );
  return (offset) => {
    const fault = rejections.get(offset);
    if (fault === undefined) return decode;
    return (value) => {
      const other = fault.reason === 'unknown_schema' ? rejectUnknownSchema(value).fault : undefined;
      return { fault: other === undefined || other.reason === fault.reason ? fault : other };
    };
  };
}

/** Decodes and validates a batch's records into columns, as when the batch was booked. The columns must have room for all of them. */
export function admitAsBooked(
  columns: FlowBatch,
  { batch, records }: Pick<WalkedBatch, 'batch' | 'records'>,
  decodeAt: DecodeAt,
  recordRules: RecordRules,
  lane: Lane,
  rules: Rules,
): void {
  const keyedByMsisdn = records.length > 0 && records[0].timestampMs !== null;
  const context = { keyedByMsisdn, rules: recordRules, bookingDay: batch.bookingDay };
  for (let from = 0; from < records.length; ) {
    // Records that were read with the same schemas are read together.
    const decode = decodeAt(records[from].offset);
    let to = from + 1;
    while (to < records.length && decodeAt(records[to].offset) === decode) to++;
    admit(columns, records.slice(from, to), { ...context, decode }, lane, rules);
    from = to;
  }
}
