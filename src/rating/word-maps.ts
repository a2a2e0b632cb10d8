import { byBeginning, type Claim, ClaimChainWriter, type Claimed, claimText, NO_OWNER } from './claims.ts';
import { parseCidr } from './ip-address.ts';

interface Prefix {
  /** CIDR text, and the conditions under which the application claims it. */
  cidr: Claimed;
  application: number;
}

export const ADDRESS_WORDS = 4;

/** In columns: a million objects, or big integers, would take many times as long to sort. */
interface PrefixColumns {
  words: Uint32Array; // four each
  lengths: Uint8Array;
  applications: Int32Array;
  /** By place: those with conditions, of which there are few. */
  conditional: ReadonlyMap<number, Claim>;
}

/** By address, outer before inner, and earlier claims of a prefix before later ones. Throws a TypeError on what is no prefix. */
function sortedPrefixes(prefixes: readonly Prefix[]): PrefixColumns {
  const { words, lengths, applications, conditional } = parsed(prefixes);
  const order = Uint32Array.from(prefixes.keys()).sort((a, b) => {
    for (let word = 0; word < ADDRESS_WORDS; word++) {
      const difference = words[a * ADDRESS_WORDS + word] - words[b * ADDRESS_WORDS + word];
      if (difference !== 0) return difference;
    }
    return lengths[a] - lengths[b] || byBeginning(conditional.get(a), conditional.get(b));
  });
  const sortedWords = new Uint32Array(words.length);
  const sortedConditional = new Map<number, Claim>();
  order.forEach((from, to) => {
    const claim = conditional.get(from);
    if (claim !== undefined) sortedConditional.set(to, claim);
    for (let word = 0; word < ADDRESS_WORDS; word++) {
      sortedWords[to * ADDRESS_WORDS + word] = words[from * ADDRESS_WORDS + word];
    }
  });
  return {
    words: sortedWords,
    lengths: Uint8Array.from(order, (from) => lengths[from]),
    applications: Int32Array.from(order, (from) => applications[from]),
    conditional: sortedConditional,
  };
}

function parsed(prefixes: readonly Prefix[]): PrefixColumns {
  const words = new Uint32Array(prefixes.length * ADDRESS_WORDS);
  const lengths = new Uint8Array(prefixes.length);
  const conditional = new Map<number, Claim>();
  prefixes.forEach(({ cidr }, i) => {
    if (typeof cidr !== 'string') conditional.set(i, cidr);
    const network = parseCidr(claimText(cidr));
    if (network === null) throw new TypeError(`not a prefix: ${claimText(cidr)}`);
    words.set(network.words, i * ADDRESS_WORDS);
    lengths[i] = network.length;
  });
  return { words, lengths, applications: Int32Array.from(prefixes, ({ application }) => application), conditional };
}

/**
 * Maps of the words of addresses, as `PrefixTable` reads them. A map cuts the values of its word into ranges. A range's
 * entry is its owner (see `ClaimChains`): the longest prefix that holds it decides, and where that has conditions the next one for records
 * that they do not hold for. Or it is another map (below NO_OWNER, see `mapAt`): of the next word where longer prefixes continue after this very
 * value, of the same word where there are many more ranges in it.
 *
 * All maps are in one array. A map begins with its directory: the values from its first boundary on are cut into slices
 * of 2^shift, at most as many as there are ranges, and a slice names the range that its first value lies in. The
 * ranges follow, each its first value and its entry.
 */
export interface WordMaps {
  words: Uint32Array;
  /** The entry of the map of the first word. */
  root: number;
  /** What `ClaimChains` reads: empty where no prefix has conditions. */
  chains: Float64Array;
}

/** Throws a TypeError on what is no prefix. */
export function wordMaps(prefixes: readonly Prefix[]): WordMaps {
  const out = new WordMapWriter();
  const root = writeMap(sortedPrefixes(prefixes), 0, prefixes.length, 0, NO_OWNER, out);
  return { words: out.take(), root, chains: out.chains.take() };
}

/**
 * Writes the map of one word for the prefixes [from, to), which share all words before it and continue in this one. `outer` is
 * the owner of what is around all of them.
 */
function writeMap(
  prefixes: PrefixColumns,
  from: number,
  to: number,
  word: number,
  outer: number,
  out: WordMapWriter,
): number {
  const ranges = new Ranges(outer);
  const open: { end: number; owner: number }[] = [];
  // Outer prefixes come before inner ones, so the last of the open ones is the longest.
  const innermost = () => open.at(-1)?.owner ?? outer;
  const closeUpTo = (value: number) => {
    for (let top = open.at(-1); top !== undefined && top.end <= value; top = open.at(-1)) {
      open.pop();
      ranges.begin(top.end, innermost());
    }
  };
  for (let at = from; at < to; ) {
    const value = prefixes.words[at * ADDRESS_WORDS + word];
    const bits = prefixes.lengths[at] - word * WORD_BITS;
    closeUpTo(value);
    if (bits <= WORD_BITS) {
      const owner = out.chains.ownerOf(prefixes.applications[at], prefixes.conditional.get(at), innermost());
      ranges.begin(value, owner);
      open.push({ end: value + 2 ** (WORD_BITS - bits), owner });
      at++;
      continue;
    }
    const longer = at;
    while (at < to && prefixes.words[at * ADDRESS_WORDS + word] === value) at++;
    ranges.begin(value, writeMap(prefixes, longer, at, word + 1, innermost(), out));
    ranges.begin(value + 1, innermost());
  }
  closeUpTo(WORD_VALUES);
  return out.write(word, ranges);
}

