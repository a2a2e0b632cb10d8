import { MOST_DIGITS, PseudonymTree, type TreeKeys } from './pseudonym-tree.ts';

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
 * everywhere with the same key, and without it nobody can go back from it. `erased` takes a number's leaf out of the tree, so
 * that nobody can compute its pseudonym any more; every other number keeps its own. A number that was erased and is given to
 * somebody else has its next pseudonym from the next generation's tree.
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

  /** Whether the number had another pseudonym before, which nobody can compute any more. */
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
