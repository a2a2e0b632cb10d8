import { buffer } from 'node:stream/consumers';
import { followingTextColumn, nativeBlock, stringColumn, structureOf } from '../platform/clickhouse/native-block.ts';
import { type NativeBlockReader, readNative } from '../platform/clickhouse/native-columns.ts';
import { guarded, literal, type Store } from '../platform/clickhouse/store.ts';
import { readSuspensionFacts } from '../platform/clickhouse/suspension-facts.ts';
import { RECYCLED, rewrittenName, type TopicPartition } from '../rating/lane.ts';
import type { PreparedCatalogue } from '../rating/prepared-catalogue.ts';
import type { RestoredCounters, RestoredIdentities } from '../rating/restored-columns.ts';
import type { Facts } from '../rating/rules.ts';
import { PSEUDONYM_WORDS } from '../rating/subscribers.ts';
import { NOT_RECORDED } from './block-rows.ts';
import { CampaignFactReader } from './campaign-facts.ts';
import { type BookedMove, insertStatement, type Journal, type LaneHead, type LogCursor } from './journal.ts';
import type { JournalBlock } from './journal-block.ts';
import { readLastClosings } from './last-closings.ts';

const DAY = 'toUInt16(period_start)';
const SEEN =
  'toFloat64(lane_position), seen_nodes, seen.row, seen.node, arrayMap(n -> toFloat64(n), seen.sequence), seen.fingerprint';

/** What one query gives, about. ClickHouse may be in this process: its memory is then what the engine has, too. */
export interface ReadAtOnce {
  counters: number;
  records: number;
}

/** Some 200 MiB in ClickHouse, and 30 as a result. */
const AT_ONCE: ReadAtOnce = { counters: 500_000, records: 1_000_000 };

/** What the engine reads back from the journal: all that it knows after a start. */
export class JournalReader implements Omit<Journal, 'insert' | 'keepCatalogue'> {
  readonly #store: Store;
  readonly #atOnce: ReadAtOnce;
  readonly #campaignFacts: CampaignFactReader;

  constructor(store: Store, atOnce = AT_ONCE) {
    this.#store = store;
    this.#campaignFacts = new CampaignFactReader(store);
    this.#atOnce = atOnce;
  }

