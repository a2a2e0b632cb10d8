import { finish, mixWord } from '../record/fingerprint.ts';
import { PSEUDONYM_WORDS as WORDS } from './pseudonym.ts';

const FIRST_SUBSCRIBERS = 1024;

/**
 * The subscribers of one lane as small integers. A subscriber is its pseudonym (four words); the way from MSISDN to
 * pseudonym is remembered too, because a pseudonym costs more than all other steps of a record together.
 *
 * Two open-addressing indexes over typed arrays: a few dozen bytes a subscriber, no object each.
 */
export class SubscriberTable {
  readonly #pseudonymOf: (msisdn: string) => Uint8Array;
  #count = 0;
  #pseudonyms = new Uint32Array(FIRST_SUBSCRIBERS * WORDS);
  #byPseudonym = new Uint32Array(FIRST_SUBSCRIBERS * 2); // subscriber + 1; 0 is free
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

  /** From here on pseudonyms of numbers are computed again. Subscribers keep their indexes. */
  forgetMsisdns(): void {
    this.#msisdns = 0;
    this.#msisdnKeys.fill(0);
  }

  /** Index of the subscriber with this pseudonym of 16 octets. */
  ofPseudonym(pseudonym: Uint8Array): number {
    return this.ofPseudonymWords(new Uint32Array(new Uint8Array(pseudonym).buffer), 0);
  }

  /** The same for a pseudonym that begins at `at`, as four words. */
  ofPseudonymWords(words: Uint32Array, at: number): number {
    const slot = this.#pseudonymSlot(words, at);
    if (this.#byPseudonym[slot] !== 0) return this.#byPseudonym[slot] - 1;
    this.reserve(this.#count + 1);
    const subscriber = this.#count++;
    for (let word = 0; word < WORDS; word++) this.#pseudonyms[subscriber * WORDS + word] = words[at + word];
    // Growing has moved the slots.
    this.#byPseudonym[this.#pseudonymSlot(words, at)] = subscriber + 1;
    return subscriber;
  }

  /** Makes room for so many subscribers at once: tables that grow step by step hold the old beside the new at each. */
  reserve(subscribers: number): void {
    let room = this.#pseudonyms.length / WORDS;
    if (subscribers <= room) return;
    while (room < subscribers) room *= 2;
    const pseudonyms = new Uint32Array(room * WORDS);
    pseudonyms.set(this.#pseudonyms);
    this.#pseudonyms = pseudonyms;
    this.#byPseudonym = new Uint32Array(room * 2);
    for (let subscriber = 0; subscriber < this.#count; subscriber++) {
      this.#byPseudonym[this.#pseudonymSlot(pseudonyms, subscriber * WORDS)] = subscriber + 1;
    }
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

  #pseudonymSlot(words: Uint32Array, at: number): number {
    const slots = this.#byPseudonym;
    const mask = slots.length - 1;
    // A pseudonym's bits are as good as random: its first word is its hash.
    let slot = words[at] & mask;
    while (slots[slot] !== 0 && !this.#isPseudonym(slots[slot] - 1, words, at)) slot = (slot + 1) & mask;
    return slot;
  }

  #isPseudonym(subscriber: number, words: Uint32Array, at: number): boolean {
    const from = subscriber * WORDS;
    for (let word = 0; word < WORDS; word++) if (this.#pseudonyms[from + word] !== words[at + word]) return false;
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
}
