import { literal, type Store } from '../../platform/clickhouse/store.ts';
import { PSEUDONYM_OCTETS } from '../../rating/subscribers.ts';
import { type RowBinaryReader, readRowBinary } from '../row-binary.ts';
import type { BatchRow, StoredBatch } from './evidence.ts';
import { readStoredRow, STORED_EXPRESSIONS } from './stored-columns.ts';

/** Most records that are read at once. */
const AHEAD_RECORDS = 20_000;
const AHEAD_BATCHES = 200;

const LISTS =
  'outcomes.application_id, outcomes.reason, outcomes.records, outcomes.octets, ' +
  'seen_nodes, seen.row, seen.node, seen.sequence, seen.fingerprint, ' +
  'leakage.application_id, leakage.reason, leakage.prefix, leakage.tag, leakage.node_id, leakage.day, leakage.records, leakage.octets, ' +
  'further_quotas.subscriber, further_quotas.quota_id, further_quotas.quota_version, further_quotas.period_start, ' +
  'further_quotas.used_octets_after, further_quotas.offset';

/**
 * The stored rows of batches, read in the order of each lane several batches at a time: a query for each batch would take
 * hours.
 */
export class StoredBatches {
  readonly #store: Store;
  #batches: readonly BatchRow[] = [];
  #places: ReadonlyMap<BatchRow, number> = new Map();
  /** By lane: a reader of a source alternates between lanes. */
  readonly #ahead = new Map<string, ReadonlyMap<BatchRow, StoredBatch>>();

  constructor(store: Store) {
    this.#store = store;
  }

  /** Announces batches that will be read, in the order of lanes and numbers. */
  expect(batches: readonly BatchRow[]): void {
    this.#batches = batches;
    this.#places = new Map(batches.map((batch, at) => [batch, at]));
    this.#ahead.clear();
  }

  async of(batch: BatchRow): Promise<StoredBatch> {
    const known = this.#ahead.get(batch.lane)?.get(batch);
    if (known !== undefined) return known;
    const ahead = await this.#read(batchesAhead(this.#batches, this.#places.get(batch) ?? this.#batches.length, batch));
    this.#ahead.set(batch.lane, ahead);
    return ahead.get(batch) as StoredBatch;
  }

  async #read(batches: readonly BatchRow[]): Promise<Map<BatchRow, StoredBatch>> {
    const [{ lane, topic, partition }] = batches;
    // A recreated topic is booked by a batch whose end is before its beginning.
    const from = Math.min(...batches.map(({ numbers, lastOffset }) => Math.min(numbers.first_offset, lastOffset)));
    const to = Math.max(...batches.map(({ lastOffset }) => lastOffset));
    const range =
      `lane = ${literal(lane)} AND topic = ${literal(topic)} AND partition = ${partition} ` +
      `AND offset BETWEEN ${from} AND ${to}`;
    const rows = await this.#rows(
      `SELECT ${STORED_EXPRESSIONS.join(', ')} FROM journal WHERE kind IN ('charge', 'rejection') AND ${range} ` +
        'ORDER BY offset, kind',
      readStoredRow,
    );
    const lists = await this.#rows(
      `SELECT toUInt64(offset + 1), lane_sequence, ${LISTS} FROM journal WHERE kind = 'batch' AND ${range}`,
      readLists,
    );
    const storedOf = ({ lastOffset, numbers }: BatchRow): StoredBatch => ({
      rows: rows.filter(({ offset }) => Number(offset) >= numbers.first_offset && Number(offset) <= lastOffset),
      lists: lists
        .filter(({ offset, number }) => offset === lastOffset && number === numbers.lane_sequence)
        .flatMap(({ octets }) => octets),
    });
    return new Map(batches.map((batch) => [batch, storedOf(batch)]));
  }

  async #rows<T>(sql: string, read: (reader: RowBinaryReader) => T): Promise<T[]> {
    const rows: T[] = [];
    for await (const row of readRowBinary(await this.#store.stream(`${sql} FORMAT RowBinary`), read)) rows.push(row);
    return rows;
  }
}

/**
 * Returns a batch and those after it in the same log, as many as one query should read. `batches`: in the order of lanes and
 * numbers; the batch is the one at `place`.
 */
export function batchesAhead(batches: readonly BatchRow[], place: number, batch: BatchRow): BatchRow[] {
  const ahead = [batch];
  let records = batch.numbers.records_read;
  for (const next of batches.slice(place + 1, place + AHEAD_BATCHES)) {
    const { lane, topic, partition, numbers } = next;
    const isSameLog = lane === batch.lane && topic === batch.topic && partition === batch.partition;
    records += numbers.records_read;
    if (!isSameLog || records > AHEAD_RECORDS) break;
    ahead.push(next);
  }
  return ahead;
}

/**
 * Returns a batch row's offset and number, and its lists in the order of LISTS, as `journalBlock` passes them to
 * `batchDigest`. The offset is transferred plus 1, because the row of a recreated topic has the offset -1.
 */
function readLists(reader: RowBinaryReader): { offset: number; number: number; octets: Uint8Array[] } {
  return {
    offset: reader.uint64() - 1,
    number: reader.uint64(),
    octets: [
      reader.textArray(),
      reader.textArray(),
      reader.array(8),
      reader.array(8),
      reader.textArray(),
      reader.array(4),
      reader.array(4),
      reader.array(8),
      reader.array(4),
      reader.textArray(),
      reader.textArray(),
      reader.textArray(),
      reader.textArray(),
      reader.textArray(),
      reader.array(2),
      reader.array(8),
      reader.array(8),
      reader.array(PSEUDONYM_OCTETS),
      reader.textArray(),
      reader.array(4),
      reader.array(2),
      reader.array(8),
      reader.array(8),
    ],
  };
}
