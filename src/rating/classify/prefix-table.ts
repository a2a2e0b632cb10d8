import { ADDRESS_WORDS, FIRST, LAST_SLICE, mapAt, NO_OWNER, SHIFT, SLICES, WORD, type WordMaps } from './word-maps.ts';

/** Few enough that what was touched for them is still in the processor's nearest cache when they are searched. */
const ROWS_AT_ONCE = 128;
/** ::ffff:0:0/96 */
const V4_WORDS = [0, 0, 0xffff];

/**
 * Longest matching prefix. Nested prefixes are cut into disjoint ranges once, so whatever the nesting a look-up is one
 * place in a directory and a few ranges beside each other: once for an IPv4 address, and for an IPv6 address once for each of
 * its words that a prefix reaches into; once more where prefixes are in a cluster. See `WordMaps`.
 *
 * A million prefixes take about 20 MiB where they are IPv4 and 40 MiB where they are IPv6; none takes more than 170 octets.
 */
export class PrefixTable {
  readonly #words: Uint32Array;
  /** What an address begins at, and an IPv4 address: it has its first three words behind it. */
  readonly #root: number;
  readonly #v4: number;
  /** The rows that are still at a map, and the slice of it that their word lies in. */
  readonly #rows = new Uint32Array(ROWS_AT_ONCE);
  readonly #slices = new Uint32Array(ROWS_AT_ONCE);
  readonly #touched = new Uint32Array(1);

  constructor({ words, root }: WordMaps) {
    this.#words = words;
    this.#root = root;
    let entry = root;
    while (entry < NO_OWNER && words[mapAt(entry) + WORD] < V4_WORDS.length) {
      const word = V4_WORDS[words[mapAt(entry) + WORD]];
      entry = this.#search(this.#slice(mapAt(entry), word), word);
    }
    this.#v4 = entry;
  }

  /** Fills in, for each of `count` addresses of four words, the application of the longest prefix that holds it, or -1. */
  applicationsOf(addresses: Uint32Array, count: number, applications: Int32Array): void {
    for (let from = 0; from < count; from += ROWS_AT_ONCE) {
      const to = Math.min(count, from + ROWS_AT_ONCE);
      let open = this.#begin(addresses, from, to, applications);
      while (open > 0) {
        this.#findSlices(addresses, open, applications);
        this.#touch(open);
        open = this.#descend(addresses, open, applications);
      }
    }
  }

  /** Gives how many rows are at a map. */
  #begin(addresses: Uint32Array, from: number, to: number, entries: Int32Array): number {
    let open = 0;
    for (let row = from; row < to; row++) {
      const at = row * ADDRESS_WORDS;
      const isV4 = addresses[at] === 0 && addresses[at + 1] === 0 && addresses[at + 2] === 0xffff;
      entries[row] = isV4 ? this.#v4 : this.#root;
      if (entries[row] < NO_OWNER) this.#rows[open++] = row;
    }
    return open;
  }

  #findSlices(addresses: Uint32Array, open: number, entries: Int32Array): void {
    for (let i = 0; i < open; i++) {
      const row = this.#rows[i];
      const map = mapAt(entries[row]);
      this.#slices[i] = this.#slice(map, addresses[row * ADDRESS_WORDS + this.#words[map + WORD]]);
    }
  }

  /**
   * Reads what the search will read: where nothing is decided in between, the processor runs ahead and waits for the memory
   * of many rows at once, not one by one.
   */
  #touch(open: number): void {
    const words = this.#words;
    const slices = this.#slices;
    let touched = 0;
    for (let i = 0; i < open; i++) touched ^= words[slices[i]];
    for (let i = 0; i < open; i++) touched ^= words[words[slices[i]]] ^ words[words[slices[i] + 1]];
    // What is never used would not be read.
    this.#touched[0] = touched;
  }

  /** Searches each open row's next map. Returns how many rows have a further one. */
  #descend(addresses: Uint32Array, open: number, entries: Int32Array): number {
    let left = 0;
    for (let i = 0; i < open; i++) {
      const row = this.#rows[i];
      const word = this.#words[mapAt(entries[row]) + WORD];
      entries[row] = this.#search(this.#slices[i], addresses[row * ADDRESS_WORDS + word]);
      if (entries[row] < NO_OWNER) this.#rows[left++] = row;
    }
    return left;
  }

  /** The index of the map's slice that holds the word. */
  #slice(map: number, word: number): number {
    const words = this.#words;
    const first = words[map + FIRST];
    const slice = word <= first ? 0 : Math.min((word - first) >>> words[map + SHIFT], words[map + LAST_SLICE]);
    return map + SLICES + slice;
  }

  /** The entry of the slice's last range that begins at the word or below. */
  #search(slice: number, word: number): number {
    const words = this.#words;
    let low = words[slice];
    let high = words[slice + 1];
    while (low < high) {
      // A range is two words.
      const middle = low + ((high - low + 2) >>> 2) * 2;
      if (words[middle] <= word) low = middle;
      else high = middle - 2;
    }
    return words[low + 1] | 0;
  }
}
