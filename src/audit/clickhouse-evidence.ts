import type { GapReason } from '../journal/batch-digest.ts';
import { BATCH_NUMBERS } from '../journal/journal-block.ts';
import { JournalReader } from '../journal/journal-reader.ts';
import { type RowBinaryReader, readRowBinary } from '../journal/row-binary.ts';
import { literal, type Store } from '../platform/store.ts';
import type { BatchRow, JournalEvidence, LaneState, NewestCounter, StoredBatch } from './evidence.ts';
import { readStoredRow, STORED_EXPRESSIONS, type StoredRow } from './stored-columns.ts';

const LISTS =
  'outcomes.application_id, outcomes.reason, outcomes.records, outcomes.octets, ' +
  'seen_nodes, seen.row, seen.node, seen.sequence, seen.fingerprint';

/** A journal in ClickHouse, for those who check it. */
export class ClickHouseEvidence implements JournalEvidence {
  readonly #store: Store;
  readonly #reader: JournalReader;

  constructor(store: Store) {
    this.#store = store;
    this.#reader = new JournalReader(store);
  }

  async batches(): Promise<BatchRow[]> {
    const rows = await this.#store.query<Record<string, string | number>>(
      `SELECT lane, topic, partition, offset, toUInt16(booking_date) AS booking_day, ` +
        'toUInt16(chained_on) AS chained_day, catalogue_hash, digest, gap_reason, ' +
        `${BATCH_NUMBERS.join(', ')} FROM journal WHERE kind = 'batch' ORDER BY lane, lane_sequence`,
    );
    return rows.map((row) => ({
      lane: String(row.lane),
      topic: String(row.topic),
      partition: Number(row.partition),
      lastOffset: Number(row.offset),
      bookingDay: Number(row.booking_day),
      chainedDay: Number(row.chained_day),
      catalogueHash: String(row.catalogue_hash),
      digest: String(row.digest),
      gapReason: String(row.gap_reason) as GapReason | '',
      numbers: Object.fromEntries(BATCH_NUMBERS.map((name) => [name, Number(row[name])])),
    }));
  }

  async stored({ lane, topic, partition, lastOffset, numbers }: BatchRow): Promise<StoredBatch> {
    const log = `lane = ${literal(lane)} AND topic = ${literal(topic)} AND partition = ${partition}`;
    const rows = await this.#rows(
      `SELECT ${STORED_EXPRESSIONS.join(', ')} FROM journal WHERE kind IN ('charge', 'rejection') AND ${log} ` +
        `AND offset BETWEEN ${numbers.first_offset} AND ${lastOffset} ORDER BY offset, kind`,
      readStoredRow,
    );
    const lists = await this.#rows(
      `SELECT ${LISTS} FROM journal WHERE kind = 'batch' AND ${log} AND offset = ${lastOffset} ` +
        `AND lane_sequence = ${numbers.lane_sequence}`,
      readLists,
    );
    return { rows: rows as StoredRow[], lists: lists.flat() };
  }

  async rowCount(): Promise<number> {
    const [{ stored }] = await this.#store.query(`SELECT count() AS stored FROM journal WHERE kind != 'batch'`);
    return Number(stored);
  }

  async catalogue(hash: string): Promise<string> {
    const [row] = await this.#store.query<{ document: string }>(
      `SELECT document FROM catalogues WHERE hash = ${literal(hash)} LIMIT 1`,
    );
    if (row === undefined) throw new Error(`the store has no catalogue ${hash}`);
    return row.document;
  }

  async suspendedAsOf(number: number): Promise<ReadonlySet<string>> {
    const rows = await this.#store.query<{ sponsor: string }>(
      `SELECT sponsor_id AS sponsor FROM suspensions WHERE number <= ${number} ` +
        'GROUP BY sponsor_id HAVING argMax(suspended, number)',
    );
    return new Set(rows.map(({ sponsor }) => sponsor));
  }

  stateBefore({ lane, numbers }: BatchRow, windowRecords: number): LaneState {
    const position = numbers.lane_position;
    return {
      counters: this.#reader.countersBefore(lane, numbers.lane_sequence),
      seen: this.#reader.seen(lane, Math.max(0, position - windowRecords), position),
    };
  }

  async *newestCounters(): AsyncIterable<NewestCounter> {
    const stream = await this.#store.stream(
      'SELECT lower(hex(subscriber)), plan_id, newest.1, newest.2 FROM (' +
        'SELECT subscriber, plan_id, max((toUInt16(period_start), used_octets_after)) AS newest ' +
        "FROM journal WHERE kind = 'charge' GROUP BY subscriber, plan_id, lane) FORMAT RowBinary",
    );
    yield* readRowBinary(stream, (reader) => ({
      subscriber: reader.text(),
      planId: reader.text(),
      periodStart: reader.uint16(),
      usedOctets: reader.uint64(),
    }));
  }

  async #rows<T>(sql: string, read: (reader: RowBinaryReader) => T): Promise<T[]> {
    const rows: T[] = [];
    for await (const row of readRowBinary(await this.#store.stream(`${sql} FORMAT RowBinary`), read)) rows.push(row);
    return rows;
  }
}

/** In the order of LISTS, as `journalBlock` hands them to `batchDigest`. */
function readLists(reader: RowBinaryReader): Uint8Array[] {
  return [
    reader.textArray(),
    reader.textArray(),
    reader.array(8),
    reader.array(8),
    reader.textArray(),
    reader.array(4),
    reader.array(4),
    reader.array(8),
    reader.array(4),
  ];
}
