import { finish, mixWord } from './fingerprint.ts';

const FIRST_SLOTS = 2048;

/**
 * The open counters of one lane: what a subscriber has used of a plan in a statistics period. A counter is a small integer,
 * in the order of opening, and so are its places in the columns. An open-addressing index over typed arrays, at most half
 * full, finds it: about 38 octets a counter.
 */
export class CounterTable {
  #count = 0;
  #index = new Uint32Array(FIRST_SLOTS); // counter + 1; 0 is free
  /** Subscriber and plan period of each counter, side by side: a look-up reads both. */
  #keys = new Uint32Array(FIRST_SLOTS);
  /** Sponsored octets booked, by counter. */
  usedOctets = new Float64Array(FIRST_SLOTS / 2);
  /** Ten-thousandths of an octet that the share left over, by counter. */
  carry = new Uint16Array(FIRST_SLOTS / 2);
  /** The row that charged it last, by counter: means something only for the batch that was rated last. */
  lastRow = new Uint32Array(FIRST_SLOTS / 2);

  get count(): number {
    return this.#count;
  }

  /** The counter, opened at 0 if it was not there. The columns may be other arrays afterwards. */
  open(subscriber: number, planPeriod: number): number {
    const slot = this.#slot(subscriber, planPeriod);
    if (this.#index[slot] !== 0) return this.#index[slot] - 1;
    const counter = this.#count++;
    if (counter === this.usedOctets.length) this.#grow(counter * 2);
    this.#keys[counter * 2] = subscriber;
    this.#keys[counter * 2 + 1] = planPeriod;
    // Growing has moved the slots.
    this.#index[this.#slot(subscriber, planPeriod)] = counter + 1;
    return counter;
  }

  /** Number of the plan period that a counter counts in. */
  planPeriod(counter: number): number {
    return this.#keys[counter * 2 + 1];
  }

  has(subscriber: number, planPeriod: number): boolean {
    return this.#index[this.#slot(subscriber, planPeriod)] !== 0;
  }

  #slot(subscriber: number, planPeriod: number): number {
    const mask = this.#index.length - 1;
    let slot = finish(mixWord(mixWord(0, subscriber), planPeriod)) & mask;
    for (let at = this.#index[slot]; at !== 0; at = this.#index[slot]) {
      if (this.#keys[at * 2 - 2] === subscriber && this.#keys[at * 2 - 1] === planPeriod) break;
      slot = (slot + 1) & mask;
    }
    return slot;
  }

  #grow(counters: number): void {
    const opened = this.usedOctets.length;
    this.#keys = grown(this.#keys, new Uint32Array(counters * 2));
    this.usedOctets = grown(this.usedOctets, new Float64Array(counters));
    this.carry = grown(this.carry, new Uint16Array(counters));
    this.lastRow = grown(this.lastRow, new Uint32Array(counters));
    this.#index = new Uint32Array(counters * 2);
    for (let counter = 0; counter < opened; counter++) {
      this.#index[this.#slot(this.#keys[counter * 2], this.#keys[counter * 2 + 1])] = counter + 1;
    }
  }
}

function grown<T extends Float64Array | Uint32Array | Uint16Array>(column: T, larger: T): T {
  larger.set(column);
  return larger;
}
