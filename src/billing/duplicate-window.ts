import { finish, mixWord } from './fingerprint.ts';

const NOTHING = 0xffffffff;

export type Seen = 'new' | 'duplicate' | 'conflict';

/**
 * The identities of the last `size` records of a lane: a ring by the record's ordinal in the lane, and an index into it.
 * An identity is forgotten exactly `size` records later, however the lane was cut into batches. About 24 octets a record.
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
    const hash = mixWord(mixWord(mixWord(0, node), sequence | 0), Math.floor(sequence / 2 ** 32));
    return finish(hash) & (this.#index.length - 1);
  }

  #slotOf(node: number, sequence: number): number {
    const mask = this.#index.length - 1;
    let slot = this.#home(node, sequence);
    while (this.#index[slot] !== 0) {
      const place = this.#index[slot] - 1;
      if (this.#nodes[place] === node && this.#sequences[place] === sequence) break;
      slot = (slot + 1) & mask;
    }
    return slot;
  }

  /** Frees a slot and moves back the ones that were pushed past it (Knuth, TAOCP 6.4, algorithm R). */
  #unlink(freed: number): void {
    const mask = this.#index.length - 1;
    let hole = freed;
    this.#index[hole] = 0;
    for (let slot = (hole + 1) & mask; this.#index[slot] !== 0; slot = (slot + 1) & mask) {
      const place = this.#index[slot] - 1;
      const home = this.#home(this.#nodes[place], this.#sequences[place]);
      const reachable = ((slot - home) & mask) >= ((slot - hole) & mask);
      if (!reachable) continue;
      this.#index[hole] = place + 1;
      this.#index[slot] = 0;
      hole = slot;
    }
  }
}
