import { type AddressCount, type AddressFamily, countAddresses } from './address-spans.ts';

/** What of a list there is: its prefixes, and the addresses that they hold, each counted once. */
export type ListSize = { prefixes: number } & Record<AddressFamily, AddressCount>;

/** What changes between two lists of prefixes. */
export interface ListDifference {
  added: readonly string[];
  removed: readonly string[];
  before: ListSize;
  after: ListSize;
}

/** Compares two lists of prefixes, each in its one spelling. */
export function compareLists(before: readonly string[], after: readonly string[]): ListDifference {
  const [had, has] = [new Set(before), new Set(after)];
  return {
    added: after.filter((prefix) => !had.has(prefix)),
    removed: before.filter((prefix) => !has.has(prefix)),
    before: sizeOf(before),
    after: sizeOf(after),
  };
}

export function isSameList({ added, removed }: ListDifference): boolean {
  return added.length === 0 && removed.length === 0;
}

function sizeOf(prefixes: readonly string[]): ListSize {
  return { prefixes: prefixes.length, ...countAddresses(prefixes) };
}