  async digestAt(lane: string, laneSequence: number): Promise<string | null> {
    const [row] = await this.#store.query<{ digest: string }>(
      `SELECT digest FROM journal WHERE kind = 'batch' AND lane = ${literal(lane)} AND lane_sequence = ${laneSequence}`,
    );
    return row?.digest ?? null;
  }

  async head(lane: string): Promise<LaneHead> {
    const [row] = await this.#store.query<
      Record<'sequence' | 'position' | 'topic' | 'day' | 'published', string | number>
    >(
      'SELECT max(lane_sequence) AS sequence, max(lane_position + records_read) AS position, ' +
        // A corrected record's log is none that a source reads: it says nothing of how the source's own was named last.
        `argMaxIf(topic, lane_sequence, NOT startsWith(topic, '${RECYCLED}')) AS topic, ` +
        'toUInt16(argMax(booking_date, lane_sequence)) AS day, ' +
        'argMax(published_through, lane_sequence) AS published ' +
        `FROM journal WHERE kind = 'batch' AND lane = ${literal(lane)}`,
    );
    return {
      sequence: Number(row.sequence),
      position: Number(row.position),
      topic: String(row.topic),
      bookingDay: Number(row.day),
      publishedThrough: Number(row.sequence) === 0 ? NOT_RECORDED : Number(row.published),
    };
  }

  /** `max` over nothing would say 0. */
  async cursor({ lane, topic, partition }: TopicPartition): Promise<LogCursor> {
    const [row] = await this.#store.query<{ cursor: number; proof: string }>(
      `SELECT ifNull(maxOrNull(offset), -1) AS cursor, argMax(source_proof, lane_sequence) AS proof FROM journal ` +
        `WHERE kind = 'batch' AND lane = ${literal(lane)} AND topic = ${literal(topic)} AND partition = ${partition}`,
    );
    return { offset: Number(row.cursor), sourceProof: row.proof };
  }

  async *counters(lane: string, fromDay: number, toDay: number): AsyncIterable<RestoredCounters> {
    const condition = `${DAY} >= ${fromDay} AND ${DAY} < ${toDay}`;
    yield* this.#countersWhere([
      `FROM journal WHERE kind = 'charge' AND lane = ${literal(lane)} AND ${condition}`,
      `${furtherMoves(lane)} AND ${condition}`,
    ]);
  }

  /** All counters of a lane as they were before the batch of this number. */
  async *countersBefore(lane: string, laneSequence: number): AsyncIterable<RestoredCounters> {
    const cursors =
      `SELECT topic, partition, max(offset) AS last FROM journal WHERE kind = 'batch' AND lane = ${literal(lane)} ` +
      `AND lane_sequence < ${laneSequence} GROUP BY topic, partition`;
    yield* this.#countersWhere([
      `FROM journal INNER JOIN (${cursors}) AS cursors USING (topic, partition) ` +
        `WHERE kind = 'charge' AND lane = ${literal(lane)} AND offset <= last`,
      `${furtherMoves(lane)} AND lane_sequence < ${laneSequence}`,
    ]);
  }

  /**
   * Reads the counters of plans from the rows of charges, and those of further quotas from the moves of batches.
   *
   * A counter only grows, so its last state is its greatest; at the same use, the greatest carry. Both are one number: the
   * state of an aggregation over a tuple is many times as large.
   */
  async *#countersWhere(sources: readonly string[]): AsyncIterable<RestoredCounters> {
    const counts: number[] = [];
    const about = { counters: 0, subscribers: 0 };
    for (const source of sources) {
      const [row] = await this.#store.query<Record<'counters' | 'subscribers', string | number>>(
        `SELECT uniq(subscriber, plan_id, period_start) AS counters, uniq(subscriber) AS subscribers ${source}`,
      );
      counts.push(Number(row.counters));
      about.counters += Number(row.counters);
      // Whom a further quota counts, a plan counts, too; an account's pseudonym is one more.
      about.subscribers = Math.max(about.subscribers, Number(row.subscribers));
    }
    for (const [at, source] of sources.entries()) {
      const slices = Math.ceil(counts[at] / this.#atOnce.counters);
      for (let slice = 0; slice < slices; slice++) {
        yield* this.#read(
          'SELECT subscriber, plan_id, day, toFloat64(bitShiftRight(state, 16)), toUInt16(bitAnd(state, 65535)) FROM (' +
            `SELECT subscriber, plan_id, ${DAY} AS day, ` +
            'max(bitOr(bitShiftLeft(toUInt128(used_octets_after), 16), toUInt128(carry_after))) AS state ' +
            `${source} AND ${pseudonymsOf(slice, slices)} GROUP BY subscriber, plan_id, day)`,
          (block) => readCounters(block, about),
        );
      }
    }
  }

  /** A batch's identities stay together as they are stored: one by one, each would take the names of all nodes with it. */
  async *seen(lane: string, fromOrdinal: number, toOrdinal: number): AsyncIterable<RestoredIdentities> {
    const { records } = this.#atOnce;
    for (let from = fromOrdinal; from < toOrdinal; from += records) {
      const to = Math.min(from + records, toOrdinal);
      const blocks = this.#read(
        `SELECT ${SEEN} FROM journal WHERE kind = 'batch' AND lane = ${literal(lane)} ` +
          `AND lane_position + records_read > ${from} AND lane_position < ${to} ORDER BY lane_sequence`,
        readIdentities,
      );
      for await (const batches of blocks) for (const batch of batches) yield within(batch, from, to);
    }
  }

  async *seenByEarlier(lane: string, topic: string, beforeSequence: number): AsyncIterable<RestoredIdentities> {
    const blocks = this.#read(
      `SELECT ${SEEN} FROM journal WHERE kind = 'batch' AND lane = ${literal(lane)} AND topic != ${literal(topic)} ` +
        `AND lane_sequence < ${beforeSequence} ` +
        `AND replaceRegexpOne(topic, '~[0-9a-f]{8}(~[0-9]+)?$', '') = ${literal(rewrittenName(topic) ?? '')} ` +
        'ORDER BY lane_sequence',
      readIdentities,
    );
    for await (const batches of blocks) for (const batch of batches) yield within(batch, 0, Number.MAX_SAFE_INTEGER);
  }

  /** The whole result is in memory at once, as it is in a ClickHouse in this process anyway. */
  async *#read<T>(sql: string, read: (block: NativeBlockReader) => T): AsyncIterable<T> {
    yield* readNative(await guarded(async () => buffer(await this.#store.stream(sql, 'Native'))), read);
  }

  /** Of each log, those batches are the last ones up to some offset: the charges of all of them are read at once. */
  async moves(lane: string, after: number, through: number): Promise<BookedMove[]> {
    const logs = await this.#store.query<{ topic: string; partition: number; first: number; last: number }>(
      `SELECT topic, partition, min(first_offset) AS first, max(offset) AS last FROM journal WHERE kind = 'batch' ` +
        `AND lane = ${literal(lane)} AND lane_sequence > ${after} AND lane_sequence <= ${through} ` +
        'GROUP BY topic, partition ORDER BY max(lane_sequence)',
    );
    const newest = new Map<string, BookedMove>();
    for (const log of logs) {
      for (const move of await this.#movesOf(lane, log)) {
        const key = `${move.subscriber} ${move.periodStart} ${move.planId}`;
        // A counter only grows.
        if (move.usedOctets >= (newest.get(key)?.usedOctets ?? 0)) newest.set(key, move);
      }
    }
    return [...newest.values(), ...(await this.#furtherMoves(lane, after, through))];
  }

  async #furtherMoves(lane: string, after: number, through: number): Promise<BookedMove[]> {
    const rows = await this.#store.query<Record<'who' | 'quota' | 'log', string> & Record<string, number>>(
      'SELECT lower(hex(subscriber)) AS who, plan_id AS quota, ' +
        `${DAY} AS day, max(used_octets_after) AS used, argMax(quota_version, lane_sequence) AS version, ` +
        'argMax(topic, lane_sequence) AS log, argMax(partition, lane_sequence) AS part, argMax(moved_by, lane_sequence) AS at ' +
        `${furtherMoves(lane)} AND lane_sequence > ${after} AND lane_sequence <= ${through} ` +
        'GROUP BY subscriber, quota, day ORDER BY max(lane_sequence), at',
    );
    return rows.map(({ who, quota, version, day, used, log, part, at }) => ({
      subscriber: who,
      planId: quota,
      planVersion: version,
      periodStart: day,
      usedOctets: Number(used),
      topic: log,
      partition: part,
      offset: Number(at),
    }));
  }

  async #movesOf(
    lane: string,
    { topic, partition, first, last }: { topic: string; partition: number; first: number; last: number },
  ): Promise<BookedMove[]> {
    // No alias has the name of a column: ClickHouse would put it in the column's place everywhere.
    const rows = await this.#store.query<{
      who: string;
      plan: string;
      version: number;
      day: number;
      used: number;
      at: number;
    }>(
      'SELECT lower(hex(subscriber)) AS who, plan_id AS plan, argMax(plan_version, offset) AS version, ' +
        `${DAY} AS day, max(used_octets_after) AS used, max(offset) AS at ` +
        `FROM journal WHERE kind = 'charge' AND lane = ${literal(lane)} AND topic = ${literal(topic)} ` +
        `AND partition = ${partition} AND offset BETWEEN ${first} AND ${last} ` +
        'GROUP BY subscriber, plan, day ORDER BY at',
    );
    return rows.map(({ who, plan, version, day, used, at }) => ({
      subscriber: who,
      planId: plan,
      planVersion: version,
      periodStart: day,
      usedOctets: Number(used),
      offset: Number(at),
      topic,
      partition,
    }));
  }

  async facts(): Promise<Facts> {
    const [suspensions, closings, campaigns] = await Promise.all([
      readSuspensionFacts(this.#store),
      readLastClosings(this.#store),
      this.#campaignFacts.now(),
    ]);
    return { suspensions, closings, campaigns };
  }
}

/** In SQL: a lane's moves of further quotas, with the columns that counters have in rows of charges. */
function furtherMoves(lane: string): string {
  return (
    'FROM (SELECT lane_sequence, topic, partition, moved.subscriber AS subscriber, toLowCardinality(moved.quota_id) AS plan_id, ' +
    'moved.quota_version AS quota_version, moved.period_start AS period_start, ' +
    'moved.used_octets_after AS used_octets_after, 0 AS carry_after, moved.offset AS moved_by ' +
    `FROM journal ARRAY JOIN further_quotas AS moved WHERE kind = 'batch' AND lane = ${literal(lane)}) WHERE true`
  );
}

/** Pseudonyms are as good as random: those between two beginnings of two octets are a slice of about the same size. */
function pseudonymsOf(slice: number, slices: number): string {
  const bound = (at: number) =>
    `toFixedString(unhex('${Math.floor((at * 65_536) / slices)
      .toString(16)
      .padStart(4, '0')}'), 16)`;
  const end = slice + 1 < slices ? ` AND subscriber < ${bound(slice + 1)}` : '';
  return `subscriber >= ${bound(slice)}${end}`;
}

/** Subscriber, plan, first day, use and carry, as ClickHouse's Native format has them. */
function readCounters(block: NativeBlockReader, about: RestoredCounters['about']): RestoredCounters {
  const subscriber = block.fixedString(PSEUDONYM_WORDS);
  const { texts: planIds, keys: plan } = block.fewTexts();
  const [periodStart, usedOctets, carry] = [block.uint16(), block.float64(), block.uint16()];
  return { count: block.rows, subscriber, plan, planIds, periodStart, usedOctets, carry, about };
}

/** Of each batch: its first ordinal, its nodes, and of each identity the row, the node, the number and the fingerprint. */
function readIdentities(block: NativeBlockReader): RestoredIdentities[] {
  const position = block.float64();
  const nodes = block.arraysOfTexts();
  const [row, node] = [block.arraysOfUint32(), block.arraysOfUint32()];
  const [sequence, fingerprint] = [block.arraysOfFloat64(), block.arraysOfUint32()];
  return Array.from({ length: block.rows }, (_, at) => {
    const [start, end] = [row.ends[at - 1] ?? 0, row.ends[at]];
    return {
      count: end - start,
      ordinal: Float64Array.from(row.elements.subarray(start, end), (place) => position[at] + place),
      node: node.elements.subarray(start, end),
      nodeIds: nodes.elements.slice(nodes.ends[at - 1] ?? 0, nodes.ends[at]),
      sequence: sequence.elements.subarray(start, end),
      fingerprint: fingerprint.elements.subarray(start, end),
    };
  });
}

/** Those with ordinals in [from, to), which are ascending. */
function within(identities: RestoredIdentities, from: number, to: number): RestoredIdentities {
  const { ordinal, node, sequence, fingerprint } = identities;
  const placeOf = (bound: number) => {
    const place = ordinal.findIndex((value) => value >= bound);
    return place < 0 ? ordinal.length : place;
  };
  const [start, end] = [placeOf(from), placeOf(to)];
  return {
    ...identities,
    count: end - start,
    ordinal: ordinal.subarray(start, end),
    node: node.subarray(start, end),
    sequence: sequence.subarray(start, end),
    fingerprint: fingerprint.subarray(start, end),
  };
}

/** The journal in ClickHouse, embedded or on a server. */
export class ClickHouseJournal extends JournalReader implements Journal {
  readonly #store: Store;

  constructor(store: Store) {
    super(store);
    this.#store = store;
  }

  insert(block: JournalBlock, deadTokens = 0): Promise<void> {
    const { columns, parts } = block;
    return this.#store.insertBlock((source) => insertStatement(block, source, deadTokens), structureOf(columns), parts);
  }

  async keepCatalogue({ hash, document }: Pick<PreparedCatalogue, 'hash' | 'document'>): Promise<void> {
    const known = await this.#store.query(`SELECT 1 FROM catalogues WHERE hash = ${literal(hash)} LIMIT 1`);
    if (known.length > 0) return;
    // A block and not a literal: a catalogue with a million prefixes is longer than a statement may be.
    const columns = [stringColumn('hash', [hash]), followingTextColumn('document', document)];
    await this.#store.insertBlock(
      (source) => `INSERT INTO catalogues (hash, document) SELECT hash, document FROM ${source}`,
      structureOf(columns),
      [...nativeBlock(1, columns), document],
    );
  }
}
