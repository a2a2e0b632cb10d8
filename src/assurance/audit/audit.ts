import { NOT_RECORDED } from '../../journal/block-rows.ts';
import type { BatchRow, JournalEvidence, StoredBatch } from '../../journal/evidence/evidence.ts';
import { storedColumns } from '../../journal/evidence/stored-columns.ts';
import { BATCH_NUMBERS, digestOfColumns } from '../../journal/journal-block.ts';
import { OUTCOMES } from '../../rating/outcome.ts';
import type { AuditFault, Invariant } from './invariants.ts';

/**
 * Checks the consistency of a journal, lane by lane: chain, counts, digests, strays. Yields every fault; a consistent
 * journal yields none.
 */
export async function* auditJournal(
  evidence: JournalEvidence,
  onBatch: (audited: number, batches: number) => void = () => {},
): AsyncGenerator<AuditFault> {
  const batches = await evidence.batches();
  yield* chainFaults(batches);
  let rows = 0;
  for (const [audited, batch] of batches.entries()) {
    const stored = await evidence.stored(batch);
    rows += stored.rows.length;
    yield* batchFaults(batch, stored);
    onBatch(audited + 1, batches.length);
  }
  const stored = await evidence.rowCount();
  if (stored !== rows) {
    yield {
      invariant: 'strays',
      lane: '',
      laneSequence: 0,
      message: `${stored} rows stored, ${rows} of them in batches`,
    };
  }
}

/** Returns faults in the sequence of batches; they are in the order of lane and number. */
function chainFaults(batches: readonly BatchRow[]): AuditFault[] {
  const faults: AuditFault[] = [];
  const cursors = new Map<string, number>();
  let before: BatchRow | null = null;
  for (const batch of batches) {
    const { lane, numbers } = batch;
    const fault = (message: string) =>
      faults.push({ invariant: 'chain', lane, laneSequence: numbers.lane_sequence, message });
    const last = before?.lane === lane ? before.numbers : null;
    const sequence = (last?.lane_sequence ?? 0) + 1;
    if (numbers.lane_sequence !== sequence) fault(`number ${numbers.lane_sequence} comes where ${sequence} should`);
    const position = last === null ? 0 : last.lane_position + last.records_read;
    if (numbers.lane_position !== position) fault(`begins at record ${numbers.lane_position}, not at ${position}`);
    const log = `${batch.topic}-${batch.partition}`;
    const chainedDay = before?.lane === lane ? before.bookingDay : 0;
    if (batch.chainedDay !== chainedDay) fault(`chained on day ${batch.chainedDay}, not on ${chainedDay}`);
    const cursor = cursors.get(log) ?? -1;
    if (numbers.prev !== cursor) fault(`${log}: extends offset ${numbers.prev}, but ${cursor} is the one before`);
    if (numbers.first_offset <= numbers.prev) fault(`${log}: begins at ${numbers.first_offset}, which is booked`);
    // Control records and compaction leave out offsets; a range never has more records than offsets.
    const places = batch.lastOffset - numbers.first_offset + 1;
    if (numbers.records_read > places) fault(`${log}: ${numbers.records_read} records in ${places} offsets`);
    if ((numbers.records_read === 0) !== (batch.gapReason !== '')) {
      fault(`${log}: ${numbers.records_read} records, and the gap's reason is "${batch.gapReason}"`);
    }
    const { published_through } = numbers;
    // Recovery publishes the updates of the batches after it.
    if (published_through < NOT_RECORDED || published_through >= numbers.lane_sequence) {
      fault(`quota updates published through batch ${published_through} before it was booked`);
    }
    cursors.set(log, batch.lastOffset);
    before = batch;
  }
  return faults;
}

/** Returns faults within one batch: its counts, and its digest. */
function batchFaults(batch: BatchRow, { rows, lists }: StoredBatch): AuditFault[] {
  const { lane, numbers } = batch;
  const faults: AuditFault[] = [];
  const fault = (invariant: Invariant, message: string) =>
    faults.push({ invariant, lane, laneSequence: numbers.lane_sequence, message });
  const accounted = OUTCOMES.reduce((sum, outcome) => sum + numbers[`records_${outcome}`], 0);
  if (accounted !== numbers.records_read) fault('counts', `${numbers.records_read} read, ${accounted} accounted for`);
  const expected = numbers.records_charged + numbers.records_rejected;
  if (rows.length !== expected) fault('counts', `${rows.length} rows where the batch says ${expected}`);
  const digest = digestOfStored(batch, { rows, lists });
  if (digest !== batch.digest) {
    fault('digest', `the rows give ${digest.slice(0, 12)}, the batch says ${batch.digest.slice(0, 12)}`);
  }
  return faults;
}

function digestOfStored(batch: BatchRow, { rows, lists }: StoredBatch): string {
  const { lane, topic, partition, lastOffset, numbers, bookingDay, chainedDay, gapReason } = batch;
  const place = {
    log: { topic, partition, lane },
    bookingDay,
    chainedDay,
    prev: numbers.prev,
    firstOffset: numbers.first_offset,
    lastOffset,
    laneSequence: numbers.lane_sequence,
    lanePosition: numbers.lane_position,
    gapReason,
  };
  const values = BATCH_NUMBERS.map((name) => numbers[name]);
  return digestOfColumns(place, values, batch.catalogueHash, storedColumns(rows, lastOffset), lists);
}
