import type { RestoredCounter, RestoredIdentity } from '../billing/lane.ts';
import type { Suspensions } from '../billing/rules.ts';
import { RECYCLED, type TopicPartition } from '../billing/topic-partition.ts';
import { literal, type Store } from '../platform/store.ts';
import type { BookedMove, Journal, LaneHead } from './journal.ts';
import { readRowBinary } from './row-binary.ts';

const DAY = 'toUInt16(period_start)';

/** What the engine reads back from the journal: all that it knows after a start. */
export class JournalReader implements Omit<Journal, 'insert' | 'keepCatalogue'> {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  async digestAt(lane: string, laneSequence: number): Promise<string | null> {
    const [row] = await this.#store.query<{ digest: string }>(
      `SELECT digest FROM journal WHERE kind = 'batch' AND lane = ${literal(lane)} AND lane_sequence = ${laneSequence}`,
    );
    return row?.digest ?? null;
  }

  async head(lane: string): Promise<LaneHead> {
    const [row] = await this.#store.query<Record<'sequence' | 'position' | 'topic' | 'day', string | number>>(
      'SELECT max(lane_sequence) AS sequence, max(lane_position + records_read) AS position, ' +
        // A mended record's log is none that a source reads: it says nothing of how the source's own was named last.
        `argMaxIf(topic, lane_sequence, NOT startsWith(topic, '${RECYCLED}')) AS topic, ` +
        'toUInt16(argMax(booking_date, lane_sequence)) AS day ' +
        `FROM journal WHERE kind = 'batch' AND lane = ${literal(lane)}`,
    );
    return {
      sequence: Number(row.sequence),
      position: Number(row.position),
      topic: String(row.topic),
      bookingDay: Number(row.day),
    };
  }

  /** `max` over nothing would say 0. */
  async cursor({ lane, topic, partition }: TopicPartition): Promise<number> {
    const [row] = await this.#store.query<{ cursor: number }>(
      `SELECT ifNull(maxOrNull(offset), -1) AS cursor FROM journal WHERE kind = 'batch' ` +
        `AND lane = ${literal(lane)} AND topic = ${literal(topic)} AND partition = ${partition}`,
    );
    return Number(row.cursor);
  }

  /**
   * A counter only grows, so its last state is its greatest;
   * at the same use, the greatest carry.
   */
  async *counters(lane: string, fromDay: number, toDay: number): AsyncIterable<RestoredCounter> {
    yield* this.#countersWhere(lane, `day >= ${fromDay} AND day < ${toDay}`);
  }

  /** All counters of a lane as they were before the batch of this number. */
  async *countersBefore(lane: string, laneSequence: number): AsyncIterable<RestoredCounter> {
    const cursors =
      `SELECT topic, partition, max(offset) AS last FROM journal WHERE kind = 'batch' AND lane = ${literal(lane)} ` +
      `AND lane_sequence < ${laneSequence} GROUP BY topic, partition`;
    yield* this.#countersWhere(lane, 'offset <= last', `INNER JOIN (${cursors}) AS cursors USING (topic, partition)`);
  }

  async *#countersWhere(lane: string, condition: string, join = ''): AsyncIterable<RestoredCounter> {
    const stream = await this.#store.stream(
      `SELECT subscriber, plan_id, day, state.1, state.2 FROM (` +
        `SELECT subscriber, plan_id, ${DAY} AS day, max((used_octets_after, carry_after)) AS state ` +
        `FROM journal ${join} WHERE kind = 'charge' AND lane = ${literal(lane)} AND ${condition} ` +
        'GROUP BY subscriber, plan_id, day) FORMAT RowBinary',
    );
    yield* readRowBinary(stream, (reader) => ({
      subscriber: reader.octets(16),
      planId: reader.text(),
      periodStart: reader.uint16(),
      usedOctets: reader.uint64(),
      carry: reader.uint16(),
    }));
  }

  async *seen(lane: string, fromOrdinal: number, toOrdinal: number): AsyncIterable<RestoredIdentity> {
    const stream = await this.#store.stream(
      'SELECT lane_position + s.row AS ordinal, seen_nodes[s.node + 1], s.sequence, s.fingerprint ' +
        `FROM (SELECT lane_sequence, lane_position, seen_nodes, seen FROM journal WHERE kind = 'batch' ` +
        `AND lane = ${literal(lane)} AND lane_position + records_read > ${fromOrdinal}) ARRAY JOIN seen AS s ` +
        `WHERE ordinal >= ${fromOrdinal} AND ordinal < ${toOrdinal} ORDER BY ordinal FORMAT RowBinary`,
    );
    yield* readRowBinary(stream, (reader) => ({
      ordinal: reader.uint64(),
      nodeId: reader.text(),
      sequence: reader.uint64(),
      fingerprint: reader.uint32(),
    }));
  }

  async moves(lane: string, sequence: number): Promise<BookedMove[]> {
    const [batch] = await this.#store.query<{ topic: string; partition: number; first: number; last: number }>(
      `SELECT topic, partition, first_offset AS first, offset AS last FROM journal WHERE kind = 'batch' ` +
        `AND lane = ${literal(lane)} AND lane_sequence = ${sequence}`,
    );
    const { topic, partition } = batch;
    // No alias has the name of a column: ClickHouse would put it in the column's place everywhere.
    const rows = await this.#store.query<{
      who: string;
      plan: string;
      version: number;
      day: number;
      used: number;
      last: number;
    }>(
      'SELECT lower(hex(subscriber)) AS who, plan_id AS plan, argMax(plan_version, offset) AS version, ' +
        `${DAY} AS day, max(used_octets_after) AS used, max(offset) AS last ` +
        `FROM journal WHERE kind = 'charge' AND lane = ${literal(lane)} AND topic = ${literal(topic)} ` +
        `AND partition = ${partition} AND offset BETWEEN ${batch.first} AND ${batch.last} ` +
        'GROUP BY subscriber, plan, day ORDER BY last',
    );
    return rows.map(({ who, plan, version, day, used, last }) => ({
      subscriber: who,
      planId: plan,
      planVersion: version,
      periodStart: day,
      usedOctets: Number(used),
      offset: Number(last),
      topic,
      partition,
    }));
  }

  async suspensions(): Promise<Suspensions> {
    const rows = await this.#store.query<{ sponsor: string; suspended: boolean; last: number }>(
      'SELECT sponsor_id AS sponsor, argMax(suspended, number) AS suspended, max(number) AS last ' +
        'FROM suspensions GROUP BY sponsor_id',
    );
    return {
      sponsorIds: new Set(rows.filter(({ suspended }) => suspended).map(({ sponsor }) => sponsor)),
      number: Math.max(0, ...rows.map(({ last }) => Number(last))),
    };
  }
}
