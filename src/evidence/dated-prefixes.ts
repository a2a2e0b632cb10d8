import type { Span } from '../rating/claims.ts';
import { type Cidr, compareNetworks, parseCidr } from '../rating/ip-address.ts';

/** A prefix and when it is in force: for records that start in [fromMs, toMs). */
export interface DatedPrefix extends Span {
  /** CIDR text in its one spelling. */
  cidr: string;
}

/** Returns the list that is in force once everything that is scheduled has come. */
export function latestList(prefixes: readonly DatedPrefix[]): string[] {
  return prefixes.filter(({ toMs }) => toMs === Number.POSITIVE_INFINITY).map(({ cidr }) => cidr);
}

/**
 * Returns the prefixes as they are when a list is in force from an instant on, sorted. What was in force before that instant
 * stays; what was scheduled for later is replaced. The same change again changes nothing.
 */
export function changeList(
  prefixes: readonly DatedPrefix[],
  list: readonly string[],
  effectiveFromMs: number,
): DatedPrefix[] {
  const missing = new Set(list);
  const changed = prefixes
    .filter(({ fromMs }) => fromMs < effectiveFromMs)
    .map((prefix) => {
      if (prefix.toMs < effectiveFromMs) return prefix;
      const isKept = missing.delete(prefix.cidr);
      return { ...prefix, toMs: isKept ? Number.POSITIVE_INFINITY : effectiveFromMs };
    });
  for (const cidr of missing) changed.push({ cidr, fromMs: effectiveFromMs, toMs: Number.POSITIVE_INFINITY });
  return sorted(changed);
}

function sorted(prefixes: readonly DatedPrefix[]): DatedPrefix[] {
  return prefixes
    .map((prefix) => ({ prefix, network: parseCidr(prefix.cidr) as Cidr }))
    .sort((a, b) => compareNetworks(a.network, b.network) || a.prefix.fromMs - b.prefix.fromMs)
    .map(({ prefix }) => prefix);
}
