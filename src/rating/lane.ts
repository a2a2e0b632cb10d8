import { AccountTable } from './account-table.ts';
import { finish, mixWord, Names } from './names.ts';
import { CounterTable, PlanPeriods } from './rate.ts';
import type { RestoredCounters, RestoredIdentities } from './restored-columns.ts';
import { PSEUDONYM_WORDS, type PseudonymKey, SubscriberTable } from './subscribers.ts';

/**
 * All that rating remembers from record to record: the open counters, the identities seen, and the small integers that
 * are used for subscribers and nodes. It is a copy of what the journal holds, and can be thrown away at any time.
 */
export class Lane {
  readonly subscribers: SubscriberTable;
  readonly accounts: AccountTable;
  readonly nodes = new Names();
  readonly planPeriods = new PlanPeriods();
  readonly counters = new CounterTable();
  readonly duplicates: DuplicateWindow;
  /** Identities of the earlier generations of the rewritten file that is read now; null for any other log. */
  earlier: DuplicateWindow | null = null;
  #earlierTopic = '';
  /** Records read in this lane up to the end of the last batch. */
  position = 0;

  constructor(options: { pseudonymKey: PseudonymKey; duplicateWindowRecords: number }) {
    const { pseudonymKey } = options;
    this.subscribers = new SubscriberTable((msisdn) => pseudonymKey.pseudonymOf(msisdn));
    this.accounts = new AccountTable((accountId) => pseudonymKey.pseudonymOfAccount(accountId), this.subscribers);
    this.duplicates = new DuplicateWindow(options.duplicateWindowRecords);
  }

  async restoreCounters(chunks: AsyncIterable<RestoredCounters>): Promise<void> {
    const [knownCounters, knownSubscribers] = [this.counters.count, this.subscribers.count];
    for await (const chunk of chunks) {
      const { count, subscriber, plan, planIds, periodStart, usedOctets, carry, about } = chunk;
      this.counters.reserve(knownCounters + about.counters);
      this.subscribers.reserve(knownSubscribers + about.subscribers);
      for (let at = 0; at < count; at++) {
        const planPeriod = this.planPeriods.numberOf(planIds[plan[at]], periodStart[at]);
        const counter = this.counters.open(
          this.subscribers.ofPseudonymWords(subscriber, at * PSEUDONYM_WORDS),
          planPeriod,
        );
        this.counters.set(counter, usedOctets[at], carry[at]);
      }
    }
  }

  /** Before records of a log: reads the identities of the earlier generations of a rewritten file. */
  async recallEarlier(topic: string, read: () => AsyncIterable<RestoredIdentities>): Promise<void> {
    if (topic === this.#earlierTopic) return;
    this.earlier = rewrittenName(topic) === null ? null : await this.#identitiesOf(read());
    this.#earlierTopic = topic;
  }

  async #identitiesOf(chunks: AsyncIterable<RestoredIdentities>): Promise<DuplicateWindow> {
    const all: RestoredIdentities[] = [];
    for await (const chunk of chunks) all.push(chunk);
    const known = new DuplicateWindow(
      Math.max(
        1,
        all.reduce((sum, { count }) => sum + count, 0),
      ),
    );
    let ordinal = 0;
    for (const { count, node, nodeIds, sequence, fingerprint } of all) {
      for (let at = 0; at < count; at++) {
        known.see(ordinal++, this.nodes.numberOf(nodeIds[node[at]]), sequence[at], fingerprint[at]);
      }
    }
    return known;
  }

  /** In the order in which they were read, those of ordinals from `fromOrdinal` to the lane's position. */
  async restoreIdentities(chunks: AsyncIterable<RestoredIdentities>, fromOrdinal: number): Promise<void> {
    this.duplicates.reserve(fromOrdinal, this.position);
    for await (const { count, ordinal, node, nodeIds, sequence, fingerprint } of chunks) {
      for (let at = 0; at < count; at++) {
        this.duplicates.see(ordinal[at], this.nodes.numberOf(nodeIds[node[at]]), sequence[at], fingerprint[at]);
      }
    }
  }
}