/** A map's parts, from its place in the array on: the word that it is of, 0 to 3, and its directory. */
export const WORD = 0;
export const FIRST = 1;
export const SHIFT = 2;
export const LAST_SLICE = 3;
export const SLICES = 4;

const WORD_BITS = 32;
const WORD_VALUES = 2 ** WORD_BITS;
/** So few ranges lie in a line or two of the processor's cache: more slices would only be one more place to look at. */
const FEW_RANGES = 8;
/** More ranges than these in one slice get a map of their own: prefixes come in clusters, and a search has to be short. */
const MANY_RANGES = 16;

/** Place in the array of the map that an entry below NO_OWNER names. */
export function mapAt(entry: number): number {
  return NO_OWNER - 1 - entry;
}

/** The ranges of a map, in order, the first from value 0 on. */
class Ranges {
  readonly starts = [0];
  readonly entries: number[];

  constructor(outer: number) {
    this.entries = [outer];
  }

  /** From `start` to the end it is `entry`. A later word about the same start replaces the earlier one. */
  begin(start: number, entry: number): void {
    if (start >= WORD_VALUES) return;
    if (this.starts.at(-1) === start) {
      this.starts.pop();
      this.entries.pop();
    }
    if (this.entries.at(-1) === entry) return;
    this.starts.push(start);
    this.entries.push(entry);
  }
}

/** How a map's values are cut into slices. */
interface Slicing {
  first: number;
  shift: number;
  slices: number;
}

function slicingOf({ starts }: Ranges): Slicing {
  const count = starts.length;
  // One range alone has no boundary: any will do.
  const first = starts[1] ?? 0;
  const span = starts[count - 1] - first;
  let shift = 0;
  while (shift < WORD_BITS - 1 && span >>> shift >= count) shift++;
  return { first, shift, slices: count <= FEW_RANGES ? 1 : (span >>> shift) + 1 };
}

/** The array, as it grows. */
class WordMapWriter {
  readonly chains = new ClaimChainWriter();
  #words = new Uint32Array(2 ** 10);
  #used = 0;

  /** Gives the entry that names the map. */
  write(word: number, ranges: Ranges): number {
    const slicing = slicingOf(ranges);
    const thinned = slicing.slices === 1 ? ranges : this.#withoutCrowds(word, ranges, slicing);
    return this.#writeThinned(word, thinned, slicing);
  }

  /** The same ranges, but those of a crowded slice are one, which leads to a map of their own and ends with the last of them. */
  #withoutCrowds(word: number, { starts, entries }: Ranges, { first, shift }: Slicing): Ranges {
    const thinned = new Ranges(entries[0]);
    for (let from = 1, to = 1; from < starts.length; from = to) {
      const slice = (starts[from] - first) >>> shift;
      while (to < starts.length && (starts[to] - first) >>> shift === slice) to++;
      const isCrowd = to - from > MANY_RANGES;
      const into = isCrowd ? new Ranges(entries[from - 1]) : thinned;
      for (let range = from; range < to; range++) into.begin(starts[range], entries[range]);
      if (isCrowd) thinned.begin(starts[from], this.write(word, into));
    }
    return thinned;
  }

  #writeThinned(word: number, { starts, entries }: Ranges, { first, shift, slices }: Slicing): number {
    const count = starts.length;
    const map = this.#used;
    const ranges = map + SLICES + slices + 1;
    this.#used = ranges + count * 2;
    this.#makeRoom();
    const words = this.#words;
    words[map + WORD] = word;
    words[map + FIRST] = first;
    words[map + SHIFT] = shift;
    words[map + LAST_SLICE] = slices - 1;
    // Values below the first boundary are looked for in the first slice: it begins at the range before.
    words[map + SLICES] = ranges;
    for (let slice = 1, range = 0; slice < slices; slice++) {
      while (range + 1 < count && starts[range + 1] <= first + slice * 2 ** shift) range++;
      words[map + SLICES + slice] = ranges + range * 2;
    }
    words[map + SLICES + slices] = ranges + (count - 1) * 2;
    for (let range = 0; range < count; range++) {
      words[ranges + range * 2] = starts[range];
      words[ranges + range * 2 + 1] = entries[range];
    }
    return mapAt(map);
  }

  take(): Uint32Array {
    return this.#words.slice(0, this.#used);
  }

  #makeRoom(): void {
    if (this.#used <= this.#words.length) return;
    const larger = new Uint32Array(Math.max(this.#words.length * 2, this.#used));
    larger.set(this.#words);
    this.#words = larger;
  }
}
