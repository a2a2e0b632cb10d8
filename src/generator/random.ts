/**
 * A small seeded generator of random numbers: sfc32 ("Small Fast Counter", Chris Doty-Humphrey, PractRand), whose 128 bits
 * of state are filled from the seed by splitmix32. The same seed gives the same numbers on every machine; it is not
 * for secrets.
 */
export class Random {
  readonly #state: Int32Array;
  #spareGaussian: number | null = null;

  /** `seed`: an integer from 0 to 2^53 - 1. */
  constructor(seed: number) {
    if (!Number.isSafeInteger(seed) || seed < 0) throw new RangeError(`seed must be 0 to 2^53 - 1, not ${seed}`);
    const low = splitmix32(seed % 2 ** 32);
    const high = splitmix32(Math.floor(seed / 2 ** 32) ^ 0x5bd1e995);
    this.#state = Int32Array.of(low(), high(), low() ^ high(), 1);
    // After so many rounds every bit of the seed has affected every bit of the state.
    for (let round = 0; round < 15; round++) this.uint32();
  }

  /** Returns an integer in [0, 2^32). */
  uint32(): number {
    const s = this.#state;
    const result = (s[0] + s[1] + s[3]) | 0;
    s[3] += 1;
    s[0] = s[1] ^ (s[1] >>> 9);
    s[1] = s[2] + (s[2] << 3);
    s[2] = ((s[2] << 21) | (s[2] >>> 11)) + result;
    return result >>> 0;
  }

  /** Returns a number in [0, 1), in steps of 2^-32. */
  uniform(): number {
    return this.uint32() / 2 ** 32;
  }

  /** Returns an integer in [from, to]; both ends within 2^32 of each other. */
  integer(from: number, to: number): number {
    return from + Math.floor(this.uniform() * (to - from + 1));
  }

  /** Returns a number of the normal distribution with mean 0 and deviation 1 (Box-Muller, which makes two at a time). */
  gaussian(): number {
    if (this.#spareGaussian !== null) {
      const spare = this.#spareGaussian;
      this.#spareGaussian = null;
      return spare;
    }
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()));
    const angle = 2 * Math.PI * this.uniform();
    this.#spareGaussian = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  }

  /** Returns one of the items, with equal probability. */
  pick<T>(items: readonly T[]): T {
    if (items.length === 0) throw new RangeError('there is nothing to pick from');
    return items[this.integer(0, items.length - 1)];
  }

  /** Returns an index into `weights`, with a probability in proportion to its weight; the weights need not sum to 1. */
  weighted(weights: readonly number[]): number {
    let sum = 0;
    for (let index = 0; index < weights.length; index++) sum += weights[index];
    let rest = this.uniform() * sum;
    let lastPossible = -1;
    for (let index = 0; index < weights.length; index++) {
      if (weights[index] <= 0) continue;
      if (rest < weights[index]) return index;
      rest -= weights[index];
      lastPossible = index;
    }
    if (lastPossible < 0) throw new RangeError('all weights are 0');
    // Only rounding can reach this line.
    return lastPossible;
  }
}

function splitmix32(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x9e3779b9) | 0;
    let mixed = state ^ (state >>> 16);
    mixed = Math.imul(mixed, 0x21f0aaad);
    mixed ^= mixed >>> 15;
    mixed = Math.imul(mixed, 0x735a2d97);
    return mixed ^ (mixed >>> 15);
  };
}
