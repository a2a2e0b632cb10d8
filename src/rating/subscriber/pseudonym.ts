import { hash } from 'node:crypto';

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
    for (const tree of this.#generations) {
      const key = tree.leafKey(number);
      if (key !== null) return Buffer.from(key.slice(0, PSEUDONYM_OCTETS * 2), 'hex');
    }
    throw new Error('the last generation of a pseudonym key is punctured');
  }

  /** Whether the number had another pseudonym before, which can no longer be computed. */
  isErased(number: string): boolean {
    return this.#generations[0].leafKey(number) === null;
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
