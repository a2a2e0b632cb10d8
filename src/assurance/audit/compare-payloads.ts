import { rejectedPayload } from '../../rating/record/rejected-payload.ts';
import type { PseudonymKey } from '../../rating/subscribers.ts';
import { BookedPseudonyms } from './booked-pseudonyms.ts';
import type { DecodeAt } from './decoding-at.ts';
import type { BatchRow, StoredBatch } from './evidence.ts';
import type { AuditFault } from './invariants.ts';
import type { WalkedBatch } from './walk-batches.ts';

/** Compares the journal's payload of each rejected record with the source, as far as both are kept. */
export function comparePayloads(
  { lane, numbers }: BatchRow,
  { rows }: StoredBatch,
  records: WalkedBatch['records'],
  decodeAt: DecodeAt,
  options: { pseudonymKey: PseudonymKey; rejectionPayloadOctets: number },
): AuditFault[] {
  const rejected = rows.filter(({ kind }) => kind === 2);
  if (rejected.length === 0) return [];
  const key = new BookedPseudonyms(options.pseudonymKey);
  const byOffset = new Map(records.map((record) => [record.offset, record]));
  return rejected.flatMap(({ offset, payload }) => {
    const record = byOffset.get(Number(offset));
    // A record that the source does not have is reported with its row.
    if (record === undefined) return [];
    const computed = rejectedPayload(record.value, decodeAt(record.offset), key, options.rejectionPayloadOctets);
    const booked = String(payload);
    if (isSameAsFarAsKept(key.payloadAsBooked(computed, booked), booked)) return [];
    const message = `record ${offset}: the kept payload of the rejected record differs from the source`;
    return [{ invariant: 'source', lane, laneSequence: numbers.lane_sequence, message }];
  });
}

/**
 * Compares payloads up to the shorter limit, which may have changed since booking. A cut may leave a replacement character,
 * and padding.
 */
function isSameAsFarAsKept(computed: string, booked: string): boolean {
  if (computed === booked) return true;
  const [shorter, longer] = [computed, booked].sort((a, b) => a.length - b.length);
  const kept = shorter.replace(/(\ufffd|=+)$/, '');
  return kept.length > 0 && shorter.length < longer.length && longer.startsWith(kept);
}
