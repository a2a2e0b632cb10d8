import { type QuotaUpdateHead, QuotaUpdates, UPDATE_OCTETS } from '../rating/quota-updates.ts';
import { PSEUDONYM_WORDS } from '../rating/subscribers.ts';

const FIRST_UPDATES = 64;
/** About what the head of some updates takes. */
const HEAD_OCTETS = 256;
/** In place of a head: the update was published ahead of the others, and waits no more. */
const PUBLISHED = 0xffffffff;

/**
 * Quota updates that wait to be published, in columns: of each subscriber and plan the newest one. An update of a later period
 * replaces that of the one before, as it does in the compacted topic.
 */
export class PendingUpdates {
  #updates = new QuotaUpdates(FIRST_UPDATES);
  /** By update: the number of its plan. */
  #plan = new Uint32Array(FIRST_UPDATES);
  /** Update + 1, found by subscriber and plan; 0 is free. */
  #index = new Uint32Array(FIRST_UPDATES * 2);
  readonly #planNumbers = new Map<string, number>();
  #length = 0;

  /** How many wait. */
  get length(): number {
    return this.#length;
  }

  get bytes(): number {
    const { heads } = this.#updates;
    return this.#plan.length * (UPDATE_OCTETS + 4) + this.#index.byteLength + heads.length * HEAD_OCTETS;
  }

  /** Takes a copy of a batch's updates; batches come in their order. */
  merge(from: QuotaUpdates): void {
    if (from.length === 0) return;
    const plans = from.heads.map(({ planId }) => this.#planNumber(planId));
    const firstHead = this.#updates.heads.length;
    for (const head of from.heads) this.#updates.heads.push(head);
    for (let at = 0; at < from.length; at++) {
      const update = this.#updateOf(from, at, plans[from.head[at]]);
      if (this.#updates.head[update] === PUBLISHED) this.#length++;
      this.#updates.set(update, firstHead + from.head[at], from, at);
    }
  }

  /** The urgent ones of updates that were merged just now: they are published ahead, and wait no more. */
  takeUrgent(merged: QuotaUpdates): QuotaUpdates {
    const { urgent } = merged;
    for (const at of urgent) {
      const update = this.#updateOf(merged, at, this.#planNumber(merged.heads[merged.head[at]].planId));
      this.#updates.head[update] = PUBLISHED;
    }
    this.#length -= urgent.length;
    return merged.select(urgent.length, (at) => urgent[at]);
  }

  /** All that wait. None does from now on. */
  take(): QuotaUpdates {
    const updates = this.#updates;
    let next = 0;
    const taken = updates.select(this.#length, () => {
      while (updates.head[next] === PUBLISHED) next++;
      return next++;
    });
    this.clear();
    return taken;
  }

  clear(): void {
    this.#length = 0;
    this.#planNumbers.clear();
    if (this.#updates.length === 0) return;
    this.#updates = new QuotaUpdates(FIRST_UPDATES);
    this.#plan = new Uint32Array(FIRST_UPDATES);
    this.#index = new Uint32Array(FIRST_UPDATES * 2);
  }

  #planNumber(planId: QuotaUpdateHead['planId']): number {
    const number = this.#planNumbers.get(planId) ?? this.#planNumbers.size;
    this.#planNumbers.set(planId, number);
    return number;
  }

  /** The place of a subscriber's and plan's update, made if there is none. */
  #updateOf(from: QuotaUpdates, at: number, plan: number): number {
    const slot = this.#slot(from.subscriber, at * PSEUDONYM_WORDS, plan);
    if (this.#index[slot] !== 0) return this.#index[slot] - 1;
    if (this.#updates.length === this.#plan.length) {
      this.#grow();
      return this.#updateOf(from, at, plan);
    }
    const update = this.#updates.length++;
    this.#index[slot] = update + 1;
    this.#plan[update] = plan;
    this.#updates.head[update] = PUBLISHED;
    return update;
  }

  /** Pseudonyms are as good as random. */
  #slot(words: Uint32Array, at: number, plan: number): number {
    const mask = this.#index.length - 1;
    const { subscriber } = this.#updates;
    let slot = (words[at] ^ Math.imul(plan, 0x9e3779b1)) & mask;
    for (; this.#index[slot] !== 0; slot = (slot + 1) & mask) {
      const update = this.#index[slot] - 1;
      if (this.#plan[update] === plan && isSame(subscriber, update * PSEUDONYM_WORDS, words, at)) break;
    }
    return slot;
  }

  #grow(): void {
    const [updates, plan] = [this.#updates, this.#plan];
    this.#updates = new QuotaUpdates(plan.length * 2);
    for (const head of updates.heads) this.#updates.heads.push(head);
    this.#plan = new Uint32Array(plan.length * 2);
    this.#index = new Uint32Array(plan.length * 4);
    for (let update = 0; update < updates.length; update++) {
      this.#updates.set(update, updates.head[update], updates, update);
      this.#plan[update] = plan[update];
      this.#index[this.#slot(updates.subscriber, update * PSEUDONYM_WORDS, plan[update])] = update + 1;
    }
    this.#updates.length = updates.length;
  }
}

function isSame(words: Uint32Array, at: number, others: Uint32Array, otherAt: number): boolean {
  for (let word = 0; word < PSEUDONYM_WORDS; word++) {
    if (words[at + word] !== others[otherAt + word]) return false;
  }
  return true;
}
