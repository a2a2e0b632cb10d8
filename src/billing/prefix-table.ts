import { parseCidr } from './ip-address.ts';

export interface Prefix {
  /** CIDR text. */
  cidr: string;
  application: number;
}

interface Interval {
  start: bigint;
  application: number;
}

const V4_BASE = 0xffffn << 32n;
const NOBODY = -1;

/**
 * Longest matching prefix. Nested prefixes are flattened into disjoint intervals once, so a look-up is one binary search,
 * whatever the nesting: over 32 bit starts for IPv4, over four words for IPv6.
 */
export class PrefixTable {
  readonly #v4Starts: Uint32Array;
  readonly #v4Applications: Int32Array;
  readonly #v6Starts: Uint32Array; // four words each
  readonly #v6Applications: Int32Array;

  constructor(prefixes: readonly Prefix[]) {
    const intervals = flatten(prefixes);
    const v4 = intervals.filter(({ start }) => start >> 32n === 0xffffn);
    // An interval that begins below the IPv4 addresses may reach into them.
    const before = intervals.filter(({ start }) => start < V4_BASE).at(-1);
    if (v4[0]?.start !== V4_BASE) v4.unshift({ start: V4_BASE, application: before?.application ?? NOBODY });
    this.#v4Starts = Uint32Array.from(v4, ({ start }) => Number(start & 0xffffffffn));
    this.#v4Applications = Int32Array.from(v4, ({ application }) => application);
    this.#v6Starts = Uint32Array.from(intervals.flatMap(({ start }) => words(start)));
    this.#v6Applications = Int32Array.from(intervals, ({ application }) => application);
  }

  /** Application of the longest prefix that holds the address (four words from `at`), or -1. */
  applicationOf(addresses: Uint32Array, at: number): number {
    const isV4 = addresses[at] === 0 && addresses[at + 1] === 0 && addresses[at + 2] === 0xffff;
    return isV4 ? this.#lookUpV4(addresses[at + 3]) : this.#lookUpV6(addresses, at);
  }

  #lookUpV4(address: number): number {
    let low = 0;
    let high = this.#v4Starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (this.#v4Starts[middle] <= address) low = middle;
      else high = middle - 1;
    }
    return this.#v4Applications[low];
  }

  #lookUpV6(addresses: Uint32Array, at: number): number {
    let low = 0;
    let high = this.#v6Applications.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (this.#startsAtOrBelow(middle * 4, addresses, at)) low = middle;
      else high = middle - 1;
    }
    return this.#v6Applications[low];
  }

  #startsAtOrBelow(from: number, addresses: Uint32Array, at: number): boolean {
    for (let i = 0; i < 4; i++) {
      if (this.#v6Starts[from + i] !== addresses[at + i]) return this.#v6Starts[from + i] < addresses[at + i];
    }
    return true;
  }
}

/** Disjoint intervals from address 0 on, each with the application of the longest prefix that holds it. */
function flatten(prefixes: readonly Prefix[]): Interval[] {
  const ranges = prefixes.map(({ cidr, application }) => ({ ...rangeOf(cidr), application }));
  // Outer before inner, so that a stack of the open prefixes has the longest on top.
  ranges.sort((a, b) => (a.start < b.start ? -1 : a.start > b.start ? 1 : a.length - b.length));
  const intervals: Interval[] = [{ start: 0n, application: NOBODY }];
  const open: { end: bigint; application: number }[] = [];
  const closeUpTo = (limit: bigint) => {
    for (let top = open.at(-1); top !== undefined && top.end <= limit; top = open.at(-1)) {
      open.pop();
      push(intervals, top.end, open.at(-1)?.application ?? NOBODY);
    }
  };
  for (const { start, end, application } of ranges) {
    closeUpTo(start);
    push(intervals, start, application);
    open.push({ end, application });
  }
  closeUpTo(1n << 128n);
  return intervals.filter(({ start }) => start < 1n << 128n);
}

/** A later word about the same start replaces the earlier one. */
function push(intervals: Interval[], start: bigint, application: number): void {
  if (intervals.at(-1)?.start === start) intervals.pop();
  intervals.push({ start, application });
}

function rangeOf(cidr: string): { start: bigint; end: bigint; length: number } {
  const parsed = parseCidr(cidr);
  if (parsed === null) throw new TypeError(`not a prefix: ${cidr}`);
  const start = parsed.words.reduce((value, word) => (value << 32n) | BigInt(word), 0n);
  return { start, end: start + (1n << BigInt(128 - parsed.length)), length: parsed.length };
}

function words(address: bigint): number[] {
  return [96n, 64n, 32n, 0n].map((shift) => Number((address >> shift) & 0xffffffffn));
}
