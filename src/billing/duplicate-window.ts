import { finish, mixWord } from './fingerprint.ts';

const NOTHING = 0xffffffff;
/** Slots that lie in one line of the processor's cache. */
const LINE = 16;
/** From slot to slot where they are taken: into the next line, and by an odd step into every slot in the end. */
const STEP = LINE + 1;
/** Times STEP it is 1, modulo 2^32. */
const STEPS_BACK = 0xf0f0f0f1;

export type Seen = 'new' | 'duplicate' | 'conflict';

/**
 * The identities of the last `size` records of a lane: a ring by the record's ordinal in the lane, and an index into it.
 * An identity is forgotten exactly `size` records later, however the lane was cut into batches. About 24 octets a record.
 *
 * A node's consecutive numbers have neighbouring slots in the index: they come one after the other, and find the memory of
 * the one before still at hand.
 */
export class DuplicateWindow {
  readonly size: number;
  readonly #nodes: Uint32Array;
  readonly #sequences: Float64Array;
  readonly #fingerprints: Uint32Array;
  readonly #index: Uint32Array; // ring place + 1; 0 is free

  constructor(size: number) {
    this.size = size;
    this.#nodes = new Uint32Array(size).fill(NOTHING);
    this.#sequences = new Float64Array(size);
    this.#fingerprints = new Uint32Array(size);
    this.#index = new Uint32Array(2 ** Math.ceil(Math.log2(Math.max(2, size * 2))));
  }

  /** Makes room for the record with this ordinal: every ordinal has to be announced, whatever becomes of its record. */
  advance(ordinal: number): void {
    const place = ordinal % this.size;
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
    const slot = this.#slotOf(node, sequence);
    if (this.#index[slot] !== 0) {
      return this.#fingerprints[this.#index[slot] - 1] === fingerprint ? 'duplicate' : 'conflict';
    }
    const place = ordinal % this.size;
    if (this.#nodes[place] !== NOTHING) throw new Error(`ordinal ${ordinal} was not announced`);
    this.#nodes[place] = node;
    this.#sequences[place] = sequence;
    this.#fingerprints[place] = fingerprint;
    this.#index[slot] = place + 1;
    return 'new';
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

function stepsBetween(from: number, to: number, mask: number): number {
  return Math.imul(to - from, STEPS_BACK) & mask;
}
