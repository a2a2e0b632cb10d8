import { parseCidr } from './ip-address.ts';

export interface Prefix {
  /** CIDR text. */
  cidr: string;
  application: number;
}

export const ADDRESS_WORDS = 4;

/** In columns: a million objects, or big integers, would take many times as long to sort. */
export interface PrefixColumns {
  words: Uint32Array; // four each
  lengths: Uint8Array;
  applications: Int32Array;
}

/** By address, and outer before inner. Throws a TypeError on what is no prefix. */
export function sortedPrefixes(prefixes: readonly Prefix[]): PrefixColumns {
  const { words, lengths, applications } = parsed(prefixes);
  const order = Uint32Array.from(prefixes.keys()).sort((a, b) => {
    for (let word = 0; word < ADDRESS_WORDS; word++) {
      const difference = words[a * ADDRESS_WORDS + word] - words[b * ADDRESS_WORDS + word];
      if (difference !== 0) return difference;
    }
    return lengths[a] - lengths[b];
  });
  const sortedWords = new Uint32Array(words.length);
  order.forEach((from, to) => {
    for (let word = 0; word < ADDRESS_WORDS; word++) {
      sortedWords[to * ADDRESS_WORDS + word] = words[from * ADDRESS_WORDS + word];
    }
  });
  return {
    words: sortedWords,
    lengths: Uint8Array.from(order, (from) => lengths[from]),
    applications: Int32Array.from(order, (from) => applications[from]),
  };
}

function parsed(prefixes: readonly Prefix[]): PrefixColumns {
  const words = new Uint32Array(prefixes.length * ADDRESS_WORDS);
  const lengths = new Uint8Array(prefixes.length);
  prefixes.forEach(({ cidr }, i) => {
    const network = parseCidr(cidr);
    if (network === null) throw new TypeError(`not a prefix: ${cidr}`);
    words.set(network.words, i * ADDRESS_WORDS);
    lengths[i] = network.length;
  });
  return { words, lengths, applications: Int32Array.from(prefixes, ({ application }) => application) };
}