/** A log: a Kafka topic-partition, or one file. `lane` names what shares counters and a chain of batches. */
export interface TopicPartition {
  topic: string;
  partition: number;
  /** Kafka: `topic-partition`. Files: one lane for all files of a store, as a subscriber's month spans many of them. */
  lane: string;
}

/** What the topics of corrected records begin with. No topic of Kafka and no file's has a slash in its name. */
export const RECYCLED = 'recycled/';

/**
 * The name of the file that this topic is a later generation of, as in `name~1a2b3c4d~2`; null for any other. What logs of that
 * name had before is in the file again, so it is recognised however long ago it was booked.
 */
export function rewrittenName(topic: string): string | null {
  return /^(.*)~[0-9a-f]{8}~\d+$/.exec(topic)?.[1] ?? null;
}

/** The log that the corrected records of a recycling are booked under; partition and offsets are those of the rejections. */
export function recycledTopic(number: number, topic: string): string {
  return `${RECYCLED}${number}/${topic}`;
}

/** Returns the number of the recycling whose log a topic is; null for any other. */
export function recyclingOf(topic: string): number | null {
  const digits = /^recycled\/(\d+)\//.exec(topic)?.[1];
  return digits === undefined ? null : Number(digits);
}

const NOTHING = 0xffffffff;
/** Slots that lie in one line of the processor's cache. */
const LINE = 16;
/** From slot to slot where they are taken: into the next line, and by an odd step into every slot in the end. */
const STEP = LINE + 1;
/** Of a window that has just begun. */
const FIRST_PLACES = 512;
/** Times STEP it is 1, modulo 2^32. */
const STEPS_BACK = 0xf0f0f0f1;

export type Seen = 'new' | 'duplicate' | 'conflict';

/**
 * The identities of the last `size` records of a lane: a ring by the record's ordinal in the lane, and an index into it.
 * An identity is forgotten exactly `size` records later, however the lane was cut into batches. About 24 bytes a record.
 *
 * Ring and index begin small and double as records come, up to `size`: a lane that has read little takes little.
 *
 * A node's consecutive numbers have neighbouring slots in the index: they come one after the other, and find the memory of
 * the one before still in the processor's cache.
 */
export class DuplicateWindow {
  readonly size: number;
  /** Places of the ring, at most `size`. */
  #places: number;
  /** The first ordinal that the ring has had; -1 before there was one. */
  #firstOrdinal = -1;
  /** From this ordinal on the ring has to grow; infinite once it has `size` places. */
  #growsAt = 0;
  #nodes: Uint32Array;
  #sequences: Float64Array;
  #fingerprints: Uint32Array;
  #index: Uint32Array; // ring place + 1; 0 is free

  constructor(size: number, firstPlaces = FIRST_PLACES) {
    this.size = size;
    this.#places = Math.min(size, firstPlaces);
    this.#nodes = new Uint32Array(this.#places).fill(NOTHING);
    this.#sequences = new Float64Array(this.#places);
    this.#fingerprints = new Uint32Array(this.#places);
    this.#index = indexFor(this.#places);
  }

  /** Memory of ring and index. */
  get bytes(): number {
    const { byteLength } = this.#index;
    return this.#nodes.byteLength + this.#sequences.byteLength + this.#fingerprints.byteLength + byteLength;
  }

