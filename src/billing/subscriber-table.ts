import { finish, mixWord } from './fingerprint.ts';

const WORDS = 4;

/**
 * The subscribers of one lane as small integers. A subscriber is its pseudonym (four words); the way from MSISDN to
 * pseudonym is remembered too, because an HMAC costs more than all other steps of a record together.
 *
 * Two open-addressing indexes over typed arrays: a few dozen bytes a subscriber, no object each.
 */
export class SubscriberTable {
  readonly #pseudonymOf: (msisdn: string) => Uint8Array;
  #count = 0;
  #pseudonyms = new Uint32Array(1024 * WORDS);
  #byPseudonym = new Uint32Array(2048); // subscriber + 1; 0 is free
  #msisdns = 0;
  #msisdnKeys = new Float64Array(2048); // 0 is free
  #msisdnSubscribers = new Uint32Array(2048);

  constructor(pseudonymOf: (msisdn: string) => Uint8Array) {
    this.#pseudonymOf = pseudonymOf;
  }

  get count(): number {
    return this.#count;
  }

  /** Index of the subscriber with this MSISDN (1 to 15 digits). */
  ofMsisdn(msisdn: string): number {
    // A leading 1 keeps leading zeros apart; 16 digits that begin with 1 are exact in a double.
    return this.ofMsisdnKey(Number(`1${msisdn}`));
  }

  /** The same for the number that a 1 and the MSISDN's digits make. */
  ofMsisdnKey(key: number): number {
    const slot = this.#msisdnSlot(this.#msisdnKeys, key);
    if (this.#msisdnKeys[slot] === key) return this.#msisdnSubscribers[slot];
    const subscriber = this.ofPseudonym(this.#pseudonymOf(String(key).slice(1)));
    this.#msisdnKeys[slot] = key;
    this.#msisdnSubscribers[slot] = subscriber;
    if (++this.#msisdns * 2 > this.#msisdnKeys.length) this.#growMsisdns();
    return subscriber;
  }

  /** Index of the subscriber with this pseudonym of 16 octets. */
  ofPseudonym(pseudonym: Uint8Array): number {
    const view = new DataView(pseudonym.buffer, pseudonym.byteOffset, pseudonym.byteLength);
    const words = [0, 4, 8, 12].map((at) => view.getUint32(at, true));
    const slot = this.#pseudonymSlot(this.#byPseudonym, words);
    if (this.#byPseudonym[slot] !== 0) return this.#byPseudonym[slot] - 1;
    const subscriber = this.#count++;
    if (this.#count * WORDS > this.#pseudonyms.length) this.#pseudonyms = grown(this.#pseudonyms);
    this.#pseudonyms.set(words, subscriber * WORDS);
    this.#byPseudonym[slot] = subscriber + 1;
    if (this.#count * 2 > this.#byPseudonym.length) this.#growPseudonyms();
    return subscriber;
  }

  /** The 16 octets of a subscriber's pseudonym, as a view that is good until the next subscriber comes. */
  pseudonym(subscriber: number): Uint8Array {
    return new Uint8Array(this.#pseudonyms.buffer, subscriber * WORDS * 4, WORDS * 4);
  }

  /** Copies the same to `words` from `at` on, as four words. */
  copyPseudonym(subscriber: number, words: Uint32Array, at: number): void {
    for (let word = 0; word < WORDS; word++) words[at + word] = this.#pseudonyms[subscriber * WORDS + word];
  }

  #msisdnSlot(keys: Float64Array, key: number): number {
    const mask = keys.length - 1;
    let slot = finish(mixWord(mixWord(0, key | 0), Math.floor(key / 2 ** 32))) & mask;
    while (keys[slot] !== 0 && keys[slot] !== key) slot = (slot + 1) & mask;
    return slot;
  }

  #pseudonymSlot(slots: Uint32Array, words: ArrayLike<number>): number {
    const mask = slots.length - 1;
    // A pseudonym's bits are as good as random: its first word is its hash.
    let slot = words[0] & mask;
    while (slots[slot] !== 0 && !this.#isPseudonym(slots[slot] - 1, words)) slot = (slot + 1) & mask;
    return slot;
  }

  #isPseudonym(subscriber: number, words: ArrayLike<number>): boolean {
    const at = subscriber * WORDS;
    for (let i = 0; i < WORDS; i++) if (this.#pseudonyms[at + i] !== words[i]) return false;
    return true;
  }

  #growMsisdns(): void {
    const keys = new Float64Array(this.#msisdnKeys.length * 2);
    const subscribers = new Uint32Array(keys.length);
    this.#msisdnKeys.forEach((key, from) => {
      if (key === 0) return;
      const slot = this.#msisdnSlot(keys, key);
      keys[slot] = key;
      subscribers[slot] = this.#msisdnSubscribers[from];
    });
    this.#msisdnKeys = keys;
    this.#msisdnSubscribers = subscribers;
  }

  #growPseudonyms(): void {
    const slots = new Uint32Array(this.#byPseudonym.length * 2);
    for (let subscriber = 0; subscriber < this.#count; subscriber++) {
      const words = this.#pseudonyms.subarray(subscriber * WORDS, subscriber * WORDS + WORDS);
      slots[this.#pseudonymSlot(slots, words)] = subscriber + 1;
    }
    this.#byPseudonym = slots;
  }
}

function grown(words: Uint32Array): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(words.length * 2);
  larger.set(words);
  return larger;
}
