import { type SeenRecord, seenList } from '../../journal/evidence/batch-lists.ts';
import type { StoredBatch, WalkedBatch } from '../../journal/evidence/evidence.ts';
import { KINDS } from '../../journal/journal-block.ts';
import { NO_PROOF } from '../../platform/kafka/log-record.ts';
import type { FlowBatch } from '../../rating/flow-record.ts';
import type { Names } from '../../rating/names.ts';
import { failedAtIngress, REASONS } from '../../rating/outcome.ts';
import type { CurrentCharges } from './current-charges.ts';
import { BOOKED_AS } from './rerate-lane.ts';

/** A batch that was read again and decoded, and what the journal has of it. */
export interface ReadAgain {
  walked: WalkedBatch;
  stored: StoredBatch;
  /** Identities of the records that were neither rejected nor duplicates. */
  seen: readonly SeenRecord[];
}

export function readAgain(walked: WalkedBatch, stored: StoredBatch): ReadAgain {
  return { walked, stored, seen: seenList(stored.lists) };
}

/**
 * Returns how the source differs from what was booked of it, null where it does not: in its offsets, in the proof of the batch's end,
 * or in a record's identity or content. The source has as many records as are booked.
 */
export function sourceFault({ walked, stored, seen }: ReadAgain, records: FlowBatch, nodes: Names): string | null {
  const { batch, sourceProof } = walked;
  const { numbers, lastOffset } = batch;
  const [first, last] = [records.offset[0], records.offset[records.count - 1]];
  if (first !== numbers.first_offset || last !== lastOffset)
    return `the source has records ${first} to ${last}, and ${numbers.first_offset} to ${lastOffset} are booked`;
  if (batch.sourceProof !== NO_PROOF && sourceProof !== batch.sourceProof)
    return `the source proves ${sourceProof || 'nothing'} at offset ${lastOffset}, and ${batch.sourceProof} is booked`;
  const offsets = new Set(records.offset.subarray(0, records.count));
  const missing = stored.rows.find(({ offset }) => !offsets.has(Number(offset)));
  if (missing !== undefined) return `the source has no record ${missing.offset}, which is booked`;
  for (const { place, nodeId, sequence, fingerprint } of seen) {
    const offset = records.offset[place];
    const reason = records.reason[place];
    if (failedAtIngress(reason))
      return `record ${offset} is rejected today (${REASONS[reason].reason}), and was not when it was booked`;
    const isSameRecord = nodes.list[records.node[place]] === nodeId && records.localSequenceNumber[place] === sequence;
    if (!isSameRecord || records.fingerprint[place] !== fingerprint)
      return `record ${offset} is not the one that is booked`;
  }
  return null;
}

/**
 * Takes the current charges of a batch's records, and returns what each record is, a BOOKED_AS by row. `current` has the charges of all
 * sponsors, those of the batch among them; `nameless` the rows of subscribers who can no longer be named.
 */
export function takeCurrentCharges(
  charges: CurrentCharges,
  { stored, seen }: ReadAgain,
  current: CurrentCharges,
  { sponsorId, nameless }: { sponsorId: string; nameless: Iterable<number> },
  bookedAs: Uint8Array,
): void {
  const { records } = charges;
  for (const column of [bookedAs, charges.hasCharge, charges.wasCharged, charges.isInRange])
    column.fill(0, 0, records.count);
  for (const { place } of seen) bookedAs[place] = BOOKED_AS.unsponsored;
  for (const row of nameless) if (bookedAs[row] !== BOOKED_AS.closed) bookedAs[row] = BOOKED_AS.nameless;
  let row = 0;
  for (const { kind, offset } of stored.rows) {
    while (records.offset[row] < Number(offset)) row++;
    if (kind === KINDS.charge) charges.wasCharged[row] = 1;
    else bookedAs[row] = BOOKED_AS.closed;
  }
  const payer = charges.names.numberOf(sponsorId);
  row = 0;
  const last = records.offset[records.count - 1];
  for (let at = firstFrom(current.records, records.offset[0]); at < current.records.count; at++) {
    const offset = current.records.offset[at];
    if (offset > last) break;
    while (records.offset[row] < offset) row++;
    charges.takeCurrent(row, current, at);
    // It differs from the computed one after an erasure alone.
    records.subscriber[row] = current.records.subscriber[at];
    bookedAs[row] = current.sponsor[at] === payer ? BOOKED_AS.charged : BOOKED_AS.chargedToOther;
  }
}

/** Returns the first row at this offset or after it. */
function firstFrom({ offset: offsets, count }: FlowBatch, offset: number): number {
  let [from, to] = [0, count];
  while (from < to) {
    const middle = (from + to) >>> 1;
    if (offsets[middle] < offset) from = middle + 1;
    else to = middle;
  }
  return from;
}
