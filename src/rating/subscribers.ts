import { hash } from 'node:crypto';
import { finish, mixWord } from './names.ts';
import { msisdnKey, msisdnOfKey } from './record/msisdn.ts';

/** Keys of 64 hex digits by their prefix: what the numbers that a key gives the pseudonyms of begin with. */
type TreeKeys = Readonly<Record<string, string>>;

const DIGITS = [...'0123456789'];
const MOST_DIGITS = 15;
/** Ends a number, so that 491 and 4917 are two leaves and neither is on the other's way. */
const END = '.';
/** Keys of prefixes this many digits apart are remembered: numbers come in blocks. */
const REMEMBERED_EVERY = 4;
/** About 20 MiB. */
const REMEMBERED_KEYS = 65_536;

/**
 * A puncturable pseudorandom function over numbers of 1 to 15 digits: the tree of Goldreich, Goldwasser and Micali, a level
 * a digit. A child's key is SHA-256 of its parent's key and the digit, so a key gives all keys below it and none
 * above. `punctured` takes one leaf out of the tree: all others stay what they are.
 */
class PseudonymTree {
  /** A whole tree has one key, of the empty prefix. No key's prefix begins with another one's. */
  readonly keys: TreeKeys;
  readonly #known: ReadonlyMap<string, string>;
  #remembered = new Map<string, string>();

  constructor(keys: TreeKeys) {
    this.keys = keys;
    this.#known = new Map(Object.entries(keys));
  }

  /** 64 hex digits; null where the tree was punctured. */
  leafKey(number: string): string | null {
    const leaf = `${number}${END}`;
    let depth = leaf.length;
    let key = this.#keyAt(leaf, depth);
    while (key === undefined && depth > 0) key = this.#keyAt(leaf, --depth);
    if (key === undefined) return null;
    while (depth < leaf.length) {
      key = childKey(key, leaf.charAt(depth++));
      if (depth % REMEMBERED_EVERY === 0 && depth < number.length) this.#remember(leaf.slice(0, depth), key);
    }
    return key;
  }

  /** The tree without this leaf: the keys on the way to it are replaced by those beside the way. */
  punctured(number: string): PseudonymTree {
    const leaf = `${number}${END}`;
    const depth = Array.from(leaf, (_, at) => at).find((at) => this.#known.has(leaf.slice(0, at))) ?? leaf.length;
    const { [leaf.slice(0, depth)]: covering, ...others } = this.keys;
    const keys: Record<string, string> = others;
    let key = covering;
    for (let at = depth; at < leaf.length; at++) {
      const step = leaf.charAt(at);
      const steps = at < MOST_DIGITS ? [...DIGITS, END] : [END];
      for (const beside of steps) if (beside !== step) keys[`${leaf.slice(0, at)}${beside}`] = childKey(key, beside);
      key = childKey(key, step);
    }
    return new PseudonymTree(keys);
  }

  #keyAt(leaf: string, depth: number): string | undefined {
    const prefix = leaf.slice(0, depth);
    return this.#known.get(prefix) ?? (depth % REMEMBERED_EVERY === 0 ? this.#remembered.get(prefix) : undefined);
  }

  #remember(prefix: string, key: string): void {
    if (this.#remembered.size === REMEMBERED_KEYS) this.#remembered.clear();
    this.#remembered.set(prefix, key);
  }
}

/** Text in, text out: Node makes a buffer for a digest in three times as long as the digest takes. */
function childKey(key: string, step: string): string {
  return hash('sha256', key + step, 'hex');
}

export const PSEUDONYM_OCTETS = 16;
/** The same octets as little-endian words of 32 bits. */
export const PSEUDONYM_WORDS = PSEUDONYM_OCTETS / 4;

const NUMBER = new RegExp(`^\\d{1,${MOST_DIGITS}}$`);
/** Digits of an account's leaf. Two accounts of one leaf have different pseudonyms all the same, and are erased together. */
const ACCOUNT_DIGITS = MOST_DIGITS - 1;

/** An MSISDN or an IMSI: 1 to 15 digits (ITU-T E.164, E.212). */
export function isSubscriberNumber(text: string): boolean {
  return NUMBER.test(text);
}

/**
 * What subscribers' pseudonyms are made with. A pseudonym is the first 128 bits of a number's leaf in a tree of keys: the same
 * everywhere with the same key, and not reversible without it. `erased` takes a number's leaf out of the tree, so
 * that its pseudonym can no longer be computed; every other number keeps its own. A number that was erased and is given to
 * another subscriber has its next pseudonym from the next generation's tree.
 */
export class PseudonymKey {
  readonly #generations: readonly PseudonymTree[];

  /** A tree for each generation, of which the last is whole. */
  constructor(generations: readonly TreeKeys[]) {
    this.#generations = generations.map((keys) => new PseudonymTree(keys));
  }

  /** A key that no number was erased from, from 32 octets of good randomness. */
  static ofRoot(root: Uint8Array): PseudonymKey {
    return new PseudonymKey([wholeTree(root)]);
  }

  get generations(): TreeKeys[] {
    return this.#generations.map(({ keys }) => keys);
  }

