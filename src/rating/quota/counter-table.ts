import { finish, mixWord } from '../record/fingerprint.ts';

const FIRST_COUNTERS = 1024;

/** A counter's place in memory: one double, and four words after it. */
const DOUBLES = 3;
const WORDS = DOUBLES * 2;
const SUBSCRIBER = 2;
const PLAN_PERIOD = 3;
const CARRY = 4;
const LAST_ROW = 5;

/**
 * The open counters of one lane: what a subscriber has used of a plan in a statistics period. A counter is a small integer,
 * in the order of opening. All that belongs to it lies side by side in 24 octets, for with millions of them every array
 * that is looked into costs a wait for the memory; an open-addressing index, at most half full, finds it.
 */
export class CounterTable {
  #count = 0;
  #index = new Uint32Array(FIRST_COUNTERS * 2); // counter + 1; 0 is free
  #doubles = new Float64Array(FIRST_COUNTERS * DOUBLES);
  #words = new Uint32Array(this.#doubles.buffer);

  get count(): number {
    return this.#count;
  }

  /** The counter, opened at 0 if it was not there. */
  open(subscriber: number, planPeriod: number): number {
    const slot = this.#slot(subscriber, planPeriod);
    if (this.#index[slot] !== 0) return this.#index[slot] - 1;
    this.reserve(this.#count + 1);
    const counter = this.#count++;
    this.#words[counter * WORDS + SUBSCRIBER] = subscriber;
    this.#words[counter * WORDS + PLAN_PERIOD] = planPeriod;
    // Growing has moved the slots.
    this.#index[this.#slot(subscriber, planPeriod)] = counter + 1;
    return counter;
  }

  /** Makes room for so many counters at once: a table that grows step by step holds the old beside the new at each. */
  reserve(counters: number): void {
    let room = this.#doubles.length / DOUBLES;
    if (counters <= room) return;
    while (room < counters) room *= 2;
    const doubles = new Float64Array(room * DOUBLES);
    doubles.set(this.#doubles);
    this.#doubles = doubles;
    this.#words = new Uint32Array(doubles.buffer);
    this.#index = new Uint32Array(room * 2);
    for (let counter = 0; counter < this.#count; counter++) {
      const [subscriber, planPeriod] = [this.#words[counter * WORDS + SUBSCRIBER], this.planPeriod(counter)];
      this.#index[this.#slot(subscriber, planPeriod)] = counter + 1;
    }
  }

  has(subscriber: number, planPeriod: number): boolean {
    return this.#index[this.#slot(subscriber, planPeriod)] !== 0;
  }

  /** Sponsored octets booked. */
  usedOctets(counter: number): number {
    return this.#doubles[counter * DOUBLES];
  }

  /** Ten-thousandths of an octet that the share left over. */
  carry(counter: number): number {
    return this.#words[counter * WORDS + CARRY];
  }

  set(counter: number, usedOctets: number, carry: number): void {
    this.#doubles[counter * DOUBLES] = usedOctets;
    this.#words[counter * WORDS + CARRY] = carry;
  }

  /** Number of the plan period that it counts in. */
  planPeriod(counter: number): number {
    return this.#words[counter * WORDS + PLAN_PERIOD];
  }

  /** The row that charged it last: means something only for the batch that was rated last. */
  lastRow(counter: number): number {
    return this.#words[counter * WORDS + LAST_ROW];
  }

  noteRow(counter: number, row: number): void {
    this.#words[counter * WORDS + LAST_ROW] = row;
  }

  #slot(subscriber: number, planPeriod: number): number {
    const index = this.#index;
    const words = this.#words;
    const mask = index.length - 1;
    let slot = finish(mixWord(mixWord(0, subscriber), planPeriod)) & mask;
    for (let at = index[slot]; at !== 0; at = index[slot]) {
      const counter = (at - 1) * WORDS;
      if (words[counter + SUBSCRIBER] === subscriber && words[counter + PLAN_PERIOD] === planPeriod) break;
      slot = (slot + 1) & mask;
    }
    return slot;
  }
}
