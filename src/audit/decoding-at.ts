import type { Decoder } from '../billing/decoder.ts';
import { rejectUnknownSchema } from '../billing/schema-header.ts';
import type { JournalEvidence } from './evidence.ts';
import type { WalkedBatch } from './walk-batches.ts';

/** The decoder of the record at an offset. */
export type DecodeAt = (offset: number) => Decoder;

/**
 * How a batch's records were decoded when it was booked. The schema of an id is kept in the store and never changes.
 * But the schema of an id may have been registered since, and a later version may read a schema that an earlier one could not:
 * what a record was rejected with for either reason is taken from its rejection. Of one whose schema was unknown the header is
 * looked at still: if that names no schema, it comes out as another rejection.
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
