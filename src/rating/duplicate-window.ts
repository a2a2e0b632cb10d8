import { finish, mixWord } from './record/fingerprint.ts';

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