  pseudonymOf(number: string): Buffer {
    return pseudonymIn(this.#leafKey(number));
  }

  /** The pseudonym of a customer's account: in a domain of its own, so that no number has it. */
  pseudonymOfAccount(accountId: string): Buffer {
    return pseudonymIn(childKey(this.#leafKey(leafOfAccount(accountId)), accountId));
  }

  #leafKey(number: string): string {
    for (const tree of this.#generations) {
      const key = tree.leafKey(number);
      if (key !== null) return key;
    }
    throw new Error('the last generation of a pseudonym key is punctured');
  }

  /** Whether the number had another pseudonym before, which can no longer be computed. */
  isErased(number: string): boolean {
    return this.#generations[0].leafKey(number) === null;
  }

  /** The same of an account. */
  isAccountErased(accountId: string): boolean {
    return this.isErased(leafOfAccount(accountId));
  }

  /** The key that has forgotten an account's pseudonym, as `erased`. */
  accountErased(accountId: string, freshRoot: Uint8Array): PseudonymKey {
    return this.erased(leafOfAccount(accountId), freshRoot);
  }

  /** The key that has forgotten the number's pseudonym. `freshRoot`: 32 octets of good randomness, for a next generation. */
  erased(number: string, freshRoot: Uint8Array): PseudonymKey {
    const current = this.#generations.findIndex((tree) => tree.leafKey(number) !== null);
    const generations = this.#generations.map((tree, at) => (at === current ? tree.punctured(number) : tree).keys);
    const isLast = current === generations.length - 1;
    return new PseudonymKey(isLast ? [...generations, wholeTree(freshRoot)] : generations);
  }
}

function wholeTree(root: Uint8Array): TreeKeys {
  return { '': Buffer.from(root).toString('hex') };
}

function pseudonymIn(key: string): Buffer {
  return Buffer.from(key.slice(0, PSEUDONYM_OCTETS * 2), 'hex');
}

/** The accounts' leaves are below the empty number, which no subscriber has: digits of a hash, as the tree has digits alone. */
function leafOfAccount(accountId: string): string {
  const digits = Number.parseInt(hash('sha256', accountId, 'hex').slice(0, 12), 16) % 10 ** ACCOUNT_DIGITS;
  return `${END}${String(digits).padStart(ACCOUNT_DIGITS, '0')}`;
}

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
  #pseudonyms = new Uint32Array(FIRST_SUBSCRIBERS * PSEUDONYM_WORDS);
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
    return this.ofMsisdnKey(msisdnKey(msisdn));
  }

  /** Writes to `out`, from `at` on, the indexes of the subscribers with the keys [from, to). */
  ofMsisdnKeys(keys: Float64Array, from: number, to: number, out: Uint32Array, at: number): void {
    for (let row = from; row < to; row++) out[at + row - from] = this.ofMsisdnKey(keys[row]);
  }

  /** The same for an MSISDN's key. */
  ofMsisdnKey(key: number): number {
    const slot = this.#msisdnSlot(this.#msisdnKeys, key);
    if (this.#msisdnKeys[slot] === key) return this.#msisdnSubscribers[slot];
    const subscriber = this.ofPseudonym(this.#pseudonymOf(msisdnOfKey(key)));
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
    for (let word = 0; word < PSEUDONYM_WORDS; word++)
      this.#pseudonyms[subscriber * PSEUDONYM_WORDS + word] = words[at + word];
    // Growing has moved the slots.
    this.#byPseudonym[this.#pseudonymSlot(words, at)] = subscriber + 1;
    return subscriber;
  }

  /** Makes room for so many subscribers at once: tables that grow step by step hold the old beside the new at each. */
  reserve(subscribers: number): void {
    let room = this.#pseudonyms.length / PSEUDONYM_WORDS;
    if (subscribers <= room) return;
    while (room < subscribers) room *= 2;
    const pseudonyms = new Uint32Array(room * PSEUDONYM_WORDS);
    pseudonyms.set(this.#pseudonyms);
    this.#pseudonyms = pseudonyms;
    this.#byPseudonym = new Uint32Array(room * 2);
    for (let subscriber = 0; subscriber < this.#count; subscriber++) {
      this.#byPseudonym[this.#pseudonymSlot(pseudonyms, subscriber * PSEUDONYM_WORDS)] = subscriber + 1;
    }
  }

  /** The 16 octets of a subscriber's pseudonym, as a view that is good until the next subscriber comes. */
  pseudonym(subscriber: number): Uint8Array {
    return new Uint8Array(this.#pseudonyms.buffer, subscriber * PSEUDONYM_WORDS * 4, PSEUDONYM_WORDS * 4);
  }

  /** Copies the same to `words` from `at` on, as four words. */
  copyPseudonym(subscriber: number, words: Uint32Array, at: number): void {
    for (let word = 0; word < PSEUDONYM_WORDS; word++)
      words[at + word] = this.#pseudonyms[subscriber * PSEUDONYM_WORDS + word];
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
    const from = subscriber * PSEUDONYM_WORDS;
    for (let word = 0; word < PSEUDONYM_WORDS; word++)
      if (this.#pseudonyms[from + word] !== words[at + word]) return false;
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
