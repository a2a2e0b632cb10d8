import type { Suspensions } from '../billing/rules.ts';
import { literal, type Store } from '../platform/store.ts';
import type { TopicPartition } from './ports.ts';
import { readRowBinary } from './row-binary.ts';

/** Where a lane stands: the number of its last batch, and the records read in it. Zeros when it is empty. */
export interface LaneHead {
  sequence: number;
  position: number;
}

export interface CounterState {
  /** 16 octets. */
  subscriber: Uint8Array;
  planId: string;
  periodStart: number;
  usedOctets: number;
  carry: number;
}

export interface SeenIdentity {
  /** The record's ordinal in its lane. */
  ordinal: number;
  nodeId: string;
  sequence: number;
  fingerprint: number;
}

/** The last state of a quota counter that a batch moved, as its charge rows say. */
export interface BookedMove {
  /** Pseudonym, 32 hex digits. */
  subscriber: string;
  planId: string;
  planVersion: number;
  periodStart: number;
  usedOctets: number;
  topic: string;
  partition: number;
  offset: number;
}

const DAY = 'toUInt16(period_start)';

/** What the engine reads back from the journal: all that it knows after a start. */
export class JournalReader {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  async head(lane: string): Promise<LaneHead> {
    const [row] = await this.#store.query<{ sequence: number; position: number }>(
      'SELECT max(lane_sequence) AS sequence, max(lane_position + records_read) AS position ' +
        `FROM journal WHERE kind = 'batch' AND lane = ${literal(lane)}`,
    );
    return { sequence: Number(row.sequence), position: Number(row.position) };
  }

  /** The last offset booked of a log; -1 before the first. `max` over nothing would say 0. */
  async cursor({ lane, topic, partition }: TopicPartition): Promise<number> {
    const [row] = await this.#store.query<{ cursor: number }>(
      `SELECT ifNull(maxOrNull(offset), -1) AS cursor FROM journal WHERE kind = 'batch' ` +
        `AND lane = ${literal(lane)} AND topic = ${literal(topic)} AND partition = ${partition}`,
    );
    return Number(row.cursor);
  }

  /**
   * The counters of the periods that begin in [fromDay, toDay). A counter only grows, so its last state is its greatest;
   * at the same use, the greatest carry.
   */
  async *counters(lane: string, fromDay: number, toDay: number): AsyncIterable<CounterState> {
    const stream = await this.#store.stream(
      `SELECT subscriber, plan_id, day, state.1, state.2 FROM (` +
        `SELECT subscriber, plan_id, ${DAY} AS day, max((used_octets_after, carry_after)) AS state ` +
        `FROM journal WHERE kind = 'charge' AND lane = ${literal(lane)} AND day >= ${fromDay} AND day < ${toDay} ` +
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

  /** Identities of the records from this ordinal on, in the order in which they were read. */
  async *seen(lane: string, fromOrdinal: number): AsyncIterable<SeenIdentity> {
    const stream = await this.#store.stream(
      'SELECT lane_position + s.row AS ordinal, seen_nodes[s.node + 1], s.sequence, s.fingerprint ' +
        `FROM (SELECT lane_sequence, lane_position, seen_nodes, seen FROM journal WHERE kind = 'batch' ` +
        `AND lane = ${literal(lane)} AND lane_position + records_read > ${fromOrdinal}) ARRAY JOIN seen AS s ` +
        `WHERE ordinal >= ${fromOrdinal} ORDER BY ordinal FORMAT RowBinary`,
    );
    yield* readRowBinary(stream, (reader) => ({
      ordinal: reader.uint64(),
      nodeId: reader.text(),
      sequence: reader.uint64(),
      fingerprint: reader.uint32(),
    }));
  }

  /** Counters that a batch of the lane moved, with their state after it. */
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

  /** Sponsors suspended now, and the number of the last fact that says so. */
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
