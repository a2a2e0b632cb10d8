import { finish, mixWord } from './fingerprint.ts';

/**
 * The open counters of one lane: what a subscriber has used of a plan in a statistics period. Open addressing over typed
 * arrays, 18 octets a slot, at most half full.
 */
export class CounterTable {
  #count = 0;
  #subscribers = new Uint32Array(1024);
  #planPeriods = new Uint32Array(1024); // plan period + 1; 0 is free
  /** Sponsored octets booked, by slot. */
  usedOctets = new Float64Array(1024);
  /** Ten-thousandths of an octet that the share left over, by slot. */
  carry = new Uint16Array(1024);

  get count(): number {
    return this.#count;
  }

  /** Slot of the counter, opened at 0 if it was not there. Slots are good until the next one is opened. */
  open(subscriber: number, planPeriod: number): number {
    const slot = this.#slot(subscriber, planPeriod);
    if (this.#planPeriods[slot] !== 0) return slot;
    this.#subscribers[slot] = subscriber;
    this.#planPeriods[slot] = planPeriod + 1;
    if (++this.#count * 2 <= this.#planPeriods.length) return slot;
    this.#grow();
    return this.#slot(subscriber, planPeriod);
  }

  has(subscriber: number, planPeriod: number): boolean {
    return this.#planPeriods[this.#slot(subscriber, planPeriod)] !== 0;
  }

  #slot(subscriber: number, planPeriod: number): number {
    const mask = this.#planPeriods.length - 1;
    let slot = finish(mixWord(mixWord(0, subscriber), planPeriod)) & mask;
    while (
      this.#planPeriods[slot] !== 0 &&
      (this.#subscribers[slot] !== subscriber || this.#planPeriods[slot] !== planPeriod + 1)
    ) {
      slot = (slot + 1) & mask;
    }
    return slot;
  }

  #grow(): void {
    const old = { s: this.#subscribers, p: this.#planPeriods, u: this.usedOctets, c: this.carry };
    const length = old.p.length * 2;
    this.#subscribers = new Uint32Array(length);
    this.#planPeriods = new Uint32Array(length);
    this.usedOctets = new Float64Array(length);
    this.carry = new Uint16Array(length);
    for (let from = 0; from < old.p.length; from++) {
      if (old.p[from] === 0) continue;
      const to = this.#slot(old.s[from], old.p[from] - 1);
      this.#subscribers[to] = old.s[from];
      this.#planPeriods[to] = old.p[from];
      this.usedOctets[to] = old.u[from];
      this.carry[to] = old.c[from];
    }
  }
}
