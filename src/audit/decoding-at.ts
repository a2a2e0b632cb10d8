import type { Decoder } from '../billing/decoder.ts';
import { rejectUnknownSchema } from '../billing/schema-header.ts';
import type { JournalEvidence } from './evidence.ts';
import type { WalkedBatch } from './walk-batches.ts';

/** The decoder of the record at an offset. */
export type DecodeAt = (offset: number) => Decoder;

/**
 * How a batch's records were decoded when it was booked. What a schema id stands for is kept in the store and never changes;
 * that nobody knew an id when a record came is told by the record's own rejection, as the schema may have been registered
 * since. For such a record only its header is looked at: if that names no id, it comes out as another rejection.
 */
export async function decodingAt(evidence: JournalEvidence, { batch, decode }: WalkedBatch): Promise<DecodeAt> {
  if (batch.numbers.records_rejected === 0) return () => decode;
  const { rows } = await evidence.stored(batch);
  const unknownThen = new Set(
    rows.filter(({ reason }) => reason === 'unknown_schema').map(({ offset }) => Number(offset)),
  );
  return (offset) => (unknownThen.has(offset) ? rejectUnknownSchema : decode);
}
