import { NOT_RECORDED } from '../../src/journal/block-rows.ts';
import { type BookedMove, type LaneHead, type LogCursor, tokenOf } from '../../src/journal/journal.ts';
import { BATCH_NUMBERS, BATCH_TEXTS, type JournalBlock, KINDS } from '../../src/journal/journal-block.ts';
import { StoreError } from '../../src/platform/clickhouse/store.ts';
import { NO_PROOF } from '../../src/platform/kafka/log-record.ts';
import type { LastClosing } from '../../src/rating/catalogue/closed-periods.ts';
import type { TopicPartition } from '../../src/rating/lane.ts';
import type { CounterRow, IdentityRow } from '../../src/rating/restored-columns.ts';
import { type Facts, NO_FACTS } from '../../src/rating/rules.ts';
import { type NativeRow, nativeRows } from './native-rows.ts';

const DAY_MS = 24 * 60 * 60 * 1000;

/** The rows of one insert: one part in ClickHouse, which exists as a whole or not at all. */
export interface Part {
  lane: string;
  topic: string;
  partition: number;
  /** Days since 1970-01-01. */
  bookingDay: number;
  chainedDay: number;
  /** The ClickHouse partition, in which the token is looked up. */
  month: string;
  token: string;
  /** Charge and rejection rows, in the block's order. */
  rows: readonly NativeRow[];
  lastOffset: number;
  numbers: Record<string, number>;
  texts: Record<string, string>;
  outcomes: readonly NativeRow[];
  leakage: readonly NativeRow[];
  furtherQuotas: readonly NativeRow[];
  seenNodes: readonly string[];
  seen: readonly Record<'row' | 'node' | 'sequence' | 'fingerprint', number>[];
}

export interface JournalGuards {
  /** `throwIf` in the statement of the insert. */
  guard: boolean;
  /** `insert_deduplication_token`. */
  token: boolean;
  /** `non_replicated_deduplication_window`: tokens that the table remembers. */
  deduplicationWindow: number;
}

interface InFlight {
  commitsSince: number;
  state: 'arrived' | 'committed';
}

/**
 * The journal of ClickHouse, in memory. An insert arrives, which is when its guard is evaluated, and is committed later,
 * which is when its token is looked up: other inserts may come in between. Reads return what the statements of JournalReader
 * return; a differential test compares both.
 */
export class SimulatedJournal {
  readonly parts: Part[] = [];
  readonly catalogues = new Map<string, string>();
  /** The fact at index i has the number i + 1. */
  readonly suspensionFacts: { sponsorId: string; suspended: boolean }[] = [];
  /** The same; `month` is a month's first day, days since 1970-01-01. */
  readonly closingFacts: ({ sponsorId: string } & LastClosing)[] = [];
  readonly #guards: JournalGuards;
  readonly #tokens: string[] = [];
  readonly #inFlight = new Map<Part, InFlight>();

  constructor(guards: JournalGuards = { guard: true, token: true, deduplicationWindow: 10_000 }) {
    this.#guards = guards;
  }

  /** Evaluates the guard. Throws `batch_fenced` when it does not hold; otherwise `commit` may follow. */
  arrive(block: JournalBlock, deadTokens = 0): Part {
    const { log, laneSequence, prev } = block;
    const isInPlace = this.head(log.lane).sequence === laneSequence - 1 && this.#cursorInLane(log) === prev;
    if (this.#guards.guard && !isInPlace) {
      throw new StoreError('batch_fenced', 'the journal has moved on', { canRetry: true });
    }
    const part = partOf(block, tokenOf(block, deadTokens));
    this.#inFlight.set(part, { commitsSince: 0, state: 'arrived' });
    return part;
  }

