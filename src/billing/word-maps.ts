import { ADDRESS_WORDS, type Prefix, type PrefixColumns, sortedPrefixes } from './sorted-prefixes.ts';
import { NO_OWNER, Ranges, WORD_BITS, WORD_VALUES, WordMapWriter } from './word-map-writer.ts';

/**
 * Maps of the words of addresses, as `PrefixTable` reads them. A map cuts the values of its word into ranges. A range's
 * entry is the application of the longest prefix that holds it, NO_OWNER, or another map (below NO_OWNER, see `mapAt`): of the
 * next word where longer prefixes go on after this very value, of the same word where there are many more ranges in it.
 *
 * All maps stand in one array. A map begins with its directory: the values from its first boundary on are cut into slices
 * of 2^shift, at most as many as there are ranges, and a slice names the range that its first value lies in. The
 * ranges follow, each its first value and its entry.
 */
export interface WordMaps {
  words: Uint32Array;
  /** The entry of the map of the first word. */
  root: number;
}

/** Throws a TypeError on what is no prefix. */
export function wordMaps(prefixes: readonly Prefix[]): WordMaps {
  const out = new WordMapWriter();
  const root = writeMap(sortedPrefixes(prefixes), 0, prefixes.length, 0, NO_OWNER, out);
  return { words: out.take(), root };
}

/**
 * Writes the map of one word for the prefixes [from, to), which share all words before it and go on in this one. `outer` is
 * the application of the longest prefix around all of them.
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
  const open: { end: number; application: number }[] = [];
  // Outer prefixes come before inner ones, so the last of the open ones is the longest.
  const innermost = () => open.at(-1)?.application ?? outer;
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
      const application = prefixes.applications[at++];
      ranges.begin(value, application);
      open.push({ end: value + 2 ** (WORD_BITS - bits), application });
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
