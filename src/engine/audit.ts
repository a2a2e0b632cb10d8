import { OUTCOMES } from '../billing/outcome.ts';
import type { Store } from '../platform/store.ts';
import { batchDigest } from './batch-digest.ts';
import { BATCH_NUMBERS } from './journal-block.ts';
import { storedColumns } from './stored-batch.ts';

/** What must hold of every journal, whatever has failed on the way (design section 3). */
export const INVARIANTS = {
  chain: 'every batch extends the one before it: no record is skipped, none is booked twice',
  counts: 'read = charged + not sponsored + duplicate + rejected, and the rows are as many as the batch says',
  digest: 'every batch’s digest follows from its rows',
  strays: 'no row stands outside of a batch',
} as const;
export type Invariant = keyof typeof INVARIANTS;

export interface AuditFault {
  invariant: Invariant;
  lane: string;
  laneSequence: number;
  message: string;
}

/** A batch row as the journal has it. Numbers by their column's name. */
export interface BatchRow {
  lane: string;
  topic: string;
  partition: number;
  lastOffset: number;
  bookingDay: number;
  catalogueHash: string;
  digest: string;
  numbers: Record<string, number>;
}

/** Checks all batches of a store, lane by lane. Yields every fault; a journal that holds yields none. */
export async function* auditJournal(
  store: Store,
  onBatch: (audited: number, batches: number) => void,
): AsyncGenerator<AuditFault> {
  const batches = await readBatches(store);
  yield* chainFaults(batches);
  let rows = 0;
  for (const [audited, batch] of batches.entries()) {
    const faults = await batchFaults(store, batch);
    rows += faults.rows;
    yield* faults.faults;
    onBatch(audited + 1, batches.length);
  }
  const [{ stored }] = await store.query<{ stored: number }>(
    `SELECT count() AS stored FROM journal WHERE kind != 'batch'`,
  );
  if (Number(stored) !== rows) {
    yield {
      invariant: 'strays',
      lane: '',
      laneSequence: 0,
      message: `${stored} rows stored, ${rows} of them in batches`,
    };
  }
}

/** Faults in how the batches follow each other; they are in the order of lane and number. */
export function chainFaults(batches: readonly BatchRow[]): AuditFault[] {
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
    const cursor = cursors.get(log) ?? -1;
    if (numbers.prev !== cursor) fault(`${log}: extends offset ${numbers.prev}, but ${cursor} is the one before`);
    if (numbers.first_offset <= numbers.prev) fault(`${log}: begins at ${numbers.first_offset}, which is booked`);
    // Control records and compaction leave out offsets; nothing puts more records into a range than it has places.
    const places = batch.lastOffset - numbers.first_offset + 1;
    if (numbers.records_read > places) fault(`${log}: ${numbers.records_read} records in ${places} offsets`);
    cursors.set(log, batch.lastOffset);
    before = batch;
  }
  return faults;
}

async function batchFaults(store: Store, batch: BatchRow): Promise<{ faults: AuditFault[]; rows: number }> {
  const { lane, topic, partition, lastOffset, numbers, bookingDay } = batch;
  const faults: AuditFault[] = [];
  const fault = (invariant: Invariant, message: string) =>
    faults.push({ invariant, lane, laneSequence: numbers.lane_sequence, message });
  const accounted = OUTCOMES.reduce((sum, outcome) => sum + numbers[`records_${outcome}`], 0);
  if (accounted !== numbers.records_read) fault('counts', `${numbers.records_read} read, ${accounted} accounted for`);

  const range = { lane, topic, partition, firstOffset: numbers.first_offset, lastOffset };
  const { columns, rows } = await storedColumns(store, range);
  const expected = numbers.records_charged + numbers.records_rejected;
  if (rows !== expected) fault('counts', `${rows} rows where the batch says ${expected}`);
  const place = {
    log: { topic, partition, lane },
    bookingDay,
    prev: numbers.prev,
    laneSequence: numbers.lane_sequence,
    lanePosition: numbers.lane_position,
  };
  const digest = batchDigest(
    place,
    BATCH_NUMBERS.map((name) => numbers[name]),
    batch.catalogueHash,
    columns,
  );
  if (digest !== batch.digest)
    fault('digest', `the rows give ${digest.slice(0, 12)}, the batch says ${batch.digest.slice(0, 12)}`);
  return { faults, rows };
}

async function readBatches(store: Store): Promise<BatchRow[]> {
  const rows = await store.query<Record<string, string | number>>(
    `SELECT lane, topic, partition, offset, toUInt16(booking_date) AS booking_day, catalogue_hash, digest, ` +
      `${BATCH_NUMBERS.join(', ')} FROM journal WHERE kind = 'batch' ORDER BY lane, lane_sequence`,
  );
  return rows.map((row) => ({
    lane: String(row.lane),
    topic: String(row.topic),
    partition: Number(row.partition),
    lastOffset: Number(row.offset),
    bookingDay: Number(row.booking_day),
    catalogueHash: String(row.catalogue_hash),
    digest: String(row.digest),
    numbers: Object.fromEntries(BATCH_NUMBERS.map((name) => [name, Number(row[name])])),
  }));
}
