import { PSEUDONYM_WORDS } from '../subscribers.ts';

/** Pseudonyms are as good as random: the low bits of the first word spread them evenly. */
const BUCKETS = 4096;
const EMPTY_BUCKET = new Uint32Array(0);

/** Changes of an audience in the order in which they were booked: of two of one pseudonym the later counts. */
export interface AudienceChanges {
  count: number;
  /** Four words a pseudonym. */
  pseudonyms: Uint32Array;
  /** 1: opted in; 0: opted out. */
  optedIn: Uint8Array;
}

/**
 * The pseudonyms that have opted in to a campaign, 16 octets each: sorted words in buckets by their first bits. It never changes;
 * `with` returns the next audience, which shares every bucket that has not changed.
 */
export class Audience {
  static readonly EMPTY = new Audience(Array<Uint32Array>(BUCKETS).fill(EMPTY_BUCKET));
  readonly #buckets: readonly Uint32Array[];
  readonly size: number;

  private constructor(buckets: readonly Uint32Array[]) {
    this.#buckets = buckets;
    this.size = buckets.reduce((sum, { length }) => sum + length, 0) / PSEUDONYM_WORDS;
  }

  /** Returns whether the pseudonym of the four words from `at` on has opted in. */
  has(words: Uint32Array, at: number): boolean {
    const bucket = this.#buckets[words[at] % BUCKETS];
    let from = 0;
    let to = bucket.length / PSEUDONYM_WORDS;
    while (from < to) {
      const middle = (from + to) >>> 1;
      const order = compare(bucket, middle * PSEUDONYM_WORDS, words, at);
      if (order === 0) return true;
      if (order < 0) from = middle + 1;
      else to = middle;
    }
    return false;
  }

  with(changes: AudienceChanges): Audience {
    const { pseudonyms, count } = changes;
    const byBucket = new Map<number, number[]>();
    for (let change = 0; change < count; change++) {
      const bucket = pseudonyms[change * PSEUDONYM_WORDS] % BUCKETS;
      const own = byBucket.get(bucket);
      if (own === undefined) byBucket.set(bucket, [change]);
      else own.push(change);
    }
    if (byBucket.size === 0) return this;
    const buckets = [...this.#buckets];
    for (const [bucket, own] of byBucket)
      buckets[bucket] = changedBucket(buckets[bucket], lastOfEach(own, changes), changes);
    return new Audience(buckets);
  }

  /** Iterates over the pseudonyms: each as an array, and the place of its first word. */
  *pseudonyms(): Iterable<{ words: Uint32Array; at: number }> {
    for (const words of this.#buckets) for (let at = 0; at < words.length; at += PSEUDONYM_WORDS) yield { words, at };
  }
}

/** Sorts changes by pseudonym, and keeps the last one of each. */
function lastOfEach(own: readonly number[], { pseudonyms }: AudienceChanges): number[] {
  const orderOf = (a: number, b: number) => compare(pseudonyms, a * PSEUDONYM_WORDS, pseudonyms, b * PSEUDONYM_WORDS);
  const sorted = [...own].sort((a, b) => orderOf(a, b) || a - b);
  return sorted.filter((change, i) => i + 1 === sorted.length || orderOf(change, sorted[i + 1]) !== 0);
}

/** Merges a sorted bucket with sorted changes. */
function changedBucket(
  bucket: Uint32Array,
  changes: readonly number[],
  { pseudonyms, optedIn }: AudienceChanges,
): Uint32Array {
  const merged = new Uint32Array(bucket.length + changes.length * PSEUDONYM_WORDS);
  let length = 0;
  let at = 0;
  const take = (words: Uint32Array, from: number, to: number) => {
    merged.set(words.subarray(from, to), length);
    length += to - from;
  };
  for (const change of changes) {
    const from = change * PSEUDONYM_WORDS;
    const before = at;
    let order = 1;
    while (at < bucket.length) {
      order = compare(bucket, at, pseudonyms, from);
      if (order >= 0) break;
      at += PSEUDONYM_WORDS;
    }
    take(bucket, before, at);
    if (at < bucket.length && order === 0) at += PSEUDONYM_WORDS;
    if (optedIn[change] === 1) take(pseudonyms, from, from + PSEUDONYM_WORDS);
  }
  take(bucket, at, bucket.length);
  return length === 0 ? EMPTY_BUCKET : merged.slice(0, length);
}

function compare(a: Uint32Array, from: number, b: Uint32Array, at: number): number {
  for (let word = 0; word < PSEUDONYM_WORDS; word++) {
    if (a[from + word] !== b[at + word]) return a[from + word] < b[at + word] ? -1 : 1;
  }
  return 0;
}

/** Collects changes of an audience. */
export class AudienceChangeList implements AudienceChanges {
  count = 0;
  pseudonyms = new Uint32Array(64 * PSEUDONYM_WORDS);
  optedIn = new Uint8Array(64);

  /** Adds the pseudonym of the four words from `at` on. */
  add(words: Uint32Array, at: number, optedIn: boolean): void {
    if (this.count === this.optedIn.length) this.#grow();
    for (let word = 0; word < PSEUDONYM_WORDS; word++) {
      this.pseudonyms[this.count * PSEUDONYM_WORDS + word] = words[at + word];
    }
    this.optedIn[this.count++] = optedIn ? 1 : 0;
  }

  /** Adds a pseudonym of 16 octets. */
  addOctets(octets: Uint8Array, optedIn: boolean): void {
    this.add(pseudonymWords(octets), 0, optedIn);
  }

  #grow(): void {
    const { pseudonyms, optedIn } = this;
    this.pseudonyms = new Uint32Array(pseudonyms.length * 2);
    this.pseudonyms.set(pseudonyms);
    this.optedIn = new Uint8Array(optedIn.length * 2);
    this.optedIn.set(optedIn);
  }
}

/** Returns the four words of a pseudonym of 16 octets. */
export function pseudonymWords(octets: Uint8Array): Uint32Array {
  return new Uint32Array(new Uint8Array(octets).buffer);
}
