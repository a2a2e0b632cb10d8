import { rejectUnknownSchema } from '../../rating/decode-avro.ts';
import type { Decoder } from '../../rating/flow-record.ts';
import type { JournalEvidence } from './evidence.ts';
import type { WalkedBatch } from './walk-batches.ts';

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
