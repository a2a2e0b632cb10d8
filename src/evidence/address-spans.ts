import { doFlowsOverlap } from '../rating/flow-condition.ts';
import { parsePrefixText } from './prefix-text.ts';

const ADDRESS_BITS = 128n;
const WORD_BITS = 32n;
const FIRST_V4 = 0xffff_0000_0000n;
const LAST_V4 = 0xffff_ffff_ffffn;

/** Addresses from first to last, as numbers of 128 bits; IPv4 is ::ffff:a.b.c.d. */
export interface AddressSpan {
  first: bigint;
  last: bigint;
}

/** How many addresses of a family prefixes hold, each counted once, and in how many unbroken spans. */
export interface AddressCount {
  addresses: bigint;
  spans: number;
}

export const ADDRESS_FAMILIES = ['IPv4', 'IPv6'] as const;
export type AddressFamily = (typeof ADDRESS_FAMILIES)[number];

/** Returns the addresses of a prefix. Throws a TypeError on what is no prefix. */
export function addressesOf(prefix: string): AddressSpan {
  const { words, length } = parsePrefixText(prefix).network;
  const first = words.reduce((sum, word) => (sum << WORD_BITS) | BigInt(word), 0n);
  return { first, last: first + (1n << (ADDRESS_BITS - BigInt(length))) - 1n };
}

/** Counts the addresses of prefixes, which may be nested, by family. */
export function countAddresses(prefixes: Iterable<string>): Record<AddressFamily, AddressCount> {
  const counts = { IPv4: { addresses: 0n, spans: 0 }, IPv6: { addresses: 0n, spans: 0 } };
  for (const { first, last } of mergedSpans(prefixes)) {
    const count = counts[first >= FIRST_V4 && last <= LAST_V4 ? 'IPv4' : 'IPv6'];
    count.addresses += last - first + 1n;
    count.spans += 1;
  }
  return counts;
}

/** Returns the spans of prefixes in order, those that touch or overlap as one. */
function mergedSpans(prefixes: Iterable<string>): AddressSpan[] {
  const spans = [...prefixes].map(addressesOf).sort((a, b) => compare(a.first, b.first));
  const merged: AddressSpan[] = [];
  for (const { first, last } of spans) {
    const before = merged.at(-1);
    // What touches an end of IPv4's range is IPv6.
    const isEdge = first === FIRST_V4 || before?.last === LAST_V4;
    const isApart = before === undefined || first > before.last + (isEdge ? 0n : 1n);
    if (isApart) merged.push({ first, last });
    else if (last > before.last) before.last = last;
  }
  return merged;
}

/** Returns the pairs of prefixes, one of each side, that share traffic of an address and meet the condition. */
export function overlappingPrefixes<L extends { prefix: string }, R extends { prefix: string }>(
  left: readonly L[],
  right: readonly R[],
  isMeant: (ofLeft: L, ofRight: R) => boolean = () => true,
): [L, R][] {
  const trafficOf = ({ prefix }: L | R) => ({ ...addressesOf(prefix), flow: parsePrefixText(prefix).flow });
  const ofLeft = left.map((each) => ({ ...trafficOf(each), left: each, right: null }));
  const ofRight = right.map((each) => ({ ...trafficOf(each), left: null, right: each }));
  const all = [...ofLeft, ...ofRight].sort((a, b) => compare(a.first, b.first) || compare(b.last, a.last));
  const pairs: [L, R][] = [];
  // Networks are nested or apart: those around this one, the innermost last.
  const around: typeof all = [];
  for (const inner of all) {
    while ((around.at(-1)?.last ?? inner.first) < inner.first) around.pop();
    for (const outer of around) {
      const [ofLeft, ofRight] = [inner.left ?? outer.left, inner.right ?? outer.right];
      if (ofLeft === null || ofRight === null || !doFlowsOverlap(outer.flow, inner.flow)) continue;
      if (isMeant(ofLeft, ofRight)) pairs.push([ofLeft, ofRight]);
    }
    around.push(inner);
  }
  return pairs;
}

/** The length of a prefix in its own family. */
export function lengthOf(prefix: string): { family: AddressFamily; length: number } {
  return {
    family: prefix.includes(':') ? 'IPv6' : 'IPv4',
    length: Number.parseInt(prefix.slice(prefix.indexOf('/') + 1), 10),
  };
}

function compare(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