  /** Makes room for the ordinals [from, to) at once, before any other: what is restored need not grow step by step. */
  reserve(from: number, to: number): void {
    if (this.#firstOrdinal >= 0 || to <= from) return;
    this.#firstOrdinal = from;
    this.#growFor(to - 1);
  }

  /** Makes room for the record with this ordinal: every ordinal has to be announced, whatever becomes of its record. */
  advance(ordinal: number): void {
    if (ordinal >= this.#growsAt) this.#growFor(ordinal);
    const place = ordinal % this.#places;
    if (this.#nodes[place] === NOTHING) return;
    this.#unlink(this.#slotOf(this.#nodes[place], this.#sequences[place]));
    this.#nodes[place] = NOTHING;
  }

  /** Takes back what `see` has noted of the record with this ordinal: its identity may be claimed again. */
  forget(ordinal: number): void {
    this.advance(ordinal);
  }

  /** Has this identity been seen? It is not from now on. */
  find(node: number, sequence: number, fingerprint: number): Seen {
    const entry = this.#index[this.#slotOf(node, sequence)];
    if (entry === 0) return 'new';
    return this.#fingerprints[entry - 1] === fingerprint ? 'duplicate' : 'conflict';
  }

  /** Has this identity been seen? If not it is from now on. */
  see(ordinal: number, node: number, sequence: number, fingerprint: number): Seen {
    if (ordinal >= this.#growsAt) this.#growFor(ordinal);
    const slot = this.#slotOf(node, sequence);
    if (this.#index[slot] !== 0) {
      return this.#fingerprints[this.#index[slot] - 1] === fingerprint ? 'duplicate' : 'conflict';
    }
    const place = ordinal % this.#places;
    if (this.#nodes[place] !== NOTHING) throw new Error(`ordinal ${ordinal} was not announced`);
    this.#nodes[place] = node;
    this.#sequences[place] = sequence;
    this.#fingerprints[place] = fingerprint;
    this.#index[slot] = place + 1;
    return 'new';
  }

  /** A ring that is smaller than `size` has forgotten nothing yet: all that it has had moves to its place in the larger one. */
  #growFor(ordinal: number): void {
    if (this.#firstOrdinal < 0) this.#firstOrdinal = ordinal;
    const [places, nodes, sequences, fingerprints] = [this.#places, this.#nodes, this.#sequences, this.#fingerprints];
    const wanted = ordinal - this.#firstOrdinal + 1;
    let larger = places;
    while (larger < wanted && larger < this.size) larger *= 2;
    this.#places = Math.min(larger, this.size);
    this.#growsAt = this.#places === this.size ? Number.POSITIVE_INFINITY : this.#firstOrdinal + this.#places;
    if (this.#places === places) return;
    this.#nodes = new Uint32Array(this.#places).fill(NOTHING);
    this.#sequences = new Float64Array(this.#places);
    this.#fingerprints = new Uint32Array(this.#places);
    this.#index = indexFor(this.#places);
    for (let moved = this.#firstOrdinal; moved < this.#firstOrdinal + places; moved++) {
      const from = moved % places;
      if (nodes[from] === NOTHING) continue;
      const to = moved % this.#places;
      this.#nodes[to] = nodes[from];
      this.#sequences[to] = sequences[from];
      this.#fingerprints[to] = fingerprints[from];
      this.#index[this.#slotOf(nodes[from], sequences[from])] = to + 1;
    }
  }

  #home(node: number, sequence: number): number {
    const line = Math.floor(sequence / LINE);
    const hash = finish(mixWord(mixWord(mixWord(0, node), line | 0), Math.floor(line / 2 ** 32)));
    return ((hash << 4) | (sequence & (LINE - 1))) & (this.#index.length - 1);
  }

  #slotOf(node: number, sequence: number): number {
    const mask = this.#index.length - 1;
    let slot = this.#home(node, sequence);
    while (this.#index[slot] !== 0) {
      const place = this.#index[slot] - 1;
      if (this.#nodes[place] === node && this.#sequences[place] === sequence) break;
      slot = (slot + STEP) & mask;
    }
    return slot;
  }

  /** Frees a slot and moves back the ones that were pushed past it (Knuth, TAOCP 6.4, algorithm R). */
  #unlink(freed: number): void {
    const mask = this.#index.length - 1;
    let hole = freed;
    this.#index[hole] = 0;
    for (let slot = (hole + STEP) & mask; this.#index[slot] !== 0; slot = (slot + STEP) & mask) {
      const place = this.#index[slot] - 1;
      const home = this.#home(this.#nodes[place], this.#sequences[place]);
      const reachable = stepsBetween(home, slot, mask) >= stepsBetween(hole, slot, mask);
      if (!reachable) continue;
      this.#index[hole] = place + 1;
      this.#index[slot] = 0;
      hole = slot;
    }
  }
}

function indexFor(places: number): Uint32Array {
  return new Uint32Array(2 ** Math.ceil(Math.log2(Math.max(2, places * 2))));
}

function stepsBetween(from: number, to: number, mask: number): number {
  return Math.imul(to - from, STEPS_BACK) & mask;
}