  /** Looks up the token, and keeps the part or drops it silently. `fails`: after the token was recorded. */
  commit(part: Part, fails = false): void {
    const flight = this.#inFlight.get(part);
    if (flight === undefined) return;
    this.#inFlight.delete(part);
    const token = `${part.month} ${part.token}`;
    if (this.#guards.token) {
      if (this.#tokens.includes(token)) return;
      this.#tokens.push(token);
      if (this.#tokens.length > this.#guards.deduplicationWindow) this.#forgetOldestToken();
    }
    if (!fails) this.parts.push(part);
    this.#commitOldest();
  }

  /**
   * Drops the oldest token. A token without its insert may be old already when an insert meets it; that insert, too, does
   * not take so long.
   */
  #forgetOldestToken(): void {
    for (const part of this.#inFlight.keys()) if (`${part.month} ${part.token}` === this.#tokens[0]) this.commit(part);
    this.#tokens.shift();
  }

  /**
   * Commits the oldest insert: none stays between its guard and its commit while the whole window of tokens turns over;
   * concurrent inserts count.
   */
  #commitOldest(): void {
    for (const flight of this.#inFlight.values()) flight.commitsSince++;
    for (const [part, { commitsSince }] of this.#inFlight) {
      if (commitsSince + this.#inFlight.size >= this.#guards.deduplicationWindow) this.commit(part);
    }
  }

  digestAt(lane: string, laneSequence: number): string | null {
    return this.#lane(lane).find(({ numbers }) => numbers.lane_sequence === laneSequence)?.texts.digest ?? null;
  }

  head(lane: string): LaneHead {
    const head: LaneHead = { sequence: 0, position: 0, topic: '', bookingDay: 0, publishedThrough: NOT_RECORDED };
    for (const { numbers, topic, bookingDay } of this.#lane(lane)) {
      head.position = Math.max(head.position, numbers.lane_position + numbers.records_read);
      if (numbers.lane_sequence > head.sequence) {
        const publishedThrough = numbers.published_through;
        Object.assign(head, { sequence: numbers.lane_sequence, topic, bookingDay, publishedThrough });
      }
    }
    return head;
  }

  cursor(log: TopicPartition): LogCursor {
    const last = this.#partsOf(log).at(-1);
    return { offset: this.#cursorInLane(log), sourceProof: last?.texts.source_proof ?? NO_PROOF };
  }

  counters(lane: string, fromDay: number, toDay: number): CounterRow[] {
    return this.countersOf(this.#lane(lane), (day) => day >= fromDay && day < toDay);
  }

  countersOf(parts: readonly Part[], isMeant: (periodStart: number) => boolean = () => true): CounterRow[] {
    const counters = new Map<string, CounterRow>();
    for (const row of parts.flatMap(countedOf)) {
      const periodStart = Number(row.period_start);
      if (!isMeant(periodStart)) continue;
      const subscriber = row.subscriber as Uint8Array;
      const [usedOctets, carry] = [Number(row.used_octets_after), Number(row.carry_after)];
      const key = `${hex(subscriber)} ${row.plan_id} ${periodStart}`;
      const known = counters.get(key);
      const isGreater =
        known === undefined ||
        usedOctets > known.usedOctets ||
        (usedOctets === known.usedOctets && carry > known.carry);
      if (isGreater) counters.set(key, { subscriber, planId: String(row.plan_id), periodStart, usedOctets, carry });
    }
    return [...counters.values()];
  }

  seen(lane: string, fromOrdinal: number, toOrdinal: number): IdentityRow[] {
    return this.#lane(lane)
      .flatMap(({ numbers, seen, seenNodes }) =>
        seen.map(({ row, node, sequence, fingerprint }) => ({
          ordinal: numbers.lane_position + row,
          nodeId: seenNodes[node],
          sequence,
          fingerprint,
        })),
      )
      .filter(({ ordinal }) => ordinal >= fromOrdinal && ordinal < toOrdinal)
      .sort((a, b) => a.ordinal - b.ordinal);
  }

  moves(lane: string, after: number, through: number): BookedMove[] {
    const batches = this.#lane(lane)
      .filter(({ numbers }) => numbers.lane_sequence > after && numbers.lane_sequence <= through)
      .sort((a, b) => a.numbers.lane_sequence - b.numbers.lane_sequence);
    const moves = new Map<string, BookedMove>();
    for (const part of batches) {
      const charges = chargesOf(part).toSorted((a, b) => Number(a.offset) - Number(b.offset));
      for (const row of charges) {
        const subscriber = hex(row.subscriber as Uint8Array);
        const [planId, periodStart] = [String(row.plan_id), Number(row.period_start)];
        moves.set(`${subscriber} ${planId} ${periodStart}`, {
          subscriber,
          planId,
          planVersion: Number(row.plan_version),
          periodStart,
          usedOctets: Number(row.used_octets_after),
          topic: part.topic,
          partition: part.partition,
          offset: Number(row.offset),
        });
      }
    }
    for (const part of batches) {
      for (const row of part.furtherQuotas) {
        const move = { subscriber: hex(row.subscriber as Uint8Array), planId: String(row.quota_id) };
        moves.set(`${move.subscriber} ${move.planId} ${row.period_start}`, {
          ...move,
          planVersion: Number(row.quota_version),
          periodStart: Number(row.period_start),
          usedOctets: Number(row.used_octets_after),
          topic: part.topic,
          partition: part.partition,
          offset: Number(row.offset),
        });
      }
    }
    return [...moves.values()];
  }

  facts(): Facts {
    const [suspended, closed] = [this.suspensionFacts.length, this.closingFacts.length];
    return {
      suspensions: { sponsorIds: this.suspendedAsOf(suspended), number: suspended },
      closings: { lastClosed: this.closedAsOf(closed), number: closed },
      campaigns: NO_FACTS.campaigns,
    };
  }

  suspendedAsOf(number: number): Set<string> {
    const sponsorIds = new Set<string>();
    for (const { sponsorId, suspended } of this.suspensionFacts.slice(0, number)) {
      if (suspended) sponsorIds.add(sponsorId);
      else sponsorIds.delete(sponsorId);
    }
    return sponsorIds;
  }

  /** Returns the last closing of each sponsor; a sponsor's months are closed in order. */
  closedAsOf(number: number): Map<string, LastClosing> {
    return new Map(this.closingFacts.slice(0, number).map(({ sponsorId, ...last }) => [sponsorId, last]));
  }

  #cursorInLane(log: TopicPartition): number {
    return Math.max(-1, ...this.#partsOf(log).map(({ lastOffset }) => lastOffset));
  }

  /** Returns parts in the order of their numbers. */
  #partsOf({ lane, topic, partition }: TopicPartition): Part[] {
    return this.#lane(lane)
      .filter((part) => part.topic === topic && part.partition === partition)
      .sort((a, b) => a.numbers.lane_sequence - b.numbers.lane_sequence);
  }

  #lane(lane: string): Part[] {
    return this.parts.filter((part) => part.lane === lane);
  }
}

function chargesOf({ rows }: Part): NativeRow[] {
  return rows.filter(({ kind }) => kind === KINDS.charge);
}

/** Returns what moved counters, of plans and of further quotas, with the names that counters have in rows of charges. */
export function countedOf(part: Part): NativeRow[] {
  const further = part.furtherQuotas.map((row) => ({ ...row, plan_id: row.quota_id, carry_after: 0 }));
  return [...chargesOf(part), ...further];
}

export function hex(octets: Uint8Array): string {
  return Buffer.from(octets).toString('hex');
}

function partOf(block: JournalBlock, token: string): Part {
  const { log, bookingDay, chainedDay } = block;
  const rows = nativeRows(Buffer.concat(block.parts));
  const batches = rows.filter(({ kind }) => kind === KINDS.batch);
  const [batch] = batches;
  if (batches.length !== 1) throw new Error(`${batches.length} batch rows in a block`);
  const numbers = batch.batch_numbers as readonly number[];
  const texts = batch.batch_texts as readonly string[];
  return {
    ...log,
    bookingDay,
    chainedDay,
    month: new Date(chainedDay * DAY_MS).toISOString().slice(0, 7),
    token,
    rows: rows.filter((row) => row !== batch),
    lastOffset: Number(batch.offset),
    numbers: Object.fromEntries(BATCH_NUMBERS.map((name, at) => [name, numbers[at]])),
    texts: Object.fromEntries(BATCH_TEXTS.map((name, at) => [name, texts[at]])),
    outcomes: batch.outcomes as readonly NativeRow[],
    leakage: batch.leakage as readonly NativeRow[],
    furtherQuotas: (batch.further_quotas ?? []) as readonly NativeRow[],
    seenNodes: batch.seen_nodes as readonly string[],
    seen: batch.seen as unknown as Part['seen'],
  };
}
